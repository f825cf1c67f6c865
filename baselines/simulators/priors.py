"""What can be predicted without looking at the screen: uniform, position, kind and position, user and position.

A rate belongs to a key, such as the position of a slot. K varies between sessions on AdSERP, so a rate is an average
over the training sessions that have a slot with this key: its mean share of gaze, and how often it was clicked. In a
session to be simulated the rates of its slots are divided by their sum. PROTOCOL section 7.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.simulators.shares import likeliest, normalised
from benchmark.simulator import Floats, Prediction
from tasks.errors import InputError
from tasks.types import Session, Slot, Stimulus

Keys = Callable[[Sequence[Slot]], Sequence[Hashable]]


def positions(slots: Sequence[Slot]) -> list[Hashable]:
    """Return the position 0..K-1 of each slot as its key."""
    return list(range(len(slots)))


def kinds_and_positions(slots: Sequence[Slot]) -> list[Hashable]:
    """Return (kind, position 0..K-1 among all slots) of each slot as its key."""
    return [(slot.kind, position) for position, slot in enumerate(slots)]


@dataclass(frozen=True, slots=True)
class Rates:
    """Sums over training sessions, per key: sessions with a slot of it, gaze shares of these slots, clicks on them.

    A session counts once per slot where a key comes up more than once in it.
    """

    sessions: dict[Hashable, float]
    gaze: dict[Hashable, float]
    clicks: dict[Hashable, float]

    @classmethod
    def of(cls, train: Sequence[Session], keys: Keys) -> Rates:
        """Sum over ``train``."""
        sessions: dict[Hashable, float] = defaultdict(float)
        gaze: dict[Hashable, float] = defaultdict(float)
        clicks: dict[Hashable, float] = defaultdict(float)
        for session in train:
            share = session.gaze
            for index, key in enumerate(keys(session.slots)):
                sessions[key] += 1
                gaze[key] += float(share[index])
                clicks[key] += index == session.click
        return cls(dict(sessions), dict(gaze), dict(clicks))

    def shrunk_gaze(self, keys: Sequence[Hashable], toward: Floats, weight: float) -> Floats:
        """Return the mean gaze share per key, shape (K,), as if ``weight`` more sessions had the rates ``toward``."""
        return self._shrunk(self.gaze, keys, toward, weight)

    def shrunk_clicks(self, keys: Sequence[Hashable], toward: Floats, weight: float) -> Floats:
        """Return the click frequency of each key, drawn toward given rates in the same way."""
        return self._shrunk(self.clicks, keys, toward, weight)

    def _shrunk(self, sums: dict[Hashable, float], keys: Sequence[Hashable], toward: Floats, weight: float) -> Floats:
        count = np.array([self.sessions.get(key, 0.0) for key in keys]) + weight
        total = np.array([sums.get(key, 0.0) for key in keys]) + weight * toward
        return np.where(count > 0, total / np.where(count > 0, count, 1.0), toward)


@dataclass
class Uniform:
    """Attention and click probability 1/K on every slot."""

    reads: tuple[str, ...] = field(default=(), init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn nothing."""

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return 1/K everywhere and no answer."""
        return [_prediction(s, np.ones(len(s.slots)), np.ones(len(s.slots))) for s in sessions]


@dataclass
class PositionPrior:
    """Mean gaze share and click frequency per position.

    Attributes:
        smoothing: Added to the number of clicks of every position (Laplace's rule at 1).
        gaze_smoothing: Sessions of evenly spread gaze added to the mean gaze share. At 0 it is the plain mean, in
            which a position that few training sessions have may get exactly 0; one look there then costs more KL than
            the prior gains elsewhere.

    A position that no training session has counts as an average one, 1/K.
    """

    smoothing: float = 1.0
    gaze_smoothing: float = 1.0
    reads: tuple[str, ...] = field(default=("gaze_ms", "click"), init=False, repr=False)
    _chance: float = field(default=0.0, init=False, repr=False)
    _rates: Rates | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        require_at_least_zero("smoothing", self.smoothing)
        require_at_least_zero("gaze_smoothing", self.gaze_smoothing)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions; nothing is random."""
        require_training(train)
        self._chance = float(np.mean([1 / len(session.slots) for session in train]))
        self._rates = Rates.of(train, positions)

    def rates(self, slots: Sequence[Slot]) -> tuple[Floats, Floats]:
        """Return gaze and click rates of the slots, two arrays of shape (K,), not normalised."""
        if self._rates is None:
            raise RuntimeError("fit before simulate")
        chance = np.full(len(slots), self._chance)
        keys = positions(slots)
        gaze = self._rates.shrunk_gaze(keys, chance, self.gaze_smoothing)
        # (clicks + s) / (sessions + s K): s clicks more on each of the K slots are s K sessions more, K = 1 / chance.
        click = self._rates.shrunk_clicks(keys, chance, self.smoothing / self._chance)
        return gaze, click

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the rates of each session's positions, normalised."""
        return [_prediction(session, *self.rates(session.slots)) for session in sessions]


@dataclass
class KindPositionPrior(PositionPrior):
    """Mean gaze share and click frequency per kind of slot and position, drawn toward the position prior.

    The position is that among all slots, not among those of the kind: the second result below two ads is looked at as
    a fourth slot. On tasks with one kind it is the position prior.

    Attributes:
        weight: How many sessions the position prior is worth against those with this kind at this position.
    """

    weight: float = 5.0
    _kinds: Rates | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_zero("weight", self.weight)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions; nothing is random."""
        super().fit(train, seed)
        self._kinds = Rates.of(train, kinds_and_positions)

    def rates(self, slots: Sequence[Slot]) -> tuple[Floats, Floats]:
        """Return gaze and click rates of the slots, two arrays of shape (K,), not normalised."""
        gaze, click = super().rates(slots)
        assert self._kinds is not None, "fitted with the position prior"
        keys = kinds_and_positions(slots)
        return self._kinds.shrunk_gaze(keys, gaze, self.weight), self._kinds.shrunk_clicks(keys, click, self.weight)


@dataclass
class UserPrior(PositionPrior):
    """Mean gaze share and click frequency per position of one user, drawn toward the position prior.

    Attributes:
        gaze_weight: How many sessions of the user the position prior's gaze is worth.
        click_weight: The same for its clicks; more, because a session has many fixations and a single click.

    A user without training sessions gets the position prior itself.
    """

    gaze_weight: float = 10.0
    click_weight: float = 50.0
    _users: dict[str, Rates] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_at_least_zero("gaze_weight", self.gaze_weight)
        require_at_least_zero("click_weight", self.click_weight)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions; nothing is random."""
        super().fit(train, seed)
        own: dict[str, list[Session]] = defaultdict(list)
        for session in train:
            own[session.user].append(session)
        self._users = {user: Rates.of(sessions, positions) for user, sessions in own.items()}

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the rates of each session's user and positions, normalised."""
        found = []
        for session in sessions:
            gaze, click = self.rates(session.slots)
            if session.user in self._users:
                user, keys = self._users[session.user], positions(session.slots)
                gaze = user.shrunk_gaze(keys, gaze, self.gaze_weight)
                click = user.shrunk_clicks(keys, click, self.click_weight)
            found.append(_prediction(session, gaze, click))
        return found


def require_training(train: Sequence[Session]) -> None:
    """Refuse to fit on nothing."""
    if not train:
        raise InputError("there is no training session to fit on; choose another split or a larger data set.")


def require_at_least_zero(name: str, value: float) -> None:
    """Refuse a negative or non-finite setting."""
    if not 0 <= value < float("inf"):
        raise InputError(f"the setting {name} is {value}; it must be a finite number of at least 0.")


def _prediction(session: Stimulus, gaze: Floats, click: Floats) -> Prediction:
    """Normalise rates over the slots of a session."""
    probabilities = normalised(click)
    return Prediction(session.session_id, normalised(gaze), probabilities, likeliest(probabilities))
