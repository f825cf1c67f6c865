"""Upper references that are given the recording they are scored on; never ranked (PROTOCOL section 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from baselines.limits import Share, check_settings
from baselines.simulators.priors import PositionPrior
from baselines.simulators.shares import likeliest, normalised
from benchmark.simulator import Floats, Prediction
from tasks.others import others_gaze, usable
from tasks.types import Session, Stimulus


@dataclass
class Oracle:
    """Base of the oracles; a subclass says which share of the recording it uses.

    Attributes:
        smoothing: Share of the uniform distribution mixed into the click probabilities, 0..1; attention stays as it
            is. At 0, the protocol's p = g, a click on a slot never fixated costs -log(eps) = 18.4 in LogLoss, so the
            mean shows how many there were. 0.05 gives a LogLoss that can be compared.
    """

    smoothing: Share = 0.0

    def __post_init__(self) -> None:
        check_settings(self)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn nothing."""

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the recorded shares of full sessions as attention and, mixed with 1/K, as click probabilities."""
        found: list[Prediction] = []
        for given in sessions:
            session = recorded(given)
            share = self.share(session)
            probabilities = (1 - self.smoothing) * share + self.smoothing / len(share)
            found.append(Prediction(session.session_id, share, probabilities, likeliest(share)))
        return found

    def share(self, session: Session) -> Floats:
        """Return the share of each slot, shape (K,), sum 1."""
        raise NotImplementedError


def recorded(session: Stimulus | Session) -> Session:
    """Return the session with its recording, which an oracle is given."""
    if not isinstance(session, Session):
        raise TypeError("an oracle needs full sessions, not stimuli")
    return session


@dataclass
class GazeOracle(Oracle):
    """Attention is the human gaze itself: how well would a perfect gaze predictor guess the click?"""

    reads: tuple[str, ...] = field(default=("gaze_ms",), init=False, repr=False)

    def share(self, session: Session) -> Floats:
        """Return the gaze."""
        return session.gaze


@dataclass
class CursorOracle(Oracle):
    """Attention is where the cursor dwelt, uniform if it dwelt on no slot; blank where no session has a cursor.

    In the last pause the cursor ends on the target, so its dwell nearly gives the click away.
    """

    reads: tuple[str, ...] = field(default=("cursor_ms",), init=False, repr=False)

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return what every oracle does, or predictions without a part if the data hold no cursor."""
        if any(recorded(session).cursor_ms.any() for session in sessions):
            return super().simulate(sessions)
        return [Prediction(session.session_id) for session in sessions]

    def share(self, session: Session) -> Floats:
        """Return the cursor's dwell."""
        return normalised(session.cursor_ms)


@dataclass
class OtherUsers:
    """Attention is the mean gaze of the other users on the same screen, the position prior where they are too few.

    It is given the recordings of all sessions and uses none of the user it speaks about. Where too few screens of the
    data were seen by several users it says nothing.
    """

    reads: tuple[str, ...] = field(default=("gaze_ms", "click", "texts"), init=False, repr=False)
    _train: Sequence[Session] = field(default=(), init=False, repr=False)
    _prior: PositionPrior = field(default_factory=PositionPrior, init=False, repr=False)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Keep the training sessions, and fit the position prior; nothing is random."""
        self._train = train
        self._prior.fit(train, seed)

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return attention alone, for full sessions; without a part where screens hardly repeat."""
        asked = [recorded(session) for session in sessions]
        # Sums are added up in one order, however the sessions are split.
        known = sorted([*self._train, *asked], key=lambda session: session.session_id)
        if not usable(others_gaze(known, known)):
            return [Prediction(session.session_id) for session in asked]
        found = others_gaze(known, asked)
        prior = {said.session_id: said.attention for said in self._prior.simulate(sessions)}
        return [Prediction(name, prior[name] if gaze is None else gaze) for name, gaze in found.items()]
