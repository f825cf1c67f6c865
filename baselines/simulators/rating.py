"""Clicks by the user's own ratings: p = softmax(w rating), one number w fitted to the training clicks.

Where ratings were made beforehand, as on task ``snacks``, no knowledge of the screen is needed. PROTOCOL section 11.
"""

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
class RatingPrior(SlotLogit):
    """Softmax of the ratings of a session's slots; a slot without one counts as the mean of the others."""

    choices: ClassVar[tuple[str, ...]] = ("click",)
    reads: tuple[str, ...] = field(default=("click",), init=False, repr=False)

    def prepare(self, train: Sequence[Session]) -> None:
        """Learn nothing beforehand."""

    def features(self, session: Stimulus) -> Floats:
        """Return the ratings, shape (K, 1); InputError if no slot has one."""
        known = [slot.rating for slot in session.slots if slot.rating is not None]
        if not known:
            raise InputError(f"rating-prior needs ratings, and session {session.session_id} has none. Leave it out.")
        mean = float(np.mean(known))
        return np.array([[mean if slot.rating is None else slot.rating] for slot in session.slots])
