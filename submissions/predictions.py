"""Predictions of a submission as tables: bounded, plain data, and checked where they are used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from submissions import jsonl_rows, parquet_rows
from submissions.folder import TooLarge, contents
from submissions.format import Entry, Submission
from submissions.limits import DEFAULT, Limits
from submissions.problems import Findings
from submissions.rows import Rows
from tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read_rows(entry: Entry, found: Findings) -> Rows | None:
    """Return the rows of a predictions file, or None after noting why it cannot be read.

    Args:
        entry: The file.
        found: Where problems go; its limits hold.
    """
    try:
        data = contents(entry.path, found.limits.file_bytes)
    except InputError as error:
        found.error("size" if isinstance(error, TooLarge) else "file", entry.name, None, str(error), "")
        return None
    read = parquet_rows.read if entry.path.suffix == ".parquet" else jsonl_rows.read
    return read(data, entry.name, found)


def load_predictions(entry: Entry, limits: Limits = DEFAULT) -> pa.Table:
    """Return one predictions file as a table, without holding it against a task.

    Size, rows and what the pages unpack to are checked before anything is decoded; no file makes this take a gigabyte.

    Args:
        entry: The file.
        limits: How large it may be.

    Returns:
        The columns ``session_id`` (text), ``attention`` and ``probabilities`` (lists of float64) and ``answer``
        (int64), in the order of the file; what the file does not have is blank.

    Raises:
        InputError: The file cannot be read, or a row of it cannot.
    """
    import pyarrow as pa

    found = Findings(limits)
    rows = read_rows(entry, found)
    if rows is not None and rows.answer is not None:
        for index in np.flatnonzero(rows.answer != np.floor(rows.answer)):
            if not np.isnan(rows.answer[index]):
                what = f"answer {rows.answer[index]:g} is no whole number."
                found.error("answer", entry.name, int(rows.numbers[index]), what, "Give the number of a slot, from 0.")
    found.require()
    assert rows is not None, "no rows and no error"
    columns = {"session_id": pa.array(rows.session_ids, pa.string())}
    for part in ("attention", "probabilities"):
        cells = rows.parts.get(part)
        blank = pa.nulls(len(rows), pa.list_(pa.float64()))
        columns[part] = blank if cells is None else _lists(cells.values, cells.starts, cells.present)
    if rows.answer is None:
        columns["answer"] = pa.nulls(len(rows), pa.int64())
    else:
        missing = np.isnan(rows.answer)
        # Beyond any slot, but never beyond a whole number: what is too large stays too large.
        whole = np.clip(np.where(missing, 0, rows.answer), -(2.0**53), 2.0**53).astype(np.int64)
        columns["answer"] = pa.array(whole, pa.int64(), mask=missing)
    return pa.table(columns)


def _lists(values: np.ndarray, starts: np.ndarray, present: np.ndarray) -> pa.Array:
    import pyarrow as pa

    offsets = pa.array(starts.astype(np.int32), mask=np.append(~present, False))
    return pa.ListArray.from_arrays(offsets, pa.array(values, pa.float64()))


def prediction_frame(submission: Submission, entries: Iterable[Entry], limits: Limits = DEFAULT) -> pd.DataFrame:
    """Return predictions files as one table that ``benchmark.scores.scoring.score`` takes.

    Args:
        submission: The submission.
        entries: Some of its files, of one task and split.
        limits: How large each may be.

    Returns:
        The columns of ``benchmark.scores.predictions.schema``; ``target`` is the submission's where there is attention.

    Raises:
        InputError: A file cannot be read. Whether it fits its task is what ``doctor`` tells.
    """
    import pandas as pd

    from benchmark.scores.predictions import schema

    tables = []
    for entry in entries:
        table = load_predictions(entry, limits)
        frame = pd.DataFrame(
            {
                "simulator": submission.name,
                "seed": entry.seed,
                "session_id": table["session_id"].to_pylist(),
                "attention": _arrays(table["attention"]),
                "probabilities": _arrays(table["probabilities"]),
                "answer": pd.array(table["answer"].to_pylist(), dtype="Int64"),
                "target": submission.target,
            }
        )
        tables.append(frame[schema().names])
    if not tables:
        raise InputError(f"{submission.folder} has no such predictions. Name a task and a split that it covers.")
    joined: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return joined


def _arrays(column: pa.ChunkedArray) -> list[np.ndarray | None]:
    """Return a column of lists as arrays; one whose sum is 0 is missing (PROTOCOL section 6)."""
    found: list[np.ndarray | None] = []
    for cell in column:
        values = None if not cell.is_valid else np.asarray(cell.values.to_numpy(zero_copy_only=False), dtype=np.float64)
        found.append(None if values is None or not values.any() else values)
    return found
