"""A result's scores on a board: the file written when it was submitted, and columns that were added later.

Scores are a cache: they follow from the stored predictions and the data. A metric that the suite learns after a result
was submitted is scored by ``leaderboard rescore``, which writes every new column of every result to a file of its own.
So no file ever changes, and boards that were rescored by different versions still merge by taking the files of both.
"""

import hashlib
from collections.abc import Iterable

import pandas as pd
import pyarrow as pa

from benchmark.metrics import asked_of, get
from benchmark.metrics import names as metric_names
from benchmark.metrics.families import family
from benchmark.naming import FORESIGHT, LAYOUT, RELABEL, TRUE_LABEL, WRONG_LABEL
from benchmark.stress import measures
from leaderboard.board_files import Board
from leaderboard.entries import ResultRecord
from tasks.errors import InputError

FOLDER = "added"
"""Where the files of single columns are."""

MEASURED = (RELABEL, LAYOUT, TRUE_LABEL, WRONG_LABEL)
"""Conditions whose predictions are compared with those on the session as it was seen."""

PREFIX = "stress_"
STRESS_COLUMNS = tuple(PREFIX + name for name in (*measures.FOLLOWING, measures.OFFERED))
"""Columns that say what a prediction under a condition followed; NaN where they do not apply."""

KEYS = ("condition", "seed", "session_id")
"""What identifies a row of scores."""


def columns(record: ResultRecord, stored: Iterable[str]) -> tuple[str, ...]:
    """Return the columns that this version of the suite computes for a result.

    Those of a family that stays apart only where one of them is stored: whether a result has its part is known from
    the first scores on.
    """
    measured = set(record.conditions) & set(MEASURED)
    families = {get(name).family for name in stored if name in metric_names()}
    parts = {part for name in families for part in family(name).parts if family(name).apart}
    more = (*(STRESS_COLUMNS if measured else ()), *((FORESIGHT,) if record.kind == "submission" else ()))
    return (*(metric.name for metric in asked_of(parts)), *more)


def column_file(result: str, column: str) -> str:
    """Return the name of the file of one column: the SHA-256 of the result's identity and the column's name."""
    return hashlib.sha256(f"{result} {column}".encode()).hexdigest()


def read(board: Board, result: str, record: ResultRecord) -> pa.Table:
    """Return the stored scores of a result, with the columns that were added later.

    InputError if the scores are missing, or a file is damaged.
    """
    path = board.path("scores", result)
    if not path.exists():
        raise InputError(f"{path} is missing; run 'leaderboard rescore', or restore the file.")
    table = board.table("scores", result)
    for column in columns(record, table.column_names):
        name = column_file(result, column)
        if column not in table.column_names and board.path(FOLDER, name).exists():
            table = _with_column(table, board.table(FOLDER, name), column, str(board.path(FOLDER, name)))
    return table


def put(board: Board, result: str, record: ResultRecord, scores: pd.DataFrame) -> list[str]:
    """Store what a board does not hold yet of a result's scores, and return the names of the columns that were added.

    InputError if the scores have other rows than those that are stored.
    """
    if not board.path("scores", result).exists():
        board.put_table("scores", result, scores_table(scores))
        return list(columns(record, scores.columns))
    stored = read(board, result, record)
    ordered = scores.sort_values(list(KEYS), ignore_index=True)
    missing = [column for column in columns(record, stored.column_names) if column not in stored.column_names]
    for column in missing:
        extra = scores_table(ordered[[*KEYS, column]])
        _with_column(stored, extra, column, f"the scores of result {result[:12]}")
        board.put_table(FOLDER, column_file(result, column), extra)
    return missing


def _with_column(table: pa.Table, extra: pa.Table, column: str, where: str) -> pa.Table:
    """Return scores with one more column, whose rows may be in another order."""
    try:
        place = {key: i for i, key in enumerate(_keys(extra))}
        order = [place[key] for key in _keys(table)]
        if len(order) != len(extra):
            raise KeyError(column)
        return table.append_column(column, extra[column].take(order))
    except KeyError:
        raise InputError(f"{where}: its rows are not those of the scores; delete the file and run 'rescore'.") from None


def _keys(table: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(table[key].to_pylist() for key in KEYS), strict=True))


def scores_table(scores: pd.DataFrame) -> pa.Table:
    """Return scores as they are stored."""
    return pa.Table.from_pandas(scores, preserve_index=False).replace_schema_metadata(None)
