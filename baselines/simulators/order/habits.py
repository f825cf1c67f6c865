"""Priors on the next slot that do not ask where the eyes are, or only which slots are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.limits import AtLeastZero
from baselines.simulators.order.paths import Follower, Path
from baselines.simulators.priors import Rates, positions
from benchmark.simulator import Floats
from tasks.types import Session, Stimulus, Visit, visits


@dataclass
class VisitFrequency(Follower):
    """Visits per session at each position, from the first visit on.

    Attributes:
        smoothing: Sessions in which all positions had the average number of visits that are added.
    """

    smoothing: AtLeastZero = 1.0
    _rates: Rates = field(default_factory=lambda: Rates({}, {}), init=False, repr=False)
    _mean: float = field(default=1.0, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count visits per position over the sessions that have it."""
        self._rates = Rates.of([path.session for path in paths], positions, visits_per_slot)
        self._mean = sum(self._rates.sums.values()) / sum(self._rates.sessions.values())

    def first(self, stimulus: Stimulus) -> Floats:
        """Return the same as for any other visit."""
        return self.weights(stimulus, ())

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the rates."""
        return self._rates.shrunk(positions(stimulus.slots), np.full(len(stimulus.slots), self._mean), self.smoothing)


def visits_per_slot(session: Session) -> Floats:
    """Return how often each slot was visited, shape (K,)."""
    return np.bincount([visit.slot for visit in visits(session)], minlength=len(session.slots)).astype(np.float64)


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
