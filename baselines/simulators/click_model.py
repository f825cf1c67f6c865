"""Click model on position and kind: a slot's utility is beta_position + beta_kind (see ``choice_model``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.simulators.choice_model import SlotLogit
from benchmark.simulator import Floats
from tasks.errors import InputError
from tasks.types import Session, Stimulus


@dataclass
class ConditionalLogit(SlotLogit):
    """Click probabilities from position and kind, fitted to the training clicks; no attention.

    Attributes:
        positions: Positions with a weight of their own; later ones share the last.
    """

    choices: ClassVar[tuple[str, ...]] = ("click",)
    positions: int = 20
    reads: tuple[str, ...] = field(default=("click",), init=False, repr=False)
    _kinds: tuple[str, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.positions < 1:
            raise InputError(f"the setting positions is {self.positions}; it must be at least 1.")

    def prepare(self, train: Sequence[Session]) -> None:
        """Learn which kinds there are."""
        self._kinds = tuple(sorted({slot.kind for session in train for slot in session.slots}))

    def features(self, session: Stimulus) -> Floats:
        """Return indicators of position and kind, shape (K, positions + kinds); an unknown kind has none."""
        rows = np.zeros((len(session.slots), self.positions + len(self._kinds)))
        for position, slot in enumerate(session.slots):
            rows[position, min(position, self.positions - 1)] = 1.0
            if slot.kind in self._kinds:
                rows[position, self.positions + self._kinds.index(slot.kind)] = 1.0
        return rows
