"""Answer: the slot that the simulator would click, one whole number from 0.

Where it is blank the largest probability counts as the answer (PROTOCOL section 5).
"""

from collections.abc import Iterator

import numpy as np

from benchmark.parts.part import Broken, Expected, Part
from benchmark.parts.ragged import Floats, Ragged
from tasks.types import Session


def choice(answer: int | None, probabilities: Floats | None, k: int) -> Floats | None:
    """Return the chance that each slot is the answer, shape (K,): the answer itself, else the largest probability."""
    if answer is None:
        return largest(probabilities)
    found: Floats = np.zeros(k)
    found[answer] = 1.0
    return found


def largest(values: Floats | None) -> Floats | None:
    """Return 1 on the largest of some numbers, shared out evenly where several are; None where there are none."""
    if values is None:
        return None
    top = values == values.max()
    found: Floats = top / top.sum()
    return found


def shape(session: Session) -> tuple[int, int]:
    """Return one number, whatever the session."""
    return 1, 1


def rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    """Yield what an answer must be: the number of a slot."""
    given = cells.maxima()
    slot = (given == np.floor(given)) & (given >= 0) & (given < expected.slots)
    yield Broken("answer", ~slot, "{first:g} is not a slot 0..{last}.", "Give the number of a slot, from 0.")


PART = Part(name="answer", title="answers", noun="answer", depth=0, shape=shape, rules=rules, instead="probabilities")
