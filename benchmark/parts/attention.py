"""Attention: how much the simulator looks at each slot, K numbers of 0 or more; they are divided by their sum.

Attention whose sum is 0 is missing (PROTOCOL section 6). It may be computed for the true click (``target``); then it
is shown apart and never ranked.
"""

from collections.abc import Iterator

import numpy as np

from benchmark.parts.part import Broken, Expected, Part, amounts, per_slot
from benchmark.parts.ragged import Bools, Floats, Ragged


def rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    """Yield what attention must be."""
    yield from amounts(cells)
    yield Broken("normalised", ~np.isfinite(cells.sums()), "has a sum too large for a float.", "Normalise it to 1.")


def blank(cells: Ragged) -> Bools:
    """Return where attention is 0 on every slot."""
    found: Bools = cells.present & (cells.sums() == 0)
    return found


def share(values: Floats) -> Floats:
    """Return attention as shares, shape (K,)."""
    return values / np.sum(values)


PART = Part(
    name="attention",
    title="attention",
    noun="attention",
    depth=1,
    shape=per_slot,
    rules=rules,
    blank=blank,
    targeted=True,
    stated=True,
    drawn=share,
)
