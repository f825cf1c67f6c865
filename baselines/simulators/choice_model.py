"""Simulators that are a conditional logit over a session's slots (``benchmark.statistics.choice``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from baselines.limits import Positive, WholeAtLeastOne, check_settings
from baselines.simulators.priors import require_training
from baselines.simulators.shares import likeliest, normalised
from benchmark.simulator import Floats, Prediction
from benchmark.statistics.choice import fit_weights
from tasks.errors import InputError
from tasks.types import Session, Stimulus


def chances(utility: Floats) -> Floats:
    """Return the chance of each alternative of one set, shape (K,), sum 1."""
    return normalised(np.exp(utility - utility.max()))


@dataclass
class SlotLogit:
    """Base of the simulators that choose among a session's slots; a subclass gives the features and names the choices.

    Attributes:
        l2: Penalty on the squared weights, above 0: it makes the weights unique and finite.
        choices: What is fitted, each by weights of its own: ``gaze`` gives attention, ``click`` probabilities.
    """

    l2: Positive = 1.0
    choices: ClassVar[tuple[str, ...]] = ("gaze", "click")
    _kinds: tuple[str, ...] = field(default=(), init=False, repr=False)
    _weights: Mapping[str, Floats] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        check_settings(self)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Maximise the penalised likelihood of the training gaze, of the clicks, or of both; nothing is random.

        InputError if there is no training session, or the sessions lack what the features are made of, RuntimeError if
        the optimiser did not converge.
        """
        require_training(train)
        self.prepare(train)
        features = np.concatenate([self.features(session.stimulus()) for session in train])
        starts = np.cumsum([0, *(len(session.slots) for session in train[:-1])])
        self._weights = {
            choice: fit_weights(features, starts, np.concatenate([_chosen(s, choice) for s in train]), self.l2)
            for choice in self.choices
        }

    def prepare(self, train: Sequence[Session]) -> None:
        """Learn from the training sessions what the features need: which kinds there are."""
        self._kinds = tuple(sorted({slot.kind for session in train for slot in session.slots}))

    def kinds(self, session: Stimulus) -> Floats:
        """Return indicators of the slots' kinds, shape (K, kinds); an unknown kind has none."""
        return np.array([[slot.kind == kind for kind in self._kinds] for slot in session.slots], dtype=np.float64)

    def features(self, session: Stimulus) -> Floats:
        """Return the features of a session's slots, shape (K, F)."""
        raise NotImplementedError

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the chances of each session's slots, and the likeliest click."""
        if not self._weights:
            raise RuntimeError("fit before simulate")
        found = []
        for session in sessions:
            features = self.features(session)
            said = {choice: chances(features @ weights) for choice, weights in self._weights.items()}
            click = said.get("click")
            answer = None if click is None else likeliest(click)
            found.append(Prediction(session.session_id, said.get("gaze"), click, answer))
        return found


def _chosen(session: Session, choice: str) -> Floats:
    """Return the share of a session's choice that each slot has, shape (K,)."""
    return session.gaze if choice == "gaze" else np.eye(len(session.slots))[session.click]


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
