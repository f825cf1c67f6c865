"""Scores predictions that were made elsewhere, next to the priors that they are read next to."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmark.engines.trial import run_trial
from benchmark.metrics.families import FAMILIES
from benchmark.naming import STATED
from benchmark.scores import checking, predictions, results, scoring, summary, tested
from benchmark.scores.raw import RawPredictions
from benchmark.scores.results import Results
from benchmark.trials.catalogue import Catalogue, Entry
from benchmark.trials.configuration import RunConfig
from benchmark.trials.trial import expand
from tasks.task import Task


@dataclass(frozen=True, slots=True)
class Scored:
    """Predictions, ``added`` priors included, and their scores per session; comparisons are with the first prior."""

    results: Results
    scores: pd.DataFrame
    predictions: pa.Table
    added: tuple[str, ...]


def score(
    raw: RawPredictions, where: str, task: Task, split: str, catalogue: Catalogue, data: str, known: Results | None
) -> Scored:
    """Score predictions; the prior of each family is fitted on the training sessions and added if it is missing.

    The run that they are from, if it is ``known``, says what is an oracle, and what must be said of its simulators.
    ``where`` they are from is for messages; the results name ``data``. InputError if a prediction is not valid.
    """
    said = checking.table(raw, tested.of_task(task, split), where)
    names, claims = tuple(said["simulator"].unique().to_pylist()), scoring.claims_of(task, split, said)
    priors = tuple(dict.fromkeys(one.prior for one in FAMILIES if set(one.parts) & set(claims)))
    added = tuple(name for name in priors if name not in names)
    config = RunConfig(
        task=task.name,
        data=data,
        split=split,
        simulators=(*names, *added),
        seeds=tuple(sorted(said["seed"].unique().to_pylist())),
        reference=priors[0] if priors else names[0],
    )
    if added:
        trials = expand(RunConfig(task.name, data, split, added, reference=added[0]), task, catalogue)
        said = predictions.joined([said, *(run_trial(trial, task)[0] for trial in trials)])
    entries: dict[str, Entry] = {name: catalogue.entry(name) for name in catalogue.names() if name in config.simulators}
    oracles = [row.name for row in known.simulators if not row.ranked and row.name == row.base] if known else []
    entries |= {name: Entry(name, oracle=True) for name in oracles if name not in entries}
    notices = [*(known.notice.split("; ") if known else ()), scoring.unrecorded(task, split, said)]
    stated = [row.base for row in known.simulators if row.name.endswith(STATED)] if known else []
    scores = scoring.score(task, split, predictions.with_stated_apart(said, stated))
    return Scored(summary.build(config, task, scores, entries, notices=notices), scores, said, added)


def run_of(path: Path) -> Results | None:
    """Return the run that a predictions file belongs to, None if it belongs to none."""
    if path.name != "predictions.parquet" or not (path.parent / "results.json").is_file():
        return None
    return results.read(path.parent)
