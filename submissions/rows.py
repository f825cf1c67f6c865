"""Rows of a predictions file as arrays, as they are in the file: nothing is checked against a task here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """A list of numbers per row, or none.

    Attributes:
        values: All numbers, one row after the other, shape (numbers,); NaN where a number is blank.
        starts: Where each row begins in ``values``, and the end of the last, shape (rows + 1,).
        present: Whether a row has a list, shape (rows,).
    """

    values: Floats
    starts: Ints
    present: Bools

    @property
    def lengths(self) -> Ints:
        """Numbers per row, shape (rows,); 0 where there is no list."""
        found: Ints = np.diff(self.starts)
        return found

    def row(self, index: int) -> Floats:
        """Return the numbers of one row."""
        return self.values[self.starts[index] : self.starts[index + 1]]

    def any(self, flags: Bools) -> Bools:
        """Return per row whether any of its numbers is flagged; ``flags`` has the shape of ``values``."""
        counts = np.concatenate([[0], np.cumsum(flags)])
        found: Bools = counts[self.starts[1:]] > counts[self.starts[:-1]]
        return found

    def sums(self) -> Floats:
        """Return the sum of every row, shape (rows,); 0 for an empty one."""
        totals = np.zeros(len(self.present))
        filled = self.lengths > 0
        if filled.any():
            with np.errstate(over="ignore", invalid="ignore"):
                # reduceat runs to the next start: rows without numbers are left out, or they would take a neighbour's.
                totals[filled] = np.add.reduceat(self.values, self.starts[:-1][filled])
        return totals

    def maxima(self) -> Floats:
        """Return the largest number of every row, shape (rows,); NaN for an empty one."""
        largest = np.full(len(self.present), np.nan)
        filled = self.lengths > 0
        if filled.any():
            largest[filled] = np.maximum.reduceat(self.values, self.starts[:-1][filled])
        return largest


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A predictions file.

    Attributes:
        numbers: Number of each row in the file, counted from 1, shape (rows,).
        session_ids: Id of each row's session, None where it is no text.
        parts: ``attention`` and ``probabilities``, as far as the file has the column.
        answer: Slot per row, NaN where blank, shape (rows,); None if the file has no such column.
        broken: Whether a cell of the row could not be read at all, shape (rows,); such rows were reported.
    """

    numbers: Ints
    session_ids: list[str | None]
    parts: dict[str, Ragged]
    answer: Floats | None
    broken: Bools

    def __len__(self) -> int:
        return len(self.session_ids)

    def present(self, part: str) -> Bools | None:
        """Return per row whether it has the part, shape (rows,); None if the file does not have the column."""
        if part == "answer":
            return None if self.answer is None else ~np.isnan(self.answer)
        return self.parts[part].present if part in self.parts else None

    def claims(self) -> tuple[str, ...]:
        """Return the parts that at least one row has: what the file claims."""
        found = []
        for part in ("attention", "probabilities", "answer"):
            present = self.present(part)
            if present is not None and present.any():
                found.append(part)
        return tuple(found)


def ragged(lists: Iterable[Floats | None]) -> Ragged:
    """Return one array per row, or None, as a ragged array."""
    kept = list(lists)
    present = np.fromiter((row is not None for row in kept), dtype=bool, count=len(kept))
    lengths = np.fromiter((0 if row is None else len(row) for row in kept), dtype=np.int64, count=len(kept))
    values = np.concatenate([np.zeros(0), *(row for row in kept if row is not None)])
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), present)
