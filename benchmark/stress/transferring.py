"""Tuned prompts on another task: what of the tuning is about people, and what about the task.

The users of the other task are unknown to the prompt, so they get the mean coefficients of the trained users. The same
backbone without a prompt and with an untrained one is put beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark import predictions, scoring
from benchmark.catalogue import setting_names
from benchmark.content import content_digest
from benchmark.files import replace_file
from benchmark.metrics import names as metric_names
from benchmark.resources import threads
from benchmark.simulator import Prediction, Restorable, Simulator
from benchmark.stress import rows
from benchmark.stress.conditions import VERSION
from benchmark.stress.records import StressRow
from benchmark.stress.running import Bench
from benchmark.stress.sources import Source, as_left
from tasks.storage import write_errors
from tasks.types import Session

if TYPE_CHECKING:
    from tasks.task import Task

BESIDE = ("backbone", "random-prompt")
"""What a transferred prompt is compared with, where the catalogue has them and they share a setting with it."""


@dataclass(frozen=True, slots=True)
class _Job:
    """One simulator with one seed on the other task: a transferred one, or one to compare with."""

    name: str
    source: Source
    settings: Mapping[str, Any] | None


def transferred(bench: Bench, trials: Mapping[str, Sequence[Source]], other: Task, split: str) -> list[StressRow]:
    """Predict the test sessions of another task with the prompts of this run, and compare.

    Args:
        bench: The run's.
        trials: Simulator -> its trials; of several folds the first one's prompt is taken.
        other: The other task.
        split: The split whose test sessions are predicted.

    Raises:
        InputError: The other task has no such split, or a simulator cannot be restored.
    """
    test = f"transfer {other.name}"
    sessions = [s for _, tested in other.split(split).folds for s in other.sessions_at(tested)]
    found: list[StressRow] = []
    frames: list[pd.DataFrame] = []
    for name, several in trials.items():
        simulator = bench.catalogue.build(name, several[0].settings)
        if several[0].oracle or not isinstance(simulator, Restorable):
            found.append(rows.not_applicable(test, name, "It has no tuned prompt that could be taken along."))
            continue
        first = [source for source in several if source.fold == 0]
        jobs = [_Job(name, source, None) for source in first]
        for against in (x for x in BESIDE if x in bench.catalogue.names()):
            jobs += _beside(bench, against, name, first)
        made = [_frame(bench, job, other, sessions) for job in jobs]
        frames += [frame for job, frame in zip(jobs, made, strict=True) if job.settings is None]
        scores = scoring.score(other, split, pd.concat(made, ignore_index=True).assign(target="none"))
        beside = [x for x in dict.fromkeys(job.name for job in jobs) if x != name]
        found += rows.transfer(test, name, scores, metric_names(), beside)
    if frames:
        folder = bench.folder / f"transfer-{other.name}"
        about = {"task": other.name, "split": split, "digest": other.digests[split], "notice": other.notice}
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        whole = pd.concat(frames, ignore_index=True)
        replace_file(folder / "predictions.parquet", lambda path: predictions.write(whole, path, about))
    return found


def _beside(bench: Bench, against: str, name: str, first: Sequence[Source]) -> list[_Job]:
    """Return the jobs of a simulator to compare with: the settings it shares are those of the transferred one."""
    if against == name:
        return []
    entry = bench.catalogue.entry(against)
    settings = {k: v for k, v in first[0].settings.items() if k in setting_names(entry.factory)}
    if not settings:
        return []
    return [_Job(against, source, settings) for source in (first if entry.stochastic else first[:1])]


def _frame(bench: Bench, job: _Job, other: Task, sessions: Sequence[Session]) -> pd.DataFrame:
    """Return a job's predictions, made now unless they are there."""
    path = _part(bench, job, other)
    if path.is_file():
        try:
            kept: pd.DataFrame = pq.read_table(path, schema=predictions.schema()).to_pandas()
            kept["answer"] = kept["answer"].astype("Int64")
            return kept
        except (pa.ArrowException, OSError) as error:
            bench.report(f"{path} is damaged ({str(error).splitlines()[0]}) and is made again.")
    bench.report(f"{job.name}, seed {job.source.seed}: transfer to {other.name}")
    train, _ = bench.fold(0)
    with threads(job.source.threads):
        if job.settings is None:
            with as_left(job.source, bench.catalogue, train, report=bench.report) as simulator:
                found = _simulated(simulator, sessions)
        else:
            simulator = bench.catalogue.build(job.name, job.settings)
            simulator.fit(train, job.source.seed)
            found = _simulated(simulator, sessions)
    frame = predictions.to_frame(found, job.name, job.source.seed)
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda partial: predictions.write(frame, partial, {"notice": other.notice}))
    return frame


def _simulated(simulator: Simulator, sessions: Sequence[Session]) -> list[Prediction]:
    shown = [s.stimulus() for s in sessions]
    return [
        predictions.checked(row, len(s.slots), f"transfer, {type(simulator).__name__}")
        for row, s in zip(simulator.simulate(shown), sessions, strict=True)
    ]


def _part(bench: Bench, job: _Job, other: Task) -> Path:
    made_from = [VERSION, "transfer", job.source.identity, job.name, dict(job.settings or {}), content_digest(other)]
    name = hashlib.sha256(json.dumps(made_from, sort_keys=True).encode("ascii")).hexdigest()[:24]
    return bench.folder / "parts" / f"{name}.parquet"
