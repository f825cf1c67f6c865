"""What can be predicted without looking at the screen, from habits per position: of everybody, of a kind, of a user.

A rate belongs to a key, such as the position of a slot. K varies between sessions on AdSERP, so a rate is an average
over the training sessions that have a slot with this key: its mean share of gaze, and how often it was clicked. In a
session to be simulated the rates of its slots are divided by their sum. PROTOCOL section 7.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from baselines.limits import AtLeastZero, check_settings
from baselines.simulators.shares import likeliest, normalised
from benchmark.metrics.block import EPS
from benchmark.simulator import Floats, Prediction
from tasks.errors import InputError
from tasks.types import Session, Slot, Stimulus, Visit

Keys = Callable[[Sequence[Slot]], Sequence[Hashable]]
Shares = Callable[[Session], Floats]

WEIGHTS: Floats = np.array([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0])
"""Sessions that everybody's clicks may be worth against a user's own."""


def positions(slots: Sequence[Slot]) -> list[Hashable]:
    """Return the position 0..K-1 of each slot as its key."""
    return list(range(len(slots)))


def kinds_and_positions(slots: Sequence[Slot]) -> list[Hashable]:
    """Return (kind, position 0..K-1 among all slots) of each slot as its key."""
    return [(slot.kind, position) for position, slot in enumerate(slots)]


def gaze_shares(session: Session) -> Floats:
    """Return the share of the gaze on each slot, shape (K,), sum 1."""
    return session.gaze


def click_shares(session: Session) -> Floats:
    """Return 1 for the clicked slot and 0 for the others, shape (K,)."""
    return np.asarray(np.arange(len(session.slots)) == session.click, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Rates:
    """Sums over training sessions, per key: sessions with a slot of it, and the shares of these slots.

    A session counts once per slot where a key comes up more than once in it.
    """

    sessions: dict[Hashable, float]
    sums: dict[Hashable, float]

    @classmethod
    def of(cls, train: Sequence[Session], keys: Keys, shares: Shares) -> "Rates":
        """Sum over ``train``."""
        sessions: dict[Hashable, float] = defaultdict(float)
        sums: dict[Hashable, float] = defaultdict(float)
        for session in train:
            for key, share in zip(keys(session.slots), shares(session), strict=True):
                sessions[key] += 1
                sums[key] += float(share)
        return cls(dict(sessions), dict(sums))

    def shrunk(self, keys: Sequence[Hashable], toward: Floats, weight: float) -> Floats:
        """Return the mean share per key, shape (K,), as if ``weight`` more sessions had the rates ``toward``."""
        count = np.array([self.sessions.get(key, 0.0) for key in keys]) + weight
        total = np.array([self.sums.get(key, 0.0) for key in keys]) + weight * toward
        return np.where(count > 0, total / np.where(count > 0, count, 1.0), toward)


@dataclass(frozen=True, slots=True)
class Habits:
    """Rates per position of everybody and of each user; ``chance`` is the mean of 1/K, for a new position."""

    chance: float
    everybody: Rates
    users: dict[str, Rates]

    @classmethod
    def of(cls, train: Sequence[Session], shares: Shares) -> "Habits":
        """Sum over ``train``; InputError if there is no training session."""
        require_training(train)
        chance = float(np.mean([1 / len(session.slots) for session in train]))
        own: dict[str, list[Session]] = defaultdict(list)
        for session in train:
            own[session.user].append(session)
        users = {user: Rates.of(sessions, positions, shares) for user, sessions in own.items()}
        return cls(chance, Rates.of(train, positions, shares), users)

    def shared(self, slots: Sequence[Slot], smoothing: float) -> Floats:
        """Return everybody's rates, shape (K,), with ``smoothing`` sessions at chance."""
        return self.everybody.shrunk(positions(slots), np.full(len(slots), self.chance), smoothing)

    def laplace(self, slots: Sequence[Slot], clicks: float) -> Floats:
        """Return everybody's rates with so many clicks more on each of the K slots."""
        # (clicks + s) / (sessions + s K): s clicks more on each slot are s K sessions more, K = 1 / chance.
        return self.shared(slots, clicks / self.chance)

    def own(self, session: Stimulus, shared: Floats, weight: float) -> Floats:
        """Return the user's rates, shape (K,), drawn toward the shared ones, which a user not seen before gets."""
        rates = self.users.get(session.user)
        return shared if rates is None else rates.shrunk(positions(session.slots), shared, weight)


