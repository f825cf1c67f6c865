"""Transfers to other tasks: predictions of a simulator, as fitted on its submission's task, on another task's sessions.

The board scores them with the other task's data and puts that task's own cheap priors beside them. The scores are a
table of their own, named after the result and the condition, so that whoever has the data can add it: a board without
it says that the transfer is not measured, and is a whole board all the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmark.metrics import names as metric_names
from benchmark.stress.naming import transfer_target, transfer_test
from leaderboard.context import TaskContext
from tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from benchmark.stress.records import StressRow
    from benchmark.trials.catalogue import Catalogue
    from leaderboard.store import Board
    from tasks.task import Task

FOLDER = "transfers"
BESIDE = ("uniform", "position-prior")
"""What a transfer is read against: knowing nothing, and the cheap prior that is fitted on the other task itself."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A transfer that a board has measured.

    Attributes:
        scores: Columns condition (the transfer's, or one of ``BESIDE``), seed, fold, session_id, user, failed and one
            per metric.
        context: Facts about the other task's split.
    """

    scores: pa.Table
    context: TaskContext


def table_name(result: str, condition: str) -> str:
    """Return the name of the score table of a transfer: a SHA-256 over the result's identity and the condition."""
    return hashlib.sha256(f"{result} {condition}".encode("ascii")).hexdigest()


def score(other: Task, split: str, condition: str, frame: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """Score the predictions of a transfer, and the priors that it is read against.

    Args:
        other: The other task.
        split: Name of the split, that of the submission.
        condition: The transfer's.
        frame: Its canonical predictions.
        catalogue: Where the priors are found.

    Returns:
        As ``Measured.scores``.
    """
    import pandas as pd

    from benchmark.scores import scoring as benchmark_scoring
    from leaderboard import references

    frames = [frame.assign(simulator=condition)]
    for prior in references.compute(other, split, catalogue, BESIDE):
        frames.append(prior.frame.assign(simulator=prior.metadata.name))
    whole = pd.concat([f.astype({"attention": object, "probabilities": object, "answer": "Int64"}) for f in frames])
    named = whole.drop(columns="condition").assign(target="none").reset_index(drop=True)
    scores: pd.DataFrame = benchmark_scoring.score(other, split, named).rename(columns={"simulator": "condition"})
    return scores


def load(board: Board, result: str, condition: str, digest: str) -> Measured | None:
    """Return what a board has measured of a transfer, None where it has not.

    Args:
        board: The board.
        result: Identity of the result.
        condition: The transfer's.
        digest: Of the other task's split.

    Raises:
        InputError: A file is damaged, or the facts about the split are missing.
    """
    name = table_name(result, condition)
    if not board.path(FOLDER, name).exists():
        return None
    scores = board.table(FOLDER, name)
    missing = [c for c in ("condition", "seed", "session_id", "user", *metric_names()) if c not in scores.column_names]
    if missing:
        raise InputError(f"{board.path(FOLDER, name)} has no column {', '.join(missing)}; restore the file.")
    return Measured(scores, board.context(digest))


def test_of(condition: str) -> str:
    """Return what the stress test of a transfer is called, as ``stress`` calls it."""
    target = transfer_target(condition)
    assert target is not None, condition
    return transfer_test(target[0])


def transfer_rows(name: str, condition: str, found: Measured, fitted_on: str) -> list[StressRow]:
    """Return what a page shows of a measured transfer.

    Args:
        name: What to call the simulator.
        condition: The transfer's.
        found: What was measured.
        fitted_on: Task of the submission.
    """
    from benchmark.stress import rows

    scores = found.scores.to_pandas().rename(columns={"condition": "simulator"})
    # A stranger's name may be that of a prior; the condition is nobody's.
    said = rows.transfer(test_of(condition), condition, scores, metric_names(), BESIDE, fitted_on)
    return [replace(row, simulator=name, notice=found.context.notice) for row in said]


def not_measured(condition: str, split: str, digest: str) -> str:
    """Return why a page shows no numbers of a transfer, and what mends it."""
    target = transfer_target(condition)
    assert target is not None, condition
    return (
        f"Not measured: this board was not given the test sessions of {target[0]} {target[1]}, {split} "
        f"(digest {digest[:12]}). Whoever has them submits the same folder again with --data {target[0]}=DIR."
    )
