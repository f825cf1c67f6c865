"""Answer: the slot that the simulator would click, one whole number from 0.

Where it is blank the largest probability counts as the answer (PROTOCOL section 5).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.parts.part import Broken, Expected, Part
from benchmark.parts.ragged import Ragged
from tasks.types import Session


def shape(session: Session) -> tuple[int, int]:
    """Return one number, whatever the session."""
    return 1, 1


def rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    """Yield what an answer must be: the number of a slot."""
    given = cells.maxima()
    slot = (given == np.floor(given)) & (given >= 0) & (given < expected.slots)
    yield Broken("answer", ~slot, "{first:g} is not a slot 0..{last}.", "Give the number of a slot, from 0.")


PART = Part(
    name="answer",
    title="answers",
    noun="answer",
    depth=0,
    shape=shape,
    rules=rules,
    instead="probabilities",
)
