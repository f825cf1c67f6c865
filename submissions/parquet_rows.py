"""Parquet bytes, after ``parquet_gate`` has let them pass, as rows."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np

from submissions import parquet_gate
from submissions.format import COLUMNS
from submissions.limits import Limits
from submissions.problems import Findings, shown
from submissions.rows import Floats, Ragged, Rows
from tasks.errors import InputError

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas adds when rows were left out of a table; it says nothing."""


def read(data: bytes, name: str, found: Findings) -> Rows | None:
    """Return the rows of a parquet file, or None after noting why it cannot be read.

    Args:
        data: The whole file.
        name: Its path inside the submission.
        found: Where problems go; its limits hold.
    """
    try:
        table = _table(data, name, found)
        return None if table is None else _rows(table, name, found)
    except InputError as error:
        found.error("file", name, None, str(error), "")
        return None


def _table(data: bytes, name: str, found: Findings) -> Any:
    """Return the columns of the format as an Arrow table, or None after noting what is wrong with the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    limits = found.limits
    flat = parquet_gate.check(data, limits)
    try:
        file = pq.ParquetFile(
            io.BytesIO(data),
            # Kept as a dictionary, a long text costs its length once and not once per row.
            read_dictionary=["session_id"] if b"session_id" in flat else [],
            thrift_string_size_limit=limits.footer_bytes,
            thrift_container_size_limit=limits.row_groups * 16,
            pre_buffer=False,
            arrow_extensions_enabled=False,
        )
        if not _columns_fit(file.schema_arrow, name, found):
            return None
        kept = [column for column in file.schema_arrow.names if column in COLUMNS]
        return file.read(columns=kept, use_threads=False, use_pandas_metadata=False)
    except (pa.ArrowException, OSError, MemoryError, ValueError, NotImplementedError) as error:
        reason = shown((str(error).splitlines() or [type(error).__name__])[0])
        raise InputError(f"it is no readable parquet file: {reason}. Write it anew with pandas or pyarrow.") from error


def _columns_fit(schema: Any, name: str, found: Findings) -> bool:
    """Note columns that are missing, unknown, there twice or of another type; return whether there are none."""
    before = len(found.listed())
    names = list(schema.names)
    for column in dict.fromkeys(names):
        if _PANDAS_INDEX.fullmatch(column):
            continue
        if column not in COLUMNS:
            what = f"the column '{shown(column, 40)}' is not of the format."
            found.error("schema", name, None, what, f"Keep only {', '.join(COLUMNS)}.")
        elif names.count(column) > 1:
            found.error("schema", name, None, f"the column '{column}' stands twice.", "Keep one of the two.")
        elif not _fits(column, schema.field(column).type):
            expected = {"session_id": "text", "answer": "whole numbers"}.get(column, "lists of numbers")
            what = f"the column '{column}' is of type {shown(schema.field(column).type, 60)}."
            found.error("schema", name, None, what, f"Store {expected}.")
    if "session_id" not in names:
        found.error("schema", name, None, "there is no column 'session_id'.", "Add it: one row per test session.")
    return len(found.listed()) == before


def _fits(column: str, kind: Any) -> bool:
    """Return whether a column of the format may be of an Arrow type."""
    import pyarrow.types as t

    if column == "session_id":
        kind = kind.value_type if t.is_dictionary(kind) else kind
        return bool(t.is_string(kind) or t.is_large_string(kind))
    if column == "answer":
        return bool(t.is_integer(kind) or t.is_float32(kind) or t.is_float64(kind) or t.is_null(kind))
    if t.is_null(kind):
        return True
    if not (t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)):
        return False
    inner = kind.value_type
    return bool(t.is_float32(inner) or t.is_float64(inner) or t.is_integer(inner) or t.is_null(inner))


def _rows(table: Any, name: str, found: Findings) -> Rows:
    count = table.num_rows
    numbers = np.arange(1, count + 1, dtype=np.int64)
    parts = {}
    for part in ("attention", "probabilities"):
        if part in table.column_names:
            parts[part] = _ragged(table[part], count)
    answer = _floats(table["answer"]) if "answer" in table.column_names else None
    session_ids = _session_ids(table["session_id"], name, found)
    broken = np.zeros(count, dtype=bool)
    return Rows(numbers, session_ids, parts, answer, broken)


def _session_ids(column: Any, name: str, found: Findings) -> list[str | None]:
    """Return the column as texts; a row without a readable one is noted."""
    ids: list[str | None] = []
    for chunk in column.chunks:
        chunk = chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()
        texts = _texts(chunk.dictionary, found.limits)
        for index in chunk.indices.to_pylist():
            text = None if index is None else texts[index]
            ids.append(text)
            if text is None:
                what = "session_id is blank, not UTF-8 or too long."
                found.error("coverage", name, len(ids), what, "Give the id as the task has it.")
    return ids


def _texts(dictionary: Any, limits: Limits) -> list[str | None]:
    """Return the distinct texts of a chunk, None for one that is too long or not UTF-8."""
    import pyarrow as pa

    found: list[str | None] = []
    for value in dictionary.cast(pa.large_binary() if pa.types.is_large_string(dictionary.type) else pa.binary()):
        raw = value.as_buffer()
        if raw is None or raw.size > 4 * limits.id_characters:
            found.append(None)
            continue
        try:
            text = raw.to_pybytes().decode("utf-8")
        except UnicodeDecodeError:
            found.append(None)
            continue
        found.append(text if 0 < len(text) <= limits.id_characters else None)
    return found


def _ragged(column: Any, count: int) -> Ragged:
    """Return a column of lists as arrays."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(column.type):
        return Ragged(np.zeros(0), np.zeros(count + 1, dtype=np.int64), np.zeros(count, dtype=bool))
    values, lengths, present = [np.zeros(0)], [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=bool)]
    for chunk in column.chunks:
        sizes = pc.list_value_length(chunk).to_numpy(zero_copy_only=False).astype(np.float64)
        valid = chunk.is_valid().to_numpy(zero_copy_only=False)
        lengths.append(np.where(valid, np.nan_to_num(sizes), 0).astype(np.int64))
        present.append(valid)
        values.append(_floats(chunk.flatten()))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
    return Ragged(np.concatenate(values), starts, np.concatenate(present))


def _floats(column: Any) -> Floats:
    """Return a column of numbers as float64, NaN where blank."""
    import pyarrow as pa

    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    values: Floats = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return np.asarray(values, dtype=np.float64)
