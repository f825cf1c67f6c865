"""Reads files of predictions, parquet or JSON lines: the one place, whoever they come from.

Every file is treated as hostile: nothing in it is run, and every limit is checked before what it bounds is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.files.limits import OWN, TableLimits
from benchmark.scores import jsonl, parquet, predictions
from benchmark.scores.predictions import KEYS
from benchmark.scores.raw import RawPredictions, Unreadable
from tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".parquet", ".jsonl")


def read(data: bytes, suffix: str, columns: Sequence[str] = KEYS, limits: TableLimits = OWN) -> RawPredictions:
    """Return the rows of a whole predictions file, ``.parquet`` or ``.jsonl`` by its ``suffix``.

    ``columns`` are those of ``KEYS`` that it may have; ``session_id`` it must have. Seed is 0 and target ``none`` where
    they are blank. Unreadable if it is neither, or larger than allowed, or has columns that predictions do not have.
    """
    found = (parquet.read if suffix == ".parquet" else jsonl.read)(data, columns, limits)
    blank = {"seed": 0, "target": "none"}
    keys = {name: pc.fill_null(values, blank[name]) if name in blank else values for name, values in found.keys.items()}
    return replace(found, keys=keys)


def read_file(path: Path) -> RawPredictions:
    """Return the rows of a predictions file of one's own; a blank simulator is named after the file.

    InputError if there is none, or it cannot be read; the file is named.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: a predictions file ends in .parquet or .jsonl.")
    if not path.is_file():
        raise InputError(f"there is no predictions file {path}.")
    try:
        found = read(path.read_bytes(), path.suffix)
    except (OSError, Unreadable) as error:
        raise InputError(f"{path.name}: {error}") from error
    return _named(found, path.stem)


def read_frame(frame: pd.DataFrame) -> RawPredictions:
    """Return the rows of a table with the columns of a predictions file; a blank simulator is ``predictions``."""
    data = pa.BufferOutputStream()
    try:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), data)
        found = read(data.getvalue().to_pybytes(), ".parquet")
    except (pa.ArrowException, Unreadable) as error:
        raise InputError(f"the table of predictions: {str(error).splitlines()[0]}") from error
    return _named(found, "predictions")


def _named(found: RawPredictions, name: str) -> RawPredictions:
    """Return predictions in which a blank simulator has a name."""
    return replace(found, keys={**found.keys, "simulator": pc.fill_null(found.keys["simulator"], name)})


def stored(path: Path) -> pa.Table:
    """Return predictions that the suite has written, which were checked then.

    InputError if the file is missing or damaged; the message is the reason alone.
    """
    try:
        data = path.read_bytes()
        found = read(data, ".parquet")
        lacking = set(predictions.first_columns()) - set(pq.read_schema(pa.BufferReader(data)).names)
    except OSError as error:
        raise InputError(error.strerror or str(error)) from error
    if lacking:
        raise InputError(f"it has no column '{min(lacking)}'")
    for fault in found.faults:
        raise InputError(" ".join(fault.words(int(fault.rows[0]))))
    return predictions.table(found.keys, found.cells)


def about(path: Path) -> dict[str, str]:
    """Return what a parquet file says of its own data (key-value metadata); empty if it says nothing.

    InputError if it is missing or damaged; the message is the reason alone.
    """
    try:
        return {k.decode(): v.decode() for k, v in (pq.read_schema(path).metadata or {}).items()}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError((str(error).splitlines() or [type(error).__name__])[0]) from error
