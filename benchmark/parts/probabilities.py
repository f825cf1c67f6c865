"""Probabilities: the chance of each slot to be clicked, K numbers of sum 1."""

from collections.abc import Iterator

import numpy as np

from benchmark.parts.part import SUM_TOLERANCE, Broken, Expected, Part, amounts, per_slot
from benchmark.parts.ragged import Ragged


def rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    """Yield what probabilities must be."""
    yield from amounts(cells)
    off = ~(np.abs(cells.sums() - 1) <= SUM_TOLERANCE)
    yield Broken("normalised", off, "sum to {sum:.6g}.", "Normalise them to 1 over the session's slots.")


PART = Part(name="probabilities", title="probabilities", noun="probability", depth=1, shape=per_slot, rules=rules)
