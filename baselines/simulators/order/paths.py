"""What all simulators of the order share: reading paths, where a path starts, when it ends."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from baselines.limits import check_settings
from baselines.simulators.priors import Habits, require_training
from baselines.simulators.shares import normalised
from benchmark.simulator import Floats
from tasks.errors import InputError
from tasks.types import Session, Stimulus, Visit, visits

SMOOTHING = 1.0
"""Sessions of evenly spread starts added to what the training sessions have."""


class Path(NamedTuple):
    """A training session and its visits, one or more."""

    session: Session
    visits: tuple[Visit, ...]

    def moves(self) -> Iterator[tuple[tuple[Visit, ...], int]]:
        """Yield the path before each visit but the first, and the slot of that visit."""
        for k in range(1, len(self.visits)):
            yield self.visits[:k], self.visits[k].slot


def recorded(train: Sequence[Session]) -> list[Path]:
    """Return the paths of the sessions that have one.

    InputError if there is no training session, or none of them holds its fixations in order.
    """
    require_training(train)
    found = [Path(session, visits(session)) for session in train]
    found = [path for path in found if path.visits]
    if not found:
        raise InputError("no training session holds its fixations in order; prepare the task again.")
    return found


def first_visit(session: Session) -> Floats:
    """Return 1 for the slot that a path starts at and 0 for the others, shape (K,)."""
    return np.asarray(np.arange(len(session.slots)) == visits(session)[0].slot, dtype=np.float64)


def stop_features(slots: int, visited: Sequence[Visit]) -> Floats:
    """Return what the end of a path depends on: 1, log visits, share of slots visited, revisit or not."""
    seen = {visit.slot for visit in visited[:-1]}
    again = visited[-1].slot in seen
    return np.array([1.0, np.log(len(visited)), len(seen | {visited[-1].slot}) / slots, float(again)])


def fit_stop(paths: Sequence[Path]) -> Floats:
    """Return the weights of a logistic regression on ``stop_features``, shape (4,): does a path end here?

    A ridge of 1 on all weights but the constant.
    """
    from scipy.optimize import minimize

    rows = [
        stop_features(len(path.session.slots), path.visits[: k + 1]) for path in paths for k in range(len(path.visits))
    ]
    ends = [k == len(path.visits) - 1 for path in paths for k in range(len(path.visits))]
    features, ridge = np.array(rows), np.array([0.0, 1.0, 1.0, 1.0])
    sign = np.where(ends, 1.0, -1.0)

    def loss(weights: Floats) -> tuple[float, Floats]:
        margin = sign * (features @ weights)
        slope = -sign / (1 + np.exp(np.minimum(margin, 700)))
        value = np.logaddexp(0, -margin).sum() + 0.5 * (ridge * weights**2).sum()
        return float(value), features.T @ slope + ridge * weights

    return np.asarray(minimize(loss, np.zeros(4), jac=True, method="L-BFGS-B").x, dtype=np.float64)


@dataclass
class Follower(ABC):
    """Base: a start distribution for the first visit, a stop for the end, and in between what a subclass says."""

    reads: tuple[str, ...] = field(default=("fixations",), init=False, repr=False)
    _start: Habits | None = field(default=None, init=False, repr=False)
    _stop: Floats = field(default_factory=lambda: np.zeros(4), init=False, repr=False)

    def __post_init__(self) -> None:
        check_settings(self)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn starts, steps and ends from the training paths; nothing is random.

        InputError if there is no training session with a path.
        """
        paths = recorded(train)
        self._start, self._stop = Habits.of([path.session for path in paths], first_visit), fit_stop(paths)
        self.learn(paths)

    @abstractmethod
    def learn(self, paths: Sequence[Path]) -> None:
        """Learn what ``weights`` needs."""

    @abstractmethod
    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return how likely each slot is next, after one visit or more, shape (K,); the current slot's is not used."""

    def first(self, stimulus: Stimulus) -> Floats:
        """Return how likely each slot is the first, shape (K,)."""
        assert self._start is not None
        return self._start.shared(stimulus.slots, SMOOTHING)

    def follow(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the chance of each slot and, last, of the end, shape (K + 1,); a path has a visit at least."""
        if self._start is None:
            raise RuntimeError("fit before follow")
        if not visited:
            return np.append(normalised(self.first(stimulus)), 0.0)
        weights = np.array(self.weights(stimulus, visited))
        weights[visited[-1].slot] = 0.0
        if not weights.any():
            weights[np.arange(len(weights)) != visited[-1].slot] = 1.0
        stop = 1 / (1 + np.exp(-float(stop_features(len(weights), visited) @ self._stop)))
        return np.append((1 - stop) * normalised(weights), stop)
