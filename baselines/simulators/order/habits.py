"""Priors on the next slot that do not ask where the eyes are, or only which slots are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.simulators.order.paths import Follower, Path
from baselines.simulators.priors import require_at_least_zero
from benchmark.simulator import Floats
from tasks.types import Stimulus, Visit


@dataclass
class VisitFrequency(Follower):
    """Visits per session at each position, from the first visit on.

    Attributes:
        smoothing: Sessions in which all positions had the average number of visits that are added.
    """

    smoothing: float = 1.0
    _rates: Floats = field(default_factory=lambda: np.zeros(0), init=False, repr=False)
    _mean: float = field(default=1.0, init=False, repr=False)

    def __post_init__(self) -> None:
        require_at_least_zero("smoothing", self.smoothing)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count visits per position over the sessions that have it."""
        longest = max(len(path.session.slots) for path in paths)
        sessions, count = np.zeros(longest), np.zeros(longest)
        for path in paths:
            sessions[: len(path.session.slots)] += 1
            np.add.at(count, [visit.slot for visit in path.visits], 1)
        self._mean = float(count.sum() / sessions.sum())
        self._rates = (count + self.smoothing * self._mean) / (sessions + self.smoothing)

    def first(self, stimulus: Stimulus) -> Floats:
        """Return the same as for any other visit."""
        return self._known(len(stimulus.slots))

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the rates."""
        return self._known(len(stimulus.slots))

    def _known(self, slots: int) -> Floats:
        return np.array([self._rates[i] if i < len(self._rates) else self._mean for i in range(slots)])


@dataclass
class ReadingOrder(Follower):
    """The slot after the current one, as often as people go there; the others evenly."""

    _onwards: float = field(default=0.5, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count how often people go on where they can, with one case of each added."""
        hits = [
            to == before[-1].slot + 1
            for path in paths
            for before, to in path.moves()
            if before[-1].slot + 1 < len(path.session.slots)
        ]
        self._onwards = (sum(hits) + 1) / (len(hits) + 2)

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the share of going on at the next slot, the rest spread over the others."""
        k, onwards = len(stimulus.slots), visited[-1].slot + 1
        if onwards == k:
            return np.ones(k)
        found = np.full(k, (1 - self._onwards) / max(k - 2, 1))
        found[onwards] = self._onwards
        return found
