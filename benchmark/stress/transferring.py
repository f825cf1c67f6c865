"""Tuned prompts on another task: what of the tuning is about people, and what about the task.

The users of the other task are unknown to the prompt, so they get the mean coefficients of the trained users. The same
backbone without a prompt and with an untrained one is shown next to it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.engines.resources import threads
from benchmark.metrics import names as metric_names
from benchmark.naming import TRANSFER, joined, transfer_test
from benchmark.scores import predictions, scoring, tested
from benchmark.scores.checking import simulated
from benchmark.simulator import Restorable, Simulator
from benchmark.stress import rows
from benchmark.stress.records import StressRow
from benchmark.stress.running import Bench, keep
from benchmark.stress.sources import Source, as_left
from benchmark.trials.catalogue import setting_names
from benchmark.trials.content import content_digest
from tasks.task import Task
from tasks.types import Session

REFERENCES = ("backbone", "random-prompt")
"""What a transferred prompt is compared with, where the catalogue has them and they share a setting with it."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One simulator with one seed on the other task: a transferred one, or one to compare with."""

    name: str
    source: Source
    settings: Mapping[str, Any] | None


def transferred(
    bench: Bench, trials: Mapping[str, Sequence[Source]], every: Mapping[str, Sequence[Source]], task: Task
) -> list[StressRow]:
    """Predict the test sessions of another task with the prompts of this run, compare, and write the predictions.

    The other task's split has the same name as the run's; of several folds the first one's prompt is taken. ``every``
    has the trials of all simulators of the run: the file also holds what was predicted before. InputError if the other
    task has no such split, or a simulator cannot be restored.
    """
    test, split = transfer_test(task.name), bench.split
    tested.of_task(task, split)  # first: it may have no such split
    found: list[StressRow] = []
    for name, several in trials.items():
        simulator = bench.catalogue.build(name, several[0].settings)
        if several[0].oracle or not isinstance(simulator, Restorable):
            found.append(rows.not_applicable(test, name, "It has no tuned prompt that could be taken along."))
            continue
        first = _first(several)
        jobs = [_Job(name, source, None) for source in first]
        for against in (x for x in REFERENCES if x in bench.catalogue.names() and x != name):
            jobs += _jobs_of(bench, against, first)
        made = [_frame(bench, job, task) for job in jobs]
        scores = scoring.score(task, split, predictions.renamed(predictions.joined(made), target="none"))
        references = [x for x in dict.fromkeys(job.name for job in jobs) if x != name]
        said = rows.transfer(test, name, scores, metric_names(), references, bench.task.name)
        found += [replace(row, notice=task.notice) for row in said]
    _write(bench, every, task)
    return found


def is_of(bench: Bench, row: StressRow, several: Sequence[Source]) -> bool:
    """Return whether a row of a transfer was made from the trials that its simulator has now."""
    path = bench.folder / row.test.replace(" ", "-") / "predictions.parquet"
    try:
        about = pq.read_schema(path).metadata or {}
        trials = json.loads(about.get(b"trials", b"{}"))
        return bool(trials.get(row.simulator) == [source.identity for source in _first(several)])
    except (pa.ArrowException, OSError, ValueError, AttributeError):
        return False


def _first(several: Sequence[Source]) -> list[Source]:
    """Return the trials of the first fold, one per seed."""
    return [source for source in several if source.fold == 0]


def _write(bench: Bench, every: Mapping[str, Sequence[Source]], other: Task) -> None:
    """Write one predictions file of all simulators whose trials have all been taken to the other task."""
    about = {"task": other.name, "version": other.version, "split": bench.split}
    about |= {"digest": other.digests[bench.split], "notice": other.notice}
    first = {name: _first(several) for name, several in every.items()}
    folder = bench.folder / f"{TRANSFER}{other.name}"
    bench.write_complete(folder, first, lambda source: _part(bench, _Job(source.simulator, source, None), other), about)


def _jobs_of(bench: Bench, against: str, first: Sequence[Source]) -> list[_Job]:
    """Return the jobs of a simulator to compare with: the settings it shares are those of the transferred one."""
    entry = bench.catalogue.entry(against)
    settings = {k: v for k, v in first[0].settings.items() if k in setting_names(entry.factory)}
    if not settings:
        return []
    return [_Job(against, source, settings) for source in (first if entry.stochastic else first[:1])]


def _frame(bench: Bench, job: _Job, other: Task) -> pa.Table:
    """Return a job's predictions, made now unless they are there."""
    path = _part(bench, job, other)
    kept = bench.read_part(path)
    if kept is not None:
        return kept
    bench.report(f"{job.name}, seed {job.source.seed}: transfer to {other.name}")
    train, _ = bench.fold(0)
    with threads(job.source.threads):
        if job.settings is None:
            with as_left(job.source, bench.catalogue, train, report=bench.report) as simulator:
                made = _simulated(simulator, job, tested.of_task(other, bench.split).sessions)
        else:
            simulator = bench.catalogue.build(job.name, job.settings)
            simulator.fit(train, job.source.seed)
            made = _simulated(simulator, job, tested.of_task(other, bench.split).sessions)
    keep(path, made, {"notice": joined([other.notice, job.source.notice])})
    return made


def _simulated(simulator: Simulator, job: _Job, sessions: Sequence[Session]) -> pa.Table:
    found = simulator.simulate([s.stimulus() for s in sessions])
    return simulated(found, sessions, job.name, job.source.seed, f"transfer, {type(simulator).__name__}")


def _part(bench: Bench, job: _Job, other: Task) -> Path:
    return bench.part_of("transfer", job.source.identity, job.name, dict(job.settings or {}), content_digest(other))
