"""JSON lines as predictions, one bounded line at a time.

Lines end with a line feed and with nothing else; a byte order mark at the start of the file is skipped.
"""

from __future__ import annotations

import io
import json
import math
import re
from array import array
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from benchmark.files.limits import TableLimits
from benchmark.files.printable import shown
from benchmark.parts import PARTS, part_names
from benchmark.parts.checking import Fault, whole
from benchmark.parts.ragged import UNEVEN, Ragged
from benchmark.scores.raw import PANDAS_INDEX, TOO_MANY, RawPredictions, Unreadable, unknown_column

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character, which no text may hold alone."""

_CELLS = (
    ("answer", "Give the number of a slot, from 0."),
    ("numbers", "Give a list with one number per slot."),
    ("numbers", "Give a list of lists of numbers."),
)
"""Depth of a part -> the kind of a cell that cannot be read, and what to give."""


class _Refused(Exception):
    """A value that cannot be read: what is wrong."""


def read(data: bytes, columns: Sequence[str], limits: TableLimits) -> RawPredictions:
    """Return the rows of a JSON-lines file; see ``reading.read``.

    A line or a cell that cannot be read is among the faults and marks its row ``broken``.
    """
    rows = _Rows(columns, limits)
    for number, line in enumerate(_lines(data), start=1):
        if line.strip():
            rows.add(number, line)
    return rows.found()


def _lines(data: bytes) -> Iterator[bytes]:
    file = io.BytesIO(data)
    file.seek(len(_BOM) if data.startswith(_BOM) else 0)
    return (line.removesuffix(b"\n") for line in file)


class _Cells:
    """The cells of one part that were read so far."""

    def __init__(self) -> None:
        self.values, self.ends, self.lists, self.present = array("d"), array("q", [0]), array("q"), bytearray()

    def add(self, numbers: array[float] | None, lists: int = 1) -> None:
        if numbers is not None:
            self.values.extend(numbers)
        self.ends.append(len(self.values))
        self.lists.append(lists)
        self.present.append(numbers is not None)

    def found(self) -> Ragged:
        values, ends, lists = np.array(self.values), np.array(self.ends), np.array(self.lists, dtype=np.int64)
        return Ragged(values, ends, np.array(self.present, dtype=bool), lists)


class _Rows:
    """The rows read so far; ``columns`` are the key columns that a line may have."""

    def __init__(self, columns: Sequence[str], limits: TableLimits) -> None:
        self._known = (*columns, *part_names())
        self._fields = frozenset(self._known)
        self._limits = limits
        self._numbers, self._broken = array("q"), bytearray()
        self._keys: dict[str, list[Any]] = {column: [] for column in columns}
        self._cells = {part.name: _Cells() for part in PARTS}
        self._notes: dict[str, dict[int, tuple[str, str]]] = defaultdict(dict)

    def add(self, number: int, line: bytes) -> None:
        """Take in a line; what is wrong with it is noted.

        Unreadable if the file has more rows or numbers than allowed.
        """
        limits = self._limits
        if len(self._numbers) >= limits.rows:
            raise Unreadable(whole("size", f"it has more than {limits.rows:,} rows.", TOO_MANY))
        self._numbers.append(number)
        self._broken.append(False)
        record: dict[str, Any] = {}
        try:
            record = _record(line, limits)
        except _Refused as error:
            self._note("schema", str(error), "Give a JSON object per line.")
        for name in record.keys() - self._fields:
            if not PANDAS_INDEX.fullmatch(name):
                self._note("schema", *unknown_column("field", shown(name, 40), self._known), broken=False)
        for column, values in self._keys.items():
            values.append(self._key(column, record.get(column)))
        for part in PARTS:
            cells = self._cells[part.name]
            try:
                cells.add(*_cell(record.get(part.name), part.depth, limits))
            except _Refused as error:
                cells.add(None)
                kind, remedy = _CELLS[part.depth]
                self._note(kind, f"{part.name} {error}", remedy)
            if len(cells.values) > limits.numbers:
                raise Unreadable(whole("size", f"{part.name} has more than {limits.numbers:,} numbers.", TOO_MANY))

    def _key(self, column: str, value: Any) -> Any:
        """Return a value of a key column, None if there is none."""
        if column == "seed":
            if value is None or (type(value) is int and abs(value) < 2**63):
                return value
            self._note("schema", "seed is not a whole number.", "Give the seed of the run.")
        elif isinstance(value, str) and 0 < len(value) <= self._limits.id_characters and not _SURROGATE.search(value):
            return value
        elif value is not None and column != "session_id":
            self._note("schema", f"{column} is not text.", f"Give the {column} as a text.")
        return None

    def _note(self, kind: str, what: str, remedy: str, *, broken: bool = True) -> None:
        self._notes[kind].setdefault(len(self._numbers) - 1, (what, remedy))
        self._broken[-1] = self._broken[-1] or broken

    def found(self) -> RawPredictions:
        kinds = {"seed": pa.int64()}
        return RawPredictions(
            numbers=np.array(self._numbers, dtype=np.int64),
            keys={name: pa.array(values, kinds.get(name, pa.string())) for name, values in self._keys.items()},
            cells={name: cells.found() for name, cells in self._cells.items()},
            broken=np.array(self._broken, dtype=bool),
            faults=[Fault(kind, np.array(list(rows)), rows.__getitem__) for kind, rows in self._notes.items()],
        )


def _record(line: bytes, limits: TableLimits) -> dict[str, Any]:
    if len(line) > limits.line_bytes:
        raise _Refused(f"the line has {len(line):,} bytes; {limits.line_bytes:,} are allowed.")
    plain = _plain(line)
    if plain is not None:
        return plain
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_pairs)
    except UnicodeDecodeError as error:
        raise _Refused("the line is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise _Refused(f"the line is not JSON: {shown(error)}.") from error
    if not isinstance(value, dict):
        raise _Refused("the line is not a JSON object.")
    return value


def _plain(line: bytes) -> dict[str, Any] | None:
    """Return the object of a line read by a faster library, None if there may be anything odd about it.

    That library takes the last of two fields of one name. Where nothing is escaped and no object is nested, every text
    is a field's name or its value, so that quotes tell how many fields there are.
    """
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None
    if type(value) is not dict or b"\\" in line:
        return None
    texts = sum(type(each) is str for each in value.values())
    return value if line.count(b'"') == 2 * (len(value) + texts) else None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's fields; one that is there twice would be read differently by different tools."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a field is in the line twice.")
    return found


def _cell(value: Any, depth: int, limits: TableLimits) -> tuple[array[float] | None, int]:
    """Return the numbers of a cell, NaN where one is blank, and in how many lists they are; None for no cell."""
    if value is None:
        return None, 1
    if depth == 0:
        number = _numbers([value], "is")
        return (None if math.isnan(number[0]) else number), 1
    lists = [_numbers(_list(each, limits)) for each in ([value] if depth == 1 else _list(value, limits))]
    even = len({len(each) for each in lists}) < 2
    return sum(lists[1:], lists[0]) if lists else array("d"), len(lists) if even else UNEVEN


def _list(value: Any, limits: TableLimits) -> list[Any]:
    if not isinstance(value, list):
        raise _Refused(f"is {_kind(value)}, not a list.")
    if len(value) > limits.slots:
        raise _Refused(f"has {len(value):,} numbers; {limits.slots:,} are allowed.")
    return value


def _numbers(values: list[Any], verb: str = "holds") -> array[float]:
    if not set(map(type, values)) <= {float, int}:
        for item in values:
            if item is not None and type(item) not in (float, int):
                raise _Refused(f"{verb} {_kind(item)}, which is not a number.")
        values = [math.nan if item is None else item for item in values]
    try:
        return array("d", values)
    except OverflowError as error:
        raise _Refused(f"{verb} a number too large for a float.") from error


def _kind(value: object) -> str:
    """Return what a JSON value is, in words."""
    if isinstance(value, str):
        return f"the text '{shown(value, 40)}'"
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
