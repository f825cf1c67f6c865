"""Click model on position and kind: a slot's utility is beta_position + beta_kind (see ``choice_model``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.limits import WholeAtLeastOne
from baselines.simulators.choice_model import SlotLogit
from benchmark.simulator import Floats
from tasks.types import Stimulus


@dataclass
class ConditionalLogit(SlotLogit):
    """Click probabilities from position and kind, fitted to the training clicks; no attention.

    Attributes:
        positions: Positions with a weight of their own; later ones share the last.
    """

    choices: ClassVar[tuple[str, ...]] = ("click",)
    positions: WholeAtLeastOne = 20
    reads: tuple[str, ...] = field(default=("click",), init=False, repr=False)

    def features(self, session: Stimulus) -> Floats:
        """Return indicators of position and kind, shape (K, positions + kinds)."""
        place = np.minimum(np.arange(len(session.slots)), self.positions - 1)
        return np.hstack([np.eye(self.positions)[place], self.kinds(session)])
