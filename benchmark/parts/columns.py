"""Parts as columns of an Arrow table, and back."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from benchmark.parts.part import Part
from benchmark.parts.ragged import UNEVEN, Bools, Floats, Ints, Ragged


def column_type(part: Part) -> pa.DataType:
    """Return the Arrow type of a part's column."""
    if part.depth == 0:
        return pa.int64()
    kind = pa.list_(pa.float64())
    return kind if part.depth == 1 else pa.list_(kind)


def fits(part: Part, kind: pa.DataType) -> bool:
    """Return whether a column of an Arrow type can be read as the part; tools write lists and numbers in many types."""
    if t.is_null(kind):
        return True
    for _ in range(part.depth):
        if not (t.is_list(kind) or t.is_large_list(kind) or t.is_fixed_size_list(kind)):
            return bool(t.is_null(kind))
        kind = kind.value_type
    return bool(t.is_float32(kind) or t.is_float64(kind) or t.is_integer(kind) or t.is_null(kind))


def to_column(part: Part, cells: Ragged) -> pa.Array:
    """Return cells as a column; those of depth 0 must be whole numbers."""
    blank = ~cells.present
    if part.depth == 0:
        whole = np.zeros(len(cells), dtype=np.int64)
        whole[cells.present] = cells.values[cells.starts[:-1][cells.present]].astype(np.int64)
        return pa.array(whole, mask=blank)
    inner = pa.array(cells.values)
    if part.depth == 1:
        return pa.ListArray.from_arrays(cells.starts.astype(np.int32), inner, mask=pa.array(blank))
    lists = np.where(cells.lengths > 0, cells.lists, 0)
    within = np.repeat(cells.widths, lists)
    ends = np.concatenate([[0], np.cumsum(within)]).astype(np.int32)
    outer = np.concatenate([[0], np.cumsum(lists)]).astype(np.int32)
    return pa.ListArray.from_arrays(outer, pa.ListArray.from_arrays(ends, inner), mask=pa.array(blank))


def from_column(part: Part, column: Any) -> Ragged:
    """Return a column whose type ``fits`` as cells; a blank number is NaN, and a blank cell of depth 0 is not there."""
    count = len(column)
    if pa.types.is_null(column.type):
        blank = np.zeros(count, dtype=bool)
        return Ragged(np.zeros(0), np.zeros(count + 1, dtype=np.int64), blank, np.ones(count, dtype=np.int64))
    if part.depth == 0:
        values = floats(column)
        return Ragged(values, np.arange(count + 1), ~np.isnan(values), np.ones(count, dtype=np.int64))
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    kept = [_lists(chunk, part.depth) for chunk in chunks if len(chunk)]
    if not kept:
        return Ragged(np.zeros(0), np.zeros(1, dtype=np.int64), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.int64))
    # One chunk is the usual case and needs no copy.
    values, lengths, present, lists = kept[0] if len(kept) == 1 else map(np.concatenate, zip(*kept, strict=True))
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), present, lists)


def _lists(chunk: Any, depth: int) -> tuple[Floats, Ints, Bools, Ints]:
    """Return the numbers of an array of lists, how many each row has, whether it has any, and in how many lists."""
    present = chunk.is_valid().to_numpy(zero_copy_only=False)
    lengths = _lengths(chunk, present)
    lists = np.ones(len(chunk), dtype=np.int64)
    flat = chunk.flatten()
    if depth == 1 or not len(flat):
        return floats(flat), lengths, present, lists
    inner = _lengths(flat, flat.is_valid().to_numpy(zero_copy_only=False))
    filled = lengths > 0
    first = np.concatenate([[0], np.cumsum(lengths)])[:-1][filled]
    even = np.minimum.reduceat(inner, first) == np.maximum.reduceat(inner, first)
    numbers = lengths.copy()
    numbers[filled] = np.add.reduceat(inner, first)
    lists[filled] = np.where(even, lengths[filled], UNEVEN)
    return floats(flat.flatten()), numbers, present, lists


def _lengths(chunk: Any, present: Bools) -> Ints:
    sizes = pc.list_value_length(chunk).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(present, np.nan_to_num(sizes), 0).astype(np.int64)


def floats(column: Any) -> Floats:
    """Return a column of numbers as float64, NaN where blank."""
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    values: Floats = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return np.asarray(values, dtype=np.float64)
