"""Cells of different lengths, all rows in one array: what every part of a prediction is read into."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

UNEVEN = -1
"""In ``Ragged.lists``: the lists of a cell differ in length."""


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """One cell of numbers per row, or none.

    Attributes:
        values: All numbers, one row after the other, shape (numbers,); NaN where a number is blank.
        starts: Where each row begins in ``values``, and the end of the last, shape (rows + 1,).
        present: Whether a row has a cell, shape (rows,); the numbers of a row that has none mean nothing.
        lists: How many lists of equal length a cell consists of, shape (rows,): 1 for a plain list, ``UNEVEN`` where
            the lists differ in length.
    """

    values: Floats
    starts: Ints
    present: Bools
    lists: Ints

    def __len__(self) -> int:
        return len(self.present)

    @property
    def lengths(self) -> Ints:
        """Numbers per row, shape (rows,)."""
        return np.diff(self.starts)

    @property
    def widths(self) -> Ints:
        """Numbers per list, shape (rows,)."""
        return self.lengths // np.maximum(self.lists, 1)

    def row(self, index: int) -> Floats:
        """Return the numbers of one row."""
        return self.values[self.starts[index] : self.starts[index + 1]]

    def cell(self, index: int) -> Floats | None:
        """Return the numbers of one row, shape (numbers,) or (lists, width); None where it has none."""
        if not self.present[index]:
            return None
        return self.row(index) if self.lists[index] == 1 else self.row(index).reshape(self.lists[index], -1)

    def matrix(self, rows: Ints, width: int, filler: float) -> Floats:
        """Return some rows, -1 for none, that all have ``width`` numbers, shape (len(rows), width).

        ``filler`` stands for every number of a row that has no cell.
        """
        there = (rows >= 0) & self.present[rows] if len(self) else np.zeros(len(rows), dtype=bool)
        if not there.any():
            return np.full((len(rows), width), filler)
        first = np.where(there, self.starts[rows], self.starts[rows[there][0]])
        found: Floats = self.values[first[:, None] + np.arange(width)]
        found[~there] = filler
        return found

    def without(self, rows: Bools) -> "Ragged":
        """Return the same with no cell in the rows flagged."""
        return replace(self, present=self.present & ~rows) if rows.any() else self

    def any(self, flags: Bools) -> Bools:
        """Return per row whether any of its numbers is flagged; ``flags`` has the shape of ``values``."""
        if not flags.any():
            return np.zeros(len(self), dtype=bool)
        counts = np.concatenate([[0], np.cumsum(flags)])
        return counts[self.starts[1:]] > counts[self.starts[:-1]]

    def sums(self) -> Floats:
        """Return the sum of every row, shape (rows,); 0 for an empty one."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._reduced(np.add, 0.0)

    def maxima(self) -> Floats:
        """Return the largest number of every row, shape (rows,); NaN for an empty one."""
        return self._reduced(np.maximum, np.nan)

    def list_sums(self) -> tuple[Floats, Ints]:
        """Return the sum of every list and the row that it is in, shape (lists,); a cell of uneven lists is one."""
        lists = np.where(self.lengths > 0, np.maximum(self.lists, 1), 0)
        row = np.repeat(np.arange(len(self)), lists)
        within = np.arange(len(row)) - np.repeat(np.cumsum(lists) - lists, lists)
        first = self.starts[row] + within * self.widths[row]
        with np.errstate(over="ignore", invalid="ignore"):
            return np.add.reduceat(self.values, first) if len(row) else np.zeros(0), row

    def _reduced(self, how: np.ufunc, empty: float) -> Floats:
        found = np.full(len(self), empty)
        filled = self.lengths > 0
        if filled.any():
            # reduceat runs to the next start: rows without numbers are left out, or they would take a neighbour's.
            found[filled] = how.reduceat(self.values, self.starts[:-1][filled])
        return found


def as_numbers(values: Any, depth: int, kinds: str) -> Floats | None:
    """Return values as float64 with so many dimensions, None if they are not that, or not of some of numpy's kinds."""
    try:
        found = np.asarray(values)
    except (ValueError, TypeError):
        return None
    return found.astype(np.float64) if found.ndim == depth and found.dtype.kind in kinds else None


def ragged(cells: Iterable[Floats | None]) -> Ragged:
    """Return one cell per row, or None, as a ragged array; a cell has shape (numbers,) or (lists, width)."""
    kept = list(cells)
    present = np.fromiter((cell is not None for cell in kept), dtype=bool, count=len(kept))
    lengths = np.fromiter((0 if cell is None else cell.size for cell in kept), dtype=np.int64, count=len(kept))
    lists = np.fromiter((len(c) if c is not None and c.ndim > 1 else 1 for c in kept), dtype=np.int64, count=len(kept))
    values = np.concatenate([np.zeros(0), *(cell.ravel() for cell in kept if cell is not None)])
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), present, lists)


def apart(a: Ragged, b: Ragged) -> Floats:
    """Return the largest difference of two cells, row by row, shape (rows,); infinite where they cannot be compared."""
    alike = (a.present == b.present) & (~a.present | ((a.lengths == b.lengths) & (a.lists == b.lists)))
    found = np.where(alike, 0.0, np.inf)
    both = np.flatnonzero(alike & a.present & (a.lengths > 0))
    if len(both):
        lengths = a.lengths[both]
        ends = np.cumsum(lengths)
        within = np.arange(ends[-1]) - np.repeat(ends - lengths, lengths)
        one, other = (c.values[np.repeat(c.starts[both], lengths) + within] for c in (a, b))
        found[both] = np.maximum.reduceat(np.abs(one - other), ends - lengths)
    return found
