"""Conditional logits of the next slot (McFadden, 1974): its chance is proportional to exp(weights . features)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.limits import Positive
from baselines.simulators.choice_model import chances, fit_weights
from baselines.simulators.order.paths import Follower, Path
from benchmark.simulator import Floats
from tasks.types import Session, Stimulus, Visit

NEAR = 6
"""Steps up to this many slots have a weight of their own; longer ones share that of their direction."""


@dataclass
class ChoiceModel(Follower):
    """Base: a subclass says what is known of every slot after some visits.

    Attributes:
        l2: Penalty on the squared weights, above 0.
    """

    l2: Positive = 1.0
    _weights: Floats = field(default_factory=lambda: np.zeros(0), init=False, repr=False)

    @abstractmethod
    def features(self, shown: Stimulus | Session, visited: Sequence[Visit]) -> Floats:
        """Return what is known of each slot as the next one, shape (K, F)."""

    def learn(self, paths: Sequence[Path]) -> None:
        """Fit the weights to the moves of the training paths; the current slot is not among the alternatives."""
        blocks, chosen = [], []
        for path in paths:
            for before, to in path.moves():
                here = before[-1].slot
                blocks.append(np.delete(self.features(path.session, before), here, axis=0))
                chosen.append(np.delete(np.eye(len(path.session.slots))[to], here))
        if blocks:
            starts = np.cumsum([0, *(len(block) for block in blocks[:-1])])
            self._weights = fit_weights(np.concatenate(blocks), starts, np.concatenate(chosen), self.l2)

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return exp(utility) of each slot."""
        features = self.features(stimulus, visited)
        return chances(features @ self._weights) if len(self._weights) else np.ones(len(features))


@dataclass
class ExaminationLogit(ChoiceModel):
    """Step, direction, visited before, frontier, kind and rank of the next slot.

    The frontier is the first slot below all that were visited: where somebody who reads down the page goes on.
    """

    _kinds: tuple[str, ...] = field(default=(), init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Fit the weights."""
        self._kinds = tuple(sorted({slot.kind for path in paths for slot in path.session.slots}))
        super().learn(paths)

    def features(self, shown: Stimulus | Session, visited: Sequence[Visit]) -> Floats:
        """Return indicators of the step up to ``NEAR`` slots, and the numbers that the class names."""
        slots, seen = np.arange(len(shown.slots)), np.array([visit.slot for visit in visited])
        step = slots - seen[-1]
        size = np.minimum(np.abs(step), NEAR)
        near = np.sign(step)[:, None] * size[:, None] == np.array([d for d in range(-NEAR, NEAR + 1) if d])
        before = np.isin(slots, seen)
        kinds = [[slot.kind == kind for kind in self._kinds] for slot in shown.slots]
        numbers = np.column_stack(
            [
                np.log1p(np.abs(step)),
                step > 0,
                before,
                np.bincount(seen, minlength=len(slots)) > 1,
                slots == seen.max() + 1,
                slots > seen.max() + 1,
                np.isin(slots, seen[-3:-1]),
                np.log1p(slots),
            ]
        )
        return np.hstack([near, numbers, kinds]).astype(np.float64)
