"""Cross-validation of candidate settings on training sessions, and the configuration that comes out of it."""

import dataclasses
import functools
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml

from benchmark.engines.interface import Engine, Races
from benchmark.engines.ledger import Display, FailedTrial, Ledger, Report
from benchmark.files.replacing import replace_text
from benchmark.metrics import get
from benchmark.naming import joined
from benchmark.runs.runner import run_missing
from benchmark.runs.search.space import SPLIT, Space, training_task
from benchmark.scores import scoring
from benchmark.trials.catalogue import Catalogue
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import Trial, expand
from tasks.definition import Progress, quiet
from tasks.errors import InputError
from tasks.task import Task


@dataclass(frozen=True, slots=True)
class Candidate:
    """Settings that were tried: ``values`` are what the space chose, ``settings`` all, defaults included.

    ``scores`` are per fold (and seed), in order; of the ``expected`` ones those not run are missing at the end.
    """

    values: Mapping[str, object]
    settings: Mapping[str, object]
    scores: tuple[float, ...]
    expected: int

    @property
    def complete(self) -> bool:
        """Whether it was run on every fold."""
        return len(self.scores) == self.expected

    @property
    def score(self) -> float:
        """Mean of the scores; NaN if there is none."""
        return sum(self.scores) / len(self.scores) if self.scores else math.nan


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a search found: candidates in order; ``best`` is the complete one of lowest score, the first of equals."""

    candidates: tuple[Candidate, ...]
    best: Candidate
    failed: tuple[FailedTrial, ...]
    notice: str
    n_train: int


def tune(
    config: RunConfig,
    space: Space,
    task: Task,
    catalogue: Catalogue,
    out: Path,
    *,
    engine: Engine,
    force: bool = False,
    display: Display = lambda standing: None,
    progress: Progress = quiet,
    report: Report = lambda line: None,
) -> Chosen:
    """Choose the settings of one simulator by 5-fold cross-validation on the training sessions of a split.

    The test sessions of the task are not read. Trials in the folder ``out`` are reused as those of a run are. An engine
    that can race candidates stops the bad ones early. ``config`` names the one simulator, the split, the seeds and the
    settings that are not searched. InputError if the simulator is an oracle or lacks a metric of the score, the split
    leaves nothing to choose on, or no candidate was run to its end.
    """
    [simulator] = config.simulators
    if catalogue.entry(simulator).oracle:
        raise InputError(f"{simulator} is an oracle: it is handed what it shall be chosen by. Tune another simulator.")
    train = training_task(task, config.split)
    asked = space.candidates()
    chains = []
    for values in asked:
        settings = {**config.settings, **{f"{simulator}.{key}": value for key, value in values.items()}}
        trials = expand(dataclasses.replace(config, split=SPLIT, label=False, settings=settings), train, catalogue)
        chains.append(sorted(trials, key=lambda trial: (trial.fold, trial.seed)))
    store = TrialStore(out / "trials")
    judge = functools.partial(judged, space.score)
    if space.early_stopping and isinstance(engine, Races):
        engine = _Race(engine, chains, judge)
    elif space.early_stopping:
        report("early stopping needs the engine ray: every candidate is run on every fold.")
    options: dict[str, Any] = {"force": force, "display": display, "progress": progress, "report": report}
    failed = run_missing(_distinct(chains), train, store, engine=engine, **options)
    lost = {failure.trial for failure in failed}
    candidates = tuple(
        Candidate(values, chain[0].settings, tuple(_scores(chain, train, store, judge, lost)), len(chain))
        for values, chain in zip(asked, chains, strict=True)
    )
    complete = [candidate for candidate in candidates if candidate.complete]
    if not complete:
        first = f" The first that failed: {failed[0]}" if failed else ""
        raise InputError(f"no candidate was run on all folds.{first}")
    notices = [task.notice, *(trial.notice for chain in chains for trial in chain)]
    found = Chosen(
        candidates,
        min(complete, key=lambda candidate: candidate.score),
        tuple(failed),
        joined(notices),
        len(train),
    )
    _write_record(out / "search.json", found, space)
    return found


def _distinct(chains: Sequence[Sequence[Trial]]) -> list[Trial]:
    """Return the trials of all chains; what two candidates share is run once."""
    found: dict[str, Trial] = {}
    for chain in chains:
        for trial in chain:
            found.setdefault(trial.identity(), trial)
    return list(found.values())


def judged(metrics: Sequence[str], task: Task, trial: Trial, found: pa.Table) -> float:
    """Return the sum of some metrics of a trial's predictions: the mean over users of that over held-out sessions.

    InputError if a metric is blank.
    """
    chosen = [get(name) for name in metrics]  # those of files are declared before anything is scored
    scores = scoring.score(task, trial.split, found)
    scores = scores[scores["fold"] == trial.fold]  # the sessions of the other folds are not predicted
    for metric in chosen:
        if scores[metric.name].isna().any():
            raise InputError(f"{trial.simulator} gives nothing that {metric.name} can judge; name another 'score'.")
    signs = [-1.0 if metric.higher_is_better else 1.0 for metric in chosen]
    total = (scores[[metric.name for metric in chosen]] * signs).sum(axis=1)
    return float(total.groupby(scores["user"]).mean().mean())


@dataclass(frozen=True, slots=True)
class _Race:
    """An engine that runs chains of trials side by side, fold by fold, so that bad ones can be stopped."""

    engine: Races
    chains: Sequence[Sequence[Trial]]
    judge: Callable[[Task, Trial, pa.Table], float]

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials, some of those of the chains; the others are finished."""
        everything, waiting, store = _distinct(self.chains), set(trials), ledger.store
        known = {t: self.judge(task, t, store.get(t)) for t in everything if t not in waiting}
        self.engine.race(self.chains, task, ledger, self.judge, known)
        spared = sum(not store.finished(trial) for trial in trials) - len(ledger.failed)
        if spared:
            ledger.report(f"early stopping spared {spared} of {len(everything)} trials.")