def fitted(habits: Habits | None) -> Habits:
    """Return habits that a simulator has learnt; RuntimeError if it was not fitted."""
    if habits is None:
        raise RuntimeError("fit before simulate")
    return habits


@dataclass
class Prior:
    """Base: the rates of gaze and clicks that a subclass knows of a session's slots, normalised; nothing is random."""

    def __post_init__(self) -> None:
        check_settings(self)

    def rates(self, session: Stimulus) -> tuple[Floats | None, Floats]:
        """Return gaze rates, if it has any, and click rates of the slots, each of shape (K,), not normalised."""
        raise NotImplementedError

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the rates of each session's slots, normalised, and the slot clicked most."""
        found = []
        for session in sessions:
            gaze, click = self.rates(session)
            attention, probabilities = None if gaze is None else normalised(gaze), normalised(click)
            found.append(Prediction(session.session_id, attention, probabilities, likeliest(probabilities)))
        return found


@dataclass
class Uniform(Prior):
    """Attention and click probability 1/K on every slot; what comes next is any other slot or the end, evenly."""

    reads: tuple[str, ...] = field(default=(), init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn nothing."""

    def rates(self, session: Stimulus) -> tuple[Floats, Floats]:
        """Return 1 for every slot."""
        return np.ones(len(session.slots)), np.ones(len(session.slots))

    def follow(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the same for every slot but the current one, and for the end, shape (K + 1,)."""
        found = np.ones(len(stimulus.slots) + 1)
        if visited:
            found[visited[-1].slot] = 0.0
        return normalised(found)


@dataclass
class PositionPrior(Prior):
    """Mean gaze share and click frequency per position.

    Attributes:
        smoothing: Added to the number of clicks of every position (Laplace's rule at 1).
        gaze_smoothing: Sessions of evenly spread gaze added to the mean gaze share. At 0 it is the plain mean, in
            which a position that few training sessions have may get exactly 0; one look there then costs more KL than
            the prior gains elsewhere.

    A position that no training session has counts as an average one, 1/K.
    """

    smoothing: AtLeastZero = 1.0
    gaze_smoothing: AtLeastZero = 1.0
    reads: tuple[str, ...] = field(default=("gaze_ms", "click"), init=False, repr=False)
    _gaze: Habits | None = field(default=None, init=False, repr=False)
    _clicks: Habits | None = field(default=None, init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions."""
        self._gaze, self._clicks = Habits.of(train, gaze_shares), Habits.of(train, click_shares)

    def rates(self, session: Stimulus) -> tuple[Floats, Floats]:
        """Return everybody's rates."""
        gaze = fitted(self._gaze).shared(session.slots, self.gaze_smoothing)
        return gaze, fitted(self._clicks).laplace(session.slots, self.smoothing)


@dataclass
class KindPositionPrior(PositionPrior):
    """Mean gaze share and click frequency per kind of slot and position, drawn toward the position prior.

    The position is that among all slots, not among those of the kind: the second result below two ads is looked at as
    a fourth slot. Where all slots are of one kind it is the position prior.

    Attributes:
        weight: How many sessions the position prior is worth against those with this kind at this position.
    """

    weight: AtLeastZero = 5.0
    _kinds: tuple[Rates, ...] = field(default=(), init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions."""
        super().fit(train, seed)
        several = len({slot.kind for session in train for slot in session.slots}) > 1
        both = (gaze_shares, click_shares) if several else ()
        self._kinds = tuple(Rates.of(train, kinds_and_positions, shares) for shares in both)

    def rates(self, session: Stimulus) -> tuple[Floats, Floats]:
        """Return the rates of the slots' kinds and positions."""
        prior, keys = super().rates(session), kinds_and_positions(session.slots)
        if not self._kinds:
            return prior
        gaze, click = (kind.shrunk(keys, one, self.weight) for kind, one in zip(self._kinds, prior, strict=True))
        return gaze, click


@dataclass
class UserPrior(PositionPrior):
    """Mean gaze share and click frequency per position of one user, drawn toward the position prior.

    Attributes:
        gaze_weight: How many sessions of the user the position prior's gaze is worth.
        click_weight: The same for its clicks; more, because a session has many fixations and a single click.

    A user without training sessions gets the position prior itself.
    """

    gaze_weight: AtLeastZero = 10.0
    click_weight: AtLeastZero = 50.0

    def rates(self, session: Stimulus) -> tuple[Floats, Floats]:
        """Return the user's rates."""
        gaze, click = super().rates(session)
        gaze = fitted(self._gaze).own(session, gaze, self.gaze_weight)
        return gaze, fitted(self._clicks).own(session, click, self.click_weight)


@dataclass
class GazeClickPrior(Prior):
    """The attention of ``UserPrior``, also used as click probabilities: clicks follow the user's own gaze habit.

    No click is read, so what is better on clicks knows more than where its user tends to look.

    Attributes:
        gaze_smoothing: As that of ``PositionPrior``.
        gaze_weight: As that of ``UserPrior``.
    """

    gaze_smoothing: AtLeastZero = 1.0
    gaze_weight: AtLeastZero = 10.0
    reads: tuple[str, ...] = field(default=("gaze_ms",), init=False, repr=False)
    _gaze: Habits | None = field(default=None, init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions."""
        self._gaze = Habits.of(train, gaze_shares)

    def rates(self, session: Stimulus) -> tuple[Floats, Floats]:
        """Return the user's gaze rates for both."""
        habits = fitted(self._gaze)
        rates = habits.own(session, habits.shared(session.slots, self.gaze_smoothing), self.gaze_weight)
        return rates, rates


@dataclass
class UserClickPrior(Prior):
    """Click frequency per position of one user, drawn toward everybody's; no attention.

    How far it is drawn is learnt: of ``WEIGHTS``, the number of sessions that everybody's frequency is worth under
    which the training clicks are likeliest, each given the other sessions of its user. With few sessions per user that
    is many, and it is nearly the position prior.

    Attributes:
        smoothing: As that of ``PositionPrior``.
    """

    smoothing: AtLeastZero = 1.0
    reads: tuple[str, ...] = field(default=("click",), init=False, repr=False)
    _weight: float = field(default=0.0, init=False, repr=False)
    _clicks: Habits | None = field(default=None, init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Average over the training sessions and choose the weight."""
        self._clicks = Habits.of(train, click_shares)
        total = np.zeros(len(WEIGHTS))
        for session in train:
            shared, mine = self._clicks.laplace(session.slots, self.smoothing), self._clicks.users[session.user]
            keys, own = positions(session.slots), click_shares(session)
            others = np.array([mine.sessions[key] for key in keys]) - 1
            clicks = np.array([mine.sums[key] for key in keys]) - own
            rates = (clicks + WEIGHTS[:, None] * shared) / (others + WEIGHTS[:, None])
            total += np.log(np.maximum(rates[:, session.click] / rates.sum(axis=1), EPS))
        self._weight = float(WEIGHTS[np.argmax(total)])

    def rates(self, session: Stimulus) -> tuple[None, Floats]:
        """Return the user's click rates."""
        habits = fitted(self._clicks)
        return None, habits.own(session, habits.laplace(session.slots, self.smoothing), self._weight)


def require_training(train: Sequence[Session]) -> None:
    """Refuse to fit on nothing."""
    if not train:
        raise InputError("there is no training session to fit on; choose another split or a larger data set.")
