"""The contract between the benchmark and a simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tasks.types import Session, Stimulus

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a simulator says about one session; any part may be missing (None).

    Attributes:
        session_id: The session it is about.
        attention: K non-negative numbers with a positive sum, or None.
        probabilities: Click probabilities, K numbers of sum 1, or None.
        answer: Index of the slot the simulator would click, or None.
        target: What gradient-based attention was computed for: ``free`` (the simulator's own answer),
            ``label`` (the true click; never ranked) or ``none`` (no gradient was involved).
    """

    session_id: str
    attention: Floats | None = None
    probabilities: Floats | None = None
    answer: int | None = None
    target: str = "none"


@runtime_checkable
class Simulator(Protocol):
    """Anything that can be fitted on training sessions and asked about unseen ones."""

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn from the training sessions; all randomness comes from ``seed``."""
        ...

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return one prediction per stimulus, in order.

        A simulator registered as an oracle is handed full sessions instead and is never ranked.
        """
        ...
