"""What is checked before anything long runs: names before data are loaded, then what the trials need."""

import hashlib
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmark.engines.resources import threads
from benchmark.engines.trial import failure, run_trial
from benchmark.scores.results import LIMITED
from benchmark.simulator import ChecksAhead, Workspace
from benchmark.trials import own_files
from benchmark.trials.catalogue import Catalogue, check_settings, settings_in, simulator_class
from benchmark.trials.configuration import RunConfig
from benchmark.trials.trial import Trial
from tasks.definition import quiet
from tasks.errors import InputError, require_known
from tasks.splits import SPLIT_NOTES, Split
from tasks.task import Task

_SESSIONS = 2
"""Sessions that a user's own simulator is tried on."""


def check_names(config: RunConfig, catalogue: Catalogue) -> None:
    """Check names and settings of a run; neither data nor models are loaded.

    InputError if a split, metric, simulator or setting is unknown, or a value is of the wrong type or range.
    """
    require_known("split", [config.split], SPLIT_NOTES)
    catalogue.entry(config.reference)
    entries = [catalogue.entry(name) for name in config.simulators]
    check_settings(entries, config.settings)
    for entry in entries:
        catalogue.build(entry.name, settings_in(catalogue, entry, config.defaults, config.settings))


def check(trials: Sequence[Trial], task: Task) -> None:
    """Check that what the trials of a task need is there, and try every simulator in a user's own file on two sessions.

    InputError if a split lacks sessions, an endpoint cannot be reached, or a simulator fails or returns predictions
    that are not what was asked for.
    """
    for name in dict.fromkeys(trial.split for trial in trials):
        task.split(name)
    for trial in {(trial.factory, str(trial.settings)): trial for trial in reversed(trials)}.values():
        built = simulator_class(trial.factory)(**trial.settings)
        if isinstance(built, ChecksAhead):
            built.check_ahead()
        if own_files.is_file(trial.factory):
            _rehearse(trial, task)


def _rehearse(trial: Trial, task: Task) -> None:
    """Run a trial on two sessions; where these are too few to be fitted on, on all that it is fitted on."""
    train, test = task.split(trial.split).folds[trial.fold]
    for count in (_SESSIONS, len(train)):
        part = replace(task, splits={trial.split: Split(trial.split, [(train[:count], test[:_SESSIONS])])})
        try:
            with tempfile.TemporaryDirectory(prefix="gazebench-") as scratch, threads(1):
                workspace = Workspace(Path(scratch), Path(scratch), lambda line: None, quiet)
                run_trial(replace(trial, fold=0), part, workspace)
            return
        except Exception as error:  # the user's code may fail with anything
            found = error
    path = own_files.path_of(trial.factory)
    lines = [frame.lineno for frame in traceback.extract_tb(found.__traceback__) if Path(frame.filename) == path]
    where = f" (line {lines[-1]} of {path})" if lines else ""
    line = failure(found).line.rstrip(".")
    raise InputError(f"{trial.simulator} fails on {_SESSIONS} sessions, so nothing was run: {line}{where}.") from found


def check_limit(count: int | None) -> None:
    """Raise InputError if a number of test sessions that was asked for is below 1."""
    if count is not None and count < 1:
        raise InputError(f"--limit {count}: the number of test sessions must be at least 1.")


def limited(task: Task, name: str, count: int) -> Task:
    """Return a task with so many test sessions of a split at most, spread evenly over it; training sessions stay.

    Trials of it are trials of their own, and every output says what it is. InputError if the number is below 1, or
    there is no such split.
    """
    check_limit(count)
    folds = task.split(name).folds
    total = sum(len(test) for _, test in folds)
    count = min(count, total)
    kept = {position * total // count for position in range(count)}
    chosen, begin = [], 0
    for train, test in folds:
        mine = [index for position, index in enumerate(test, begin) if position in kept]
        begin += len(test)
        if mine:
            chosen.append((train, np.array(mine)))
    digest = hashlib.sha256(f"{task.digests[name]} {count}".encode()).hexdigest()
    return replace(
        task,
        notice="; ".join(filter(None, (task.notice, f"limited to {count} of {total} test sessions"))),
        splits={**task.splits, name: Split(name, chosen)},
        digests={**task.digests, name: LIMITED + digest},
    )
