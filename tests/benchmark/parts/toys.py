"""A part that no simulator has yet: one row per visit of the session, each a distribution over the slots and a stop."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.parts.part import SUM_TOLERANCE, Broken, Expected, Part, amounts
from benchmark.parts.ragged import Ragged
from tasks.types import Session


def shape(session: Session) -> tuple[int, int]:
    """As many rows as slots were looked at, and one more."""
    return int((session.gaze_ms > 0).sum()) + 1, len(session.slots) + 1


def rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    yield from amounts(cells)
    off = np.zeros(len(cells), dtype=bool)
    for row in np.flatnonzero(cells.present & (cells.lengths > 0)):
        sums = cells.row(row).reshape(max(1, int(cells.lists[row])), -1).sum(axis=1) if cells.lists[row] > 0 else 0.0
        off[row] = bool((np.abs(sums - 1) > SUM_TOLERANCE).any())
    yield Broken("normalised", off, "has a row that does not sum to 1.", "Normalise every row to 1.")


NEXT = Part(name="next", title="next visits", noun="next", depth=2, shape=shape, rules=rules, later=True)
