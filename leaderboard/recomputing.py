"""Scores computed again from what a board stores: to add what is missing, and for ``verify`` to compare with."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from benchmark.output.text import plain
from benchmark.trials.catalogue import Catalogue
from leaderboard import board_predictions, board_scores, references
from leaderboard.board_files import Board
from leaderboard.context import TaskContext
from leaderboard.entries import ResultRecord
from leaderboard.submitting import NewResult, PreparedResult, prepare
from tasks.errors import InputError
from tasks.task import Task

LoadTask = Callable[[str, Mapping[str, str]], Task]
"""Returns the data of a task, given its name and split -> digest of a result."""


@dataclass(frozen=True, slots=True)
class BoardFinding:
    """Something found or done: ``error``, ``note`` for what does no harm, ``scored`` for scores that were added."""

    severity: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}"


def rescore(board: Board, load_task: LoadTask, catalogue: Catalogue) -> Iterator[BoardFinding]:
    """Add the scores that a board lacks: metrics that are newer than a result, and score files that are gone.

    Everything is computed from the stored predictions, or from the data for priors and oracles, so every keeper of a
    board adds the same rows. Yields one finding for every result that lacked scores. InputError if a result of the
    board is damaged.
    """
    known = {name: board.result(name) for name in board.names("results")}
    lacking = {name: record for name, record in known.items() if _lacks(board, name, record)}
    for results, task in by_data(lacking, load_task):
        if isinstance(task, BoardFinding):
            yield task
            continue
        for name, record in results.items():
            where = where_of(name, record)
            try:
                added = board_scores.put(board, name, record, scores_of(board, record, task, catalogue))
                yield BoardFinding("scored", where, ", ".join(added))
            except InputError as error:
                yield BoardFinding("error", where, str(error))


def _lacks(board: Board, name: str, record: ResultRecord) -> bool:
    if not board.path("scores", name).exists():
        return True
    stored = board_scores.read(board, name, record).column_names
    return any(column not in stored for column in board_scores.columns(record, stored))


def where_of(name: str, record: ResultRecord) -> str:
    """Return what a result is called in findings."""
    return f"results/{name[:12]} ({plain(record.metadata.label, 60)}, {record.task}, {record.split})"


def by_data(
    known: Mapping[str, ResultRecord], load_task: LoadTask
) -> Iterator[tuple[dict[str, ResultRecord], Task | BoardFinding]]:
    """Yield the results of each split with its data, or with why there is none."""
    groups: dict[tuple[str, str, str], dict[str, ResultRecord]] = {}
    for name, record in known.items():
        groups.setdefault((record.task, record.split, record.digest), {})[name] = record
    for (name, split, digest), results in groups.items():
        wrong = ""
        try:
            task = load_task(name, {split: digest})
            if (given := task.digests.get(split, "")) != digest:
                wrong = f"made from digest {digest[:12]}, the data given has {given[:12]}, so nothing can be computed."
        except InputError as error:
            wrong = f"the data cannot be loaded, so nothing can be computed: {error}"
        yield results, BoardFinding("error", f"{plain(name)}, {plain(split)}", wrong) if wrong else task


def scores_of(board: Board, record: ResultRecord, task: Task, catalogue: Catalogue) -> pd.DataFrame:
    """Return the scores of a result, computed from its stored predictions; those of a reference from the data.

    InputError if the predictions are missing or not those of the record, or the suite has no such reference.
    """
    if record.kind != "reference":
        said = _predictions(board, record, task)
        return board_predictions.score(task, record.split, said, stated=record.metadata.states_attention)
    from benchmark import __version__

    own = suite_result(record, task, catalogue)
    if own is None or (record.metadata.version != __version__ and own.record.predictions != record.predictions):
        by = f"computed by version {plain(record.metadata.version)} of the suite, and this is {__version__}"
        raise InputError(f"its predictions are not stored: they were {by}.")
    found: pd.DataFrame = own.scores.to_pandas()
    return found


def suite_result(
    record: ResultRecord, task: Task, catalogue: Catalogue, context: TaskContext | None = None
) -> PreparedResult | None:
    """Return a prior or reference as this version of the suite computes it, None if it has none of that name."""
    name = record.metadata.name
    for one in references.compute(task, record.split, catalogue, [name] if name in references.every() else []):
        return prepare(NewResult(one.metadata, task, record.split, one.predictions), one.kind, context)
    return None


def _predictions(board: Board, record: ResultRecord, task: Task) -> pa.Table:
    """Return the stored predictions of a result, those of another task's sessions on older boards left out."""
    said = board_predictions.stored_predictions(board.table("predictions", record.predictions))
    found = board_predictions.predictions_digest(said)
    if found != record.predictions:
        raise InputError(f"its predictions were changed (digest {found[:12]}); restore the file.")
    said = board_predictions.of_conditions(said)
    canonical = board_predictions.canonical_predictions(said, task, record.split, "its predictions")
    if board_predictions.predictions_digest(canonical) != board_predictions.predictions_digest(said):
        raise InputError("its predictions are not in canonical order or contain parts of sum 0.")
    return canonical
