"""Next visit: where the eyes go next, given the path so far: one distribution per visit and one before the first.

A session with n visits has n + 1 rows of K + 1 numbers. Row k is about what comes after the first k visits: the K slots
and, last, ``stop``. It is the one part that sees gaze of the session it is about (PROTOCOL section 10).
"""

from collections.abc import Iterator

import numpy as np

from benchmark.parts.part import SUM_TOLERANCE, Broken, Expected, Part, amounts
from benchmark.parts.ragged import Ragged
from tasks.types import Session, visits


def shape(session: Session) -> tuple[int, int]:
    """Return n + 1 rows of K + 1 numbers; one row where the data hold no fixations."""
    return len(visits(session)) + 1, len(session.slots) + 1


def rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    """Yield what the rows must be: distributions."""
    yield from amounts(cells)
    sums, row = cells.list_sums()
    off = np.zeros(len(cells), dtype=bool)
    off[row[~(np.abs(sums - 1) <= SUM_TOLERANCE)]] = True
    yield Broken("normalised", off, "has a row that does not sum to 1.", "Normalise every row to 1, stop included.")


PART = Part(
    name="next_visit",
    title="next visits, given the path so far",
    noun="next_visit",
    depth=2,
    shape=shape,
    rules=rules,
    stated=True,
    later=True,
)
