"""Parquet bytes, after ``benchmark.files.parquet_gate`` has let them pass, as predictions."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as t

from benchmark.files import parquet_gate
from benchmark.files.limits import TableLimits
from benchmark.files.printable import shown
from benchmark.parts import PARTS, part_names
from benchmark.parts.checking import Fault, whole
from benchmark.parts.columns import fits, from_column
from benchmark.parts.ragged import Bools
from benchmark.scores.raw import PANDAS_INDEX, RawPredictions, Unreadable, unknown_column
from tasks.errors import InputError

_HOLDS = ("whole numbers", "lists of numbers", "lists of lists of numbers")
"""Depth of a part -> what its column holds."""


def read(data: bytes, columns: Sequence[str], limits: TableLimits) -> RawPredictions:
    """Return the rows of a parquet file; see ``reading.read``."""
    try:
        flat = parquet_gate.check(data, limits)
        file = pq.ParquetFile(
            pa.BufferReader(data),
            # Kept as a dictionary, a long text costs its length once and not once per row.
            read_dictionary=[column for column in columns if column != "seed" and column.encode() in flat],
            thrift_string_size_limit=limits.footer_bytes,
            thrift_container_size_limit=limits.row_groups * 16,
            pre_buffer=False,
            page_checksum_verification=True,
            arrow_extensions_enabled=False,
        )
        wrong = list(_columns(file.schema_arrow, columns))
        if wrong:
            raise Unreadable(*wrong)
        known = (*columns, *part_names())
        kept = [column for column in file.schema_arrow.names if column in known]
        table = file.read(columns=kept, use_threads=False, use_pandas_metadata=False)
    except Unreadable:
        raise
    except InputError as error:
        raise Unreadable(whole("file", str(error), "")) from error
    except (pa.ArrowException, OSError, MemoryError, ValueError, NotImplementedError) as error:
        reason = shown((str(error).splitlines() or [type(error).__name__])[0])
        remedy = "Write it again with pandas or pyarrow."
        raise Unreadable(whole("file", f"it is not a readable parquet file: {reason}.", remedy)) from error
    keys, faults = {}, []
    broken = np.zeros(table.num_rows, dtype=bool)
    for column in columns:
        if column not in table.column_names:
            keys[column] = pa.nulls(table.num_rows, pa.int64() if column == "seed" else pa.string())
        elif column == "seed":
            keys[column] = table[column].cast(pa.int64()).combine_chunks()
        else:
            keys[column], unreadable = _texts(table[column], limits)
            if column != "session_id" and unreadable.any():
                words = (f"{column} is not UTF-8 or too long.", "Give a short text.")
                faults.append(Fault("schema", np.flatnonzero(unreadable), _always(words)))
                broken |= unreadable
    blank = pa.nulls(table.num_rows)
    cells = {p.name: from_column(p, table[p.name] if p.name in table.column_names else blank) for p in PARTS}
    return RawPredictions(np.arange(1, table.num_rows + 1), keys, cells, broken, faults)


def _always(words: tuple[str, str]) -> Callable[[int], tuple[str, str]]:
    return lambda row: words


def _columns(schema: Any, columns: Sequence[str]) -> Iterator[Fault]:
    """Yield the columns that are missing, unknown, there twice or of another type."""
    names, known = list(schema.names), (*columns, *part_names())
    for column in dict.fromkeys(names):
        if PANDAS_INDEX.fullmatch(column):
            continue
        if column not in known:
            yield whole("schema", *unknown_column("column", shown(column, 40), known))
        elif names.count(column) > 1:
            yield whole("schema", f"the column '{column}' is there twice.", "Keep one of the two.")
        elif not _fits(column, schema.field(column).type):
            depth = next((part.depth for part in PARTS if part.name == column), None)
            holds = _HOLDS[depth] if depth is not None else "whole numbers" if column == "seed" else "text"
            what = f"the column '{column}' is of type {shown(schema.field(column).type, 60)}."
            yield whole("schema", what, f"Store {holds}.")
    if "session_id" not in names:
        yield whole("schema", "there is no column 'session_id'.", "Add it: one row per test session.")


def _fits(column: str, kind: Any) -> bool:
    for part in PARTS:
        if part.name == column:
            return fits(part, kind)
    if column == "seed":
        return bool(t.is_integer(kind) or t.is_null(kind))
    kind = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(kind) or t.is_large_string(kind) or (t.is_null(kind) and column != "session_id"))


def _texts(column: Any, limits: TableLimits) -> tuple[Any, Bools]:
    """Return a column of texts, null where one is blank or cannot be read, and where it is there and cannot be read."""
    found = []
    for chunk in column.chunks if not pa.types.is_null(column.type) else ():
        chunk = chunk if hasattr(chunk, "indices") else chunk.dictionary_encode()
        kind = pa.large_binary() if pa.types.is_large_string(chunk.dictionary.type) else pa.binary()
        texts = pa.array([_text(value, limits) for value in chunk.dictionary.cast(kind)], pa.string())
        found.append(texts.take(chunk.indices))
    texts = pa.concat_arrays(found) if found else pa.nulls(len(column), pa.string())
    unreadable: Bools = texts.is_null().to_numpy(zero_copy_only=False) & pc.is_valid(column).to_numpy()
    return texts, unreadable


def _text(value: Any, limits: TableLimits) -> str | None:
    """Return a text, None if it is blank, too long or not UTF-8."""
    raw = value.as_buffer()
    if raw is None or raw.size > 4 * limits.id_characters:
        return None
    try:
        text: str = raw.to_pybytes().decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= limits.id_characters else None
