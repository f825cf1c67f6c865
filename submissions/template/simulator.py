"""A simulator of users: what it is given, what it must answer.

Change what you like. The class needs ``fit`` and ``simulate``; its fields are settings that
``--set own=0.5`` changes; the class variables declare what it uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from benchmark.simulator import Floats, Prediction
from tasks.types import Session, Stimulus


@dataclass
class MySimulator:
    """Looks where its user looked before, mixed with where everybody looked.

    Attributes:
        own: How much the user's own sessions count, from 0 (nothing) to 1 (nothing else does).
    """

    own: float = 0.3

    # What it uses: "gaze-train", "clicks-train", "image", "profile", "text" (see docs/submitting.md).
    sees: ClassVar[tuple[str, ...]] = ("gaze-train",)
    # False: the seed changes nothing, so one seed is run. Set it to True if you draw random numbers.
    stochastic: ClassVar[bool] = False

    # What fit learns begins with an underscore and is not a setting.
    _everybody: Floats = field(default_factory=lambda: np.ones(1), init=False, repr=False)
    _users: dict[str, Floats] = field(default_factory=dict, init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn from sessions of which gaze and click are known; all randomness comes from ``seed``."""
        by_user: dict[str, list[Session]] = {}
        for session in train:
            by_user.setdefault(session.user, []).append(session)
        self._everybody = mean_gaze(train)
        self._users = {user: mean_gaze(sessions) for user, sessions in by_user.items()}

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return one prediction per session, in order; a stimulus has no gaze, cursor or click."""
        return [self._predict(session) for session in sessions]

    def _predict(self, session: Stimulus) -> Prediction:
        k = len(session.slots)
        everybody = fitted(self._everybody, k)
        user = fitted(self._users.get(session.user, self._everybody), k)
        attention = (1 - self.own) * everybody + self.own * user
        attention = attention / attention.sum()
        # Any part may be None: attention, click probabilities, the slot that is clicked (0..K-1).
        return Prediction(session.session_id, attention, attention, int(attention.argmax()))


def mean_gaze(sessions: Sequence[Session]) -> Floats:
    """Return the mean share of gaze on each slot number; sessions may have different numbers of slots."""
    most = max(len(session.slots) for session in sessions)
    total, count = np.zeros(most), np.zeros(most)
    for session in sessions:
        total[: len(session.slots)] += session.gaze  # shares of dwell time, one per slot, sum 1
        count[: len(session.slots)] += 1
    return total / count


def fitted(shares: Floats, k: int) -> Floats:
    """Return ``shares`` with k numbers; slots beyond those that were seen get the mean."""
    return np.append(shares, np.full(max(0, k - len(shares)), shares.mean()))[:k]
