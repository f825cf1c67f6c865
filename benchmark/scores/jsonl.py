"""JSON lines as predictions, one bounded line at a time.

Lines end with a line feed and with nothing else; a byte order mark at the start of the file is skipped.
"""

from __future__ import annotations

import json
import math
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark.files.limits import TableLimits
from benchmark.files.printable import shown
from benchmark.parts import PARTS, part_names
from benchmark.parts.checking import Fault, whole
from benchmark.parts.part import Part
from benchmark.parts.ragged import UNEVEN, Ragged
from benchmark.scores.raw import PANDAS_INDEX, TOO_MANY, RawPredictions, Unreadable, unknown_column

_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character, which no text may hold alone."""
_WORDED = 8
"""Faults of a kind whose words are kept; nobody shows more."""

_CELLS = (
    "Give the number of a slot, from 0.",
    "Give a list with one number per slot.",
    "Give a list of lists of numbers.",
)
"""Depth of a part -> what to give."""


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
    """Yield the lines of a file, one at a time."""
    start = len(_BOM) if data.startswith(_BOM) else 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = end + 1


@dataclass(slots=True)
class _Notes:
    """What is wrong with some lines, by kind: the rows, and the words of the first of them."""

    rows: list[int] = field(default_factory=list)
    words: dict[int, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class _Cells:
    """The cells of one part, as far as they were read."""

    part: Part
    values: array[float] = field(default_factory=lambda: array("d"))
    ends: array[int] = field(default_factory=lambda: array("q", [0]))
    lists: array[int] = field(default_factory=lambda: array("q"))
    present: bytearray = field(default_factory=bytearray)

    def add(self, value: Any, limits: TableLimits) -> None:
        """Take in a cell.

        Raises:
            _Refused: It is no such cell; a blank one has been taken in its place.
        """
        lists, there = 1, 0
        try:
            if self.part.depth == 0:
                there = int(self._number(value))
            elif value is not None:
                nested = [value] if self.part.depth == 1 else _list(value, limits)
                for numbers in nested:
                    self._extend(_list(numbers, limits))
                there = 1
                lists = len(nested) if len({len(numbers) for numbers in nested}) < 2 else UNEVEN
        finally:
            if not there:
                del self.values[self.ends[-1] :]
            self.ends.append(len(self.values))
            self.lists.append(lists if there else 1)
            self.present.append(there)

    def _number(self, value: Any) -> bool:
        """Take in one number; return whether there is one."""
        if value is None:
            return False
        self._extend([value], "is")
        return not math.isnan(self.values[-1])

    def _extend(self, numbers: list[Any], verb: str = "holds") -> None:
        """Take in numbers; a blank one is NaN."""
        if not set(map(type, numbers)) <= {float, int}:
            for item in numbers:
                if item is not None and type(item) not in (float, int):
                    raise _Refused(f"{verb} {_kind(item)}, which is not a number.")
            numbers = [math.nan if item is None else item for item in numbers]
        try:
            self.values.extend(numbers)
        except OverflowError as error:
            raise _Refused("is too large." if verb == "is" else "holds a number too large for a float.") from error

    def found(self) -> Ragged:
        """Return the cells."""
        return Ragged(
            np.frombuffer(self.values, dtype=np.float64) if self.values else np.zeros(0),
            np.frombuffer(self.ends, dtype=np.int64),
            np.frombuffer(self.present, dtype=bool) if self.present else np.zeros(0, dtype=bool),
            np.frombuffer(self.lists, dtype=np.int64) if self.lists else np.zeros(0, dtype=np.int64),
        )


class _Rows:
    """The rows read so far.

    Args:
        columns: Which of the key columns a line may have.
        limits: How large the file may be.
    """

    def __init__(self, columns: Sequence[str], limits: TableLimits) -> None:
        self._known = (*columns, *part_names())
        self._fields = frozenset(self._known)
        self._limits = limits
        self._numbers = array("q")
        self._broken = bytearray()
        self._keys: dict[str, list[Any]] = {column: [] for column in columns}
        self._cells = [_Cells(part) for part in PARTS]
        self._notes: dict[str, _Notes] = defaultdict(_Notes)

    def add(self, number: int, line: bytes) -> None:
        """Take in a line; what is wrong with it is noted.

        Raises:
            Unreadable: The file has more rows or numbers than allowed.
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
        if not self._fields.issuperset(record):
            for name in record:
                if name not in self._fields and not PANDAS_INDEX.fullmatch(name):
                    self._note("schema", *unknown_column("field", shown(name, 40), self._known), broken=False)
        for column, values in self._keys.items():
            values.append(self._key(column, record.get(column)))
        for cells in self._cells:
            part = cells.part
            try:
                cells.add(record.get(part.name), limits)
            except _Refused as error:
                self._note("answer" if part.depth == 0 else "numbers", f"{part.name} {error}", _CELLS[part.depth])
            if len(cells.values) > limits.numbers:
                raise Unreadable(whole("size", f"{part.name} has more than {limits.numbers:,} numbers.", TOO_MANY))

    def _key(self, column: str, value: Any) -> Any:
        """Return a value of a key column, None if there is none."""
        if column == "seed":
            if value is None or (type(value) is int and abs(value) < 2**63):
                return value or 0
            self._note("schema", "seed is not a whole number.", "Give the seed of the run.")
            return 0
        if isinstance(value, str) and 0 < len(value) <= self._limits.id_characters and not _SURROGATE.search(value):
            return value
        if value is not None and column != "session_id":
            self._note("schema", f"{column} is not text.", f"Give the {column} as a text.")
        return None

    def _note(self, kind: str, what: str, mend: str, *, broken: bool = True) -> None:
        row = len(self._numbers) - 1
        notes = self._notes[kind]
        notes.rows.append(row)
        if len(notes.words) < _WORDED:
            notes.words.setdefault(row, (what, mend))
        self._broken[-1] = self._broken[-1] or broken

    def found(self) -> RawPredictions:
        """Return the rows."""
        import pyarrow as pa

        kinds = {"seed": pa.int64()}
        return RawPredictions(
            numbers=np.array(self._numbers, dtype=np.int64),
            keys={name: pa.array(values, kinds.get(name, pa.string())) for name, values in self._keys.items()},
            cells={cells.part.name: cells.found() for cells in self._cells},
            broken=np.array(self._broken, dtype=bool),
            faults=[Fault(kind, np.array(notes.rows), _words(notes)) for kind, notes in self._notes.items()],
        )


def _words(notes: _Notes) -> Callable[[int], tuple[str, str]]:
    return lambda row: notes.words[row]


def _record(line: bytes, limits: TableLimits) -> dict[str, Any]:
    """Return the object of one line."""
    if len(line) > limits.line_bytes:
        raise _Refused(f"the line has {len(line):,} bytes; {limits.line_bytes:,} are allowed.")
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_pairs)
    except UnicodeDecodeError as error:
        raise _Refused("the line is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise _Refused(f"the line is not JSON: {shown(error)}.") from error
    if not isinstance(value, dict):
        raise _Refused("the line is not a JSON object.")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's fields; one that is there twice would be read differently by different tools."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a field is in the line twice.")
    return found


def _list(value: Any, limits: TableLimits) -> list[Any]:
    if not isinstance(value, list):
        raise _Refused(f"is {_kind(value)}, not a list.")
    if len(value) > limits.slots:
        raise _Refused(f"has {len(value):,} numbers; {limits.slots:,} are allowed.")
    return value


def _kind(value: object) -> str:
    """Return what a JSON value is, in words."""
    if isinstance(value, str):
        return f"the text '{shown(value, 40)}'"
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