def _scores(
    chain: Sequence[Trial], train: Task, store: TrialStore, judge: Callable[..., float], lost: set[Trial]
) -> list[float]:
    """Return the scores of a candidate up to the first trial that is not there."""
    there = itertools.takewhile(lambda trial: trial not in lost and store.finished(trial), chain)
    return [judge(train, trial, store.get(trial)) for trial in there]


def _write_record(path: Path, found: Chosen, space: Space) -> None:
    record = {
        "notice": found.notice,
        "score": list(space.score),
        "search": space.search,
        "training_sessions": found.n_train,
        "chosen": dict(found.best.values),
        "candidates": [
            {"values": dict(c.values), "score": c.score if c.scores else None, "folds": list(c.scores)}
            for c in found.candidates
        ],
        "failed": [str(failure) for failure in found.failed],
    }
    replace_text(path, json.dumps(record, indent=1) + "\n")


def write_config(path: Path, config: RunConfig, found: Chosen, space: Space) -> None:
    """Write the chosen settings as a configuration that ``run --config`` accepts.

    All settings of the simulator are written, those that were not searched too, so that the run is the one that was
    chosen whatever preset it is given with.
    """
    [simulator] = config.simulators
    score = " + ".join(space.score)
    folds = found.best.expected
    heading = [
        f"# Settings of {simulator}, chosen among {len(found.candidates)} by cross-validation on the {found.n_train}",
        f"# training sessions of {config.task}, split {config.split}: {score} = {found.best.score:.4f}, {folds} folds.",
        *([f"# NOTE: {found.notice}"] if found.notice else []),
    ]
    values: dict[str, object] = {"task": config.task}
    if config.data is not None:
        values["data"] = config.data
    values |= {
        "split": config.split,
        "simulators": list(dict.fromkeys((config.reference, simulator))),
        "settings": {
            f"{simulator}.{key}": list(value) if isinstance(value, tuple) else value
            for key, value in found.best.settings.items()
        },
    }
    text = "\n".join([*heading, yaml.safe_dump(values, sort_keys=False, allow_unicode=True)])
    replace_text(path, text)
