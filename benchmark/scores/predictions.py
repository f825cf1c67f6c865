"""Predictions as an Arrow table, one row per simulator, seed and session: how they travel and are stored."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.naming import STATED, labelled
from benchmark.parts import PARTS
from benchmark.parts.checking import claimed
from benchmark.parts.columns import column_type, from_column, to_column
from benchmark.parts.part import Part
from benchmark.parts.ragged import Floats, Ragged, ragged
from benchmark.scores.raw import RawPredictions
from benchmark.simulator import Prediction
from tasks.errors import InputError

KEYS = ("simulator", "seed", "session_id", "target")
"""The columns that say whose prediction a row is, and what its attention was computed for."""

TARGETS = ("none", "free", "label")


def schema() -> pa.Schema:
    """Return the columns of a table of predictions."""

    def columns(later: bool) -> list[tuple[str, pa.DataType]]:
        return [(part.name, column_type(part)) for part in PARTS if part.later is later]

    whose = [("simulator", pa.string()), ("seed", pa.int64()), ("session_id", pa.string())]
    return pa.schema([*whose, *columns(False), ("target", pa.string()), *columns(True)])


def first_columns() -> list[str]:
    """Return the columns that every stored table of predictions has had from the first version on."""
    return [*KEYS, *(part.name for part in PARTS if not part.later)]


def table(keys: Mapping[str, Any], cells: Mapping[str, Ragged]) -> pa.Table:
    """Return predictions as a table.

    ``keys`` are the columns other than parts, one value standing for all rows, and ``cells`` part -> its cells; a part
    that is not named is blank.
    """
    rows = len(next(iter(cells.values())))
    columns = {}
    for field in schema():
        if field.name in cells:
            part = next(part for part in PARTS if part.name == field.name)
            columns[field.name] = to_column(part, cells[field.name])
        elif field.name in keys:
            given = keys[field.name]
            single = isinstance(given, str | int)
            columns[field.name] = pa.repeat(pa.scalar(given, field.type), rows) if single else given
        else:
            columns[field.name] = pa.nulls(rows, field.type)
    return pa.table(columns, schema=schema())


def of_rows(predictions: Iterable[Prediction], simulator: str, seed: int) -> pa.Table:
    """Return predictions whose parts are numbers as a table; nothing is checked."""
    rows = list(predictions)
    cells = {part.name: ragged(_array(getattr(row, part.name)) for row in rows) for part in PARTS}
    keys = {"session_id": [row.session_id for row in rows], "target": [row.target for row in rows]}
    return table({"simulator": simulator, "seed": seed, **keys}, cells)


def _array(value: Any) -> np.ndarray[Any, Any] | None:
    return None if value is None else np.atleast_1d(np.asarray(value, dtype=np.float64))


def cells_of(found: pa.Table) -> dict[str, Ragged]:
    """Return part -> its cells, every part; one that the table has no column of is blank."""
    blank = pa.nulls(len(found))
    names = set(found.column_names)
    return {part.name: from_column(part, found[part.name] if part.name in names else blank) for part in PARTS}


def raw(found: pa.Table) -> RawPredictions:
    """Return a table as predictions that are still to be checked."""
    keys = {name: found[name].combine_chunks() for name in KEYS}
    return RawPredictions(np.arange(1, len(found) + 1), keys, cells_of(found), np.zeros(len(found), dtype=bool), ())


def rows_of(found: pa.Table) -> Iterator[Prediction]:
    """Yield the predictions of a table, row by row."""
    cells = cells_of(found)
    targets = found["target"].to_pylist() if "target" in found.column_names else ["none"] * len(found)
    for row, (session_id, target) in enumerate(zip(found["session_id"].to_pylist(), targets, strict=True)):
        parts: dict[str, Any] = {part.name: cells[part.name].cell(row) for part in PARTS}
        for part in PARTS:
            if part.depth == 0 and parts[part.name] is not None:
                parts[part.name] = int(parts[part.name][0])
        yield Prediction(session_id, **parts, target=target)


def by_session(found: pa.Table) -> dict[tuple[int, str], Prediction]:
    """Return seed and session id -> prediction."""
    return {(seed, p.session_id): p for seed, p in zip(found["seed"].to_pylist(), rows_of(found), strict=True)}


def drawn(found: pa.Table) -> dict[str, dict[str, Floats]]:
    """Return session id -> name of the results row -> what is drawn of its predictions, the mean over seeds.

    InputError if seeds differ in how many numbers they have for a session.
    """
    part = next(part for part in PARTS if part.drawn is not None)
    assert part.drawn is not None
    cells = cells_of(found)[part.name]
    usable = cells.present & np.isfinite(cells.sums()) & ~part.blank(cells)
    several: dict[tuple[str, str], list[Floats]] = defaultdict(list)
    names = zip(*(found[name].to_pylist() for name in ("session_id", "simulator", "target")), strict=True)
    for row, (session_id, simulator, target) in enumerate(names):
        if usable[row]:
            several[session_id, labelled(simulator, target)].append(part.drawn(cells.row(row)))
    means: dict[str, dict[str, Floats]] = defaultdict(dict)
    for (session_id, name), each in several.items():
        if len({len(one) for one in each}) > 1:
            raise InputError(f"{part.name} of session '{session_id}' differs in length between seeds.")
        means[session_id][name] = np.stack(each).mean(axis=0)
    return dict(means)


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """Return tables of predictions as one."""
    return pa.concat_tables(tables).combine_chunks()


def chosen(found: pa.Table, **keys: str | int) -> pa.Table:
    """Return the rows whose columns have the values given, such as ``simulator="fixate", seed=1``."""
    for name, value in keys.items():
        found = found.filter(pc.equal(found[name], value))
    return found


def renamed(found: pa.Table, **keys: Any) -> pa.Table:
    """Return the table with other values in some columns of ``KEYS``, one per row or one for all."""
    for name, value in keys.items():
        field = found.schema.field(name)
        single = isinstance(value, str | int)
        column = pa.repeat(pa.scalar(value, field.type), len(found)) if single else pa.array(value, field.type)
        found = found.set_column(found.schema.get_field_index(name), field, column)
    return found


def without(found: pa.Table, parts: Sequence[str], rows: np.ndarray[Any, Any]) -> pa.Table:
    """Return the table with some parts blank in the rows flagged."""
    for name in parts:
        field = found.schema.field(name)
        kept = pc.if_else(pa.array(rows), pa.scalar(None, field.type), found[name])
        found = found.set_column(found.schema.get_field_index(name), field, kept)
    return found


def attention_apart(found: pa.Table, rows: np.ndarray[Any, Any]) -> tuple[pa.Table, pa.Table]:
    """Return a table without the attention of the rows flagged, and this attention alone, where there is any."""
    return _apart(found, rows, [part for part in PARTS if part.targeted])


def _apart(found: pa.Table, rows: np.ndarray[Any, Any], parts: Sequence[Part]) -> tuple[pa.Table, pa.Table]:
    """Return a table without some parts in the rows flagged, and these parts alone, where there are any."""
    taken = [part.name for part in parts if part.name in found.column_names]
    rest = [part.name for part in PARTS if part.name in found.column_names and part.name not in taken]
    alone = without(found, rest, np.ones(len(found), dtype=bool)).filter(rows)
    cells = cells_of(alone)
    there = np.logical_or.reduce([cells[name].present for name in taken])
    return without(found, taken, rows), alone.filter(there)


def with_stated_apart(found: pa.Table, simulators: Iterable[str]) -> pa.Table:
    """Return predictions with what some simulators stated themselves of where the eyes go, in rows named ``STATED``."""
    rows = np.isin(np.array(found["simulator"].to_pylist(), dtype=object), list(simulators))
    rest, alone = _apart(found, rows, [part for part in PARTS if part.stated])
    if not claimed(cells_of(rest.filter(rows))):
        rest = rest.filter(~rows)
    return joined([rest, renamed(alone, simulator=[name + STATED for name in alone["simulator"].to_pylist()])])


def write(found: pa.Table, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write a table of predictions as parquet, with ``about`` as key-value metadata; see ``stored_columns``."""
    write_table(stored_columns(found), path, about)


def stored_columns(found: pa.Table) -> pa.Table:
    """Return a table without the later parts that are blank throughout, as files without them have always been."""
    later = [part.name for part in PARTS if part.later and part.name in found.column_names]
    return found.drop_columns([name for name in later if found[name].null_count == len(found)])


def write_table(found: pa.Table, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write an Arrow table as parquet with key-value metadata instead of pandas' own."""
    pq.write_table(found.replace_schema_metadata(dict(about or {})), path, compression="zstd", write_page_checksum=True)
