"""Runs trials: fits on the training part of a fold, simulates its test part, stores the predictions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from benchmark import predictions, results, scoring, summary
from benchmark.catalogue import Catalogue, simulator_class
from benchmark.config import RunConfig
from benchmark.metrics import get
from benchmark.results import Results
from benchmark.simulator import AttendsToLabel, Prediction, ReportsCost, Simulator, UsesWorkspace, Workspace
from benchmark.store import TrialStore
from benchmark.trials import Trial, expand
from tasks.definition import Progress, quiet
from tasks.errors import InputError
from tasks.types import Session, Stimulus

if TYPE_CHECKING:
    import pandas as pd

    from tasks.task import Task


def run_trial(trial: Trial, task: Task, workspace: Workspace | None = None) -> tuple[pd.DataFrame, dict[str, object]]:
    """Run one trial: a pure function of the trial and the task's sessions.

    Args:
        trial: What to run.
        task: The task it belongs to.
        workspace: Where a fit that can be resumed keeps its state; None runs without one.

    Returns:
        The checked predictions of the fold's test sessions (columns of ``predictions.schema``), and what it cost.

    Raises:
        InputError: The simulator returned predictions that are not what was asked for.
    """
    train, test = task.split(trial.split).folds[trial.fold]
    simulator: Simulator = simulator_class(trial.factory)(**trial.settings)
    start = time.perf_counter()
    if workspace is not None and isinstance(simulator, UsesWorkspace):
        simulator.attach(workspace)
    simulator.fit(task.sessions_at(train), trial.seed)
    fitted = time.perf_counter()
    sessions = task.sessions_at(test)
    # Only an oracle is handed the sessions themselves; everyone else sees them without gaze, cursor and click.
    shown = sessions if trial.oracle else [session.stimulus() for session in sessions]
    found = simulator.simulate(cast("list[Stimulus]", shown))
    rows = _checked(trial.simulator, found, sessions)
    if trial.label and isinstance(simulator, AttendsToLabel):
        rows += _checked(trial.simulator, simulator.attend_to_label(sessions), sessions)
    cost: dict[str, object] = dict(simulator.cost()) if isinstance(simulator, ReportsCost) else {}
    cost |= {"seconds_fit": round(fitted - start, 3), "seconds_simulate": round(time.perf_counter() - fitted, 3)}
    return predictions.to_frame(rows, trial.simulator, trial.seed), cost


def _checked(simulator: str, found: Sequence[Prediction], sessions: Sequence[Session]) -> list[Prediction]:
    """Return the predictions in the order of the sessions, each checked."""
    where = f"simulator '{simulator}'"
    if [p.session_id for p in found] != [s.session_id for s in sessions]:
        raise InputError(
            f"{where} returned {len(found)} predictions for {len(sessions)} sessions or in another order; "
            "simulate() must return one prediction per session, in order."
        )
    return [predictions.checked(p, len(s.slots), where) for p, s in zip(found, sessions, strict=True)]


def run_missing(
    trials: Sequence[Trial],
    task: Task,
    store: TrialStore,
    *,
    force: bool = False,
    progress: Progress = quiet,
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Run the trials that the store does not hold yet, one after the other, in this process.

    Args:
        trials: The run's trials.
        task: The task they belong to.
        store: Where finished trials are.
        force: Run finished trials again.
        progress: Wraps the trials to run.
        report: Called with the line that says what was found finished.

    Returns:
        How many trials were run.
    """
    missing = [trial for trial in trials if force or not store.finished(trial)]
    if len(missing) < len(trials):
        report(f"{len(trials) - len(missing)} of {len(trials)} trials were finished before and are kept.")
    say = _once(report)
    for trial in progress(missing, total=len(missing), desc="trials"):
        with store.workspace(trial) as (folder, artifacts):
            frame, cost = run_trial(trial, task, Workspace(folder, artifacts, say, progress))
            store.put(trial, frame, cost, artifacts)
    return len(missing)


def _once(report: Callable[[str], None]) -> Callable[[str], None]:
    """Return ``report`` without its repetitions: what holds for one trial mostly holds for all of a simulator."""
    said: set[str] = set()

    def say(line: str) -> None:
        if line not in said:
            said.add(line)
            report(line)

    return say


def run(
    config: RunConfig,
    task: Task,
    catalogue: Catalogue,
    out: Path,
    *,
    force: bool = False,
    progress: Progress = quiet,
    report: Callable[[str], None] = lambda line: None,
) -> Results:
    """Run what is missing, score everything and write the results.

    Args:
        config: What to run.
        task: The loaded task.
        catalogue: Where simulators are found.
        out: Folder of the run; finished trials in it are reused if nothing that shapes them has changed.
        force: Run finished trials again.
        progress: Wraps the trials.
        report: Called with lines for the person at the terminal.

    Returns:
        The results, as written.

    Raises:
        InputError: A name is unknown, ``out`` is something else than a run's folder, or a simulator misbehaves.
    """
    import pandas as pd

    for metric in config.family:
        get(metric)
    catalogue.entry(config.reference)
    trials = expand(config, task, catalogue)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "trials").is_dir())):
        raise InputError(f"{out} exists and is not a run's folder; choose another with --out.")
    store = TrialStore(out / "trials")
    run_missing(trials, task, store, force=force, progress=progress, report=report)
    frame = pd.concat([store.get(trial) for trial in trials], ignore_index=True)
    scores = scoring.score(task, config.split, frame)
    entries = {name: catalogue.entry(name) for name in config.simulators}
    settings = {trial.simulator: trial.settings for trial in trials}
    found = summary.build(config, task, scores, entries, settings, [trial.notice for trial in trials])
    for line in results.failures(found):
        report(line)
    results.write(out, found, scores, frame)
    return found
