"""The files of a run, read as data: results, scores, and the trials that the results were made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.runs import kept as records
from benchmark.runs.kept import TrialRecord
from benchmark.scores import results
from benchmark.scores.results import Results
from tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it lies on disk.

    Attributes:
        trials: The finished trials that the results were made from, in the order of the table, then seed and fold.
        failed: Trials that failed and were not finished since.
        unfinished: Trials that were begun and neither finished nor failed.
        others: Finished trials of the folder that have no part in the results.
    """

    folder: Path
    results: Results
    scores: pd.DataFrame
    trials: tuple[TrialRecord, ...]
    failed: tuple[TrialRecord, ...]
    unfinished: tuple[TrialRecord, ...]
    others: int


def read(folder: Path) -> Run:
    """Read a run.

    Raises:
        InputError: The folder holds no finished run, or one of its files is damaged.
    """
    found = results.read(folder)
    scores = results.read_scores(folder)
    names = set(scores["simulator"]) if "simulator" in scores.columns else set()
    if not {row.name for row in found.simulators} <= names:
        raise InputError(f"{folder / 'scores.parquet'} is damaged (it lacks simulators of results.json); run again.")
    everything = records.trials(folder) if (folder / "trials").is_dir() else []
    finished = [record for record in everything if record.state == "finished"]
    used = [record for of_simulator in records.behind(folder, found).values() for record in of_simulator]
    done = {record.identity for record in finished}
    left = [record for record in everything if record.state != "finished" and record.identity not in done]
    return Run(
        folder,
        found,
        scores,
        tuple(used),
        tuple(record for record in left if record.state == "failed"),
        tuple(record for record in left if record.state != "failed"),
        len(finished) - len(used),
    )
