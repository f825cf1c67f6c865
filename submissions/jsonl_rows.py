"""JSON lines as rows, one bounded line at a time."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from submissions.format import COLUMNS
from submissions.limits import Limits
from submissions.problems import Findings, shown
from submissions.rows import Floats, Rows, ragged

T = TypeVar("T")


class _Refused(Exception):
    """A line that is no row: what is wrong, what to do."""


def read(data: bytes, name: str, found: Findings) -> Rows | None:
    """Return the rows of a JSON-lines file; a line that cannot be read is noted.

    Args:
        data: The whole file.
        name: Its path inside the submission.
        found: Where problems go; its limits hold.

    Returns:
        The rows, or None if the file as a whole is refused. A cell that cannot be read marks its row ``broken``.
    """
    table = _Table(name, found)
    for number, line in enumerate(_lines(data), start=1):
        if line.strip():
            table.add(number, line)
            if table.full:
                return None
    return table.rows()


@dataclass(slots=True)
class _Table:
    """The rows read so far.

    Attributes:
        name: The file, for the messages.
        found: Where problems go.
        full: There is more than the limits allow; it was noted.
    """

    name: str
    found: Findings
    full: bool = False
    _numbers: list[int] = field(default_factory=list)
    _ids: list[str | None] = field(default_factory=list)
    _cells: dict[str, list[Floats | None]] = field(default_factory=lambda: {"attention": [], "probabilities": []})
    _answers: list[float] = field(default_factory=list)
    _broken: list[bool] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)
    _count: int = 0

    def add(self, number: int, line: bytes) -> None:
        """Take in a line; what is wrong with it is noted."""
        limits = self.found.limits
        if len(self._numbers) >= limits.rows:
            what = f"it has more than {limits.rows:,} rows."
            self._too_much(what, "Give one row per test session.")
            return
        self._numbers.append(number)
        self._broken.append(False)
        record = self._tried("schema", "Give a JSON object per line.", "", lambda: _record(line, limits)) or {}
        for column in record:
            if column not in COLUMNS:
                what = f"the field '{shown(column, 40)}' is not of the format."
                self.found.error("schema", self.name, number, what, f"Keep only {', '.join(COLUMNS)}.")
        self._seen.update(record)
        self._ids.append(_session_id(record.get("session_id"), limits))
        if self._ids[-1] is None and not self._broken[-1]:
            what = "session_id is blank, no text or too long."
            self.found.error("coverage", self.name, number, what, "Give the id as the task has it.")
        for part, column_cells in self._cells.items():
            value = record.get(part)
            mend = "Give a list with one number per slot."
            column_cells.append(self._tried("numbers", mend, f"{part} ", functools.partial(_numbers, value, limits)))
            self._count += len(column_cells[-1]) if column_cells[-1] is not None else 0
        answer = self._tried(
            "answer", "Give the number of a slot, from 0.", "answer ", lambda: _answer(record.get("answer"))
        )
        self._answers.append(math.nan if answer is None else answer)
        if self._count > 2 * limits.numbers:
            self._too_much(f"it holds more than {2 * limits.numbers:,} numbers.", "Give one number per slot.")

    def _tried(self, kind: str, mend: str, subject: str, read: Callable[[], T]) -> T | None:
        """Return what ``read`` returns; if it is refused, note that and mark the row broken."""
        try:
            return read()
        except _Refused as error:
            self.found.error(kind, self.name, self._numbers[-1], f"{subject}{error}", mend)
            self._broken[-1] = True
            return None

    def _too_much(self, what: str, mend: str) -> None:
        self.found.error("size", self.name, None, what, mend)
        self.full = True

    def rows(self) -> Rows:
        """Return the rows; a part that no line names has no column."""
        return Rows(
            numbers=np.array(self._numbers, dtype=np.int64),
            session_ids=self._ids,
            parts={part: ragged(cells) for part, cells in self._cells.items() if part in self._seen},
            answer=np.array(self._answers, dtype=np.float64) if "answer" in self._seen else None,
            broken=np.array(self._broken, dtype=bool),
        )


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of a file, one at a time."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = end + 1


def _record(line: bytes, limits: Limits) -> dict[str, Any]:
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
        raise _Refused("the line is no JSON object.")
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object's fields; one that stands twice would be read differently by different tools."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a field stands twice in the line.")
    return found


def _session_id(value: object, limits: Limits) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= limits.id_characters else None


def _numbers(value: object, limits: Limits) -> Floats | None:
    """Return a list of numbers; a blank one among them is NaN."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise _Refused(f"is {_kind(value)}, no list.")
    if len(value) > limits.slots:
        raise _Refused(f"has {len(value):,} numbers; {limits.slots:,} are allowed.")
    for item in value:
        if item is not None and (isinstance(item, bool) or not isinstance(item, int | float)):
            raise _Refused(f"holds {_kind(item)}, which is no number.")
    try:
        return np.array([math.nan if item is None else float(item) for item in value], dtype=np.float64)
    except OverflowError as error:
        raise _Refused("holds a number too large for a float.") from error


def _answer(value: object) -> float:
    """Return a slot number; NaN for none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refused(f"is {_kind(value)}, which is no number.")
    try:
        return float(value)
    except OverflowError as error:
        raise _Refused("is too large.") from error


def _kind(value: object) -> str:
    """Return what a JSON value is, in words."""
    if isinstance(value, str):
        return f"the text '{shown(value, 40)}'"
    names = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return names.get(type(value), "null")
