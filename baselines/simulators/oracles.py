"""Upper references that are handed the recording they are scored on; never ranked (PROTOCOL section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from baselines.simulators.shares import likeliest, normalised
from benchmark.simulator import Floats, Prediction
from tasks.errors import InputError
from tasks.types import Session, Stimulus


@dataclass
class GazeOracle:
    """Attention is the human gaze itself: how well would a perfect gaze predictor guess the click?

    Attributes:
        smoothing: Share of the uniform distribution mixed into the click probabilities, 0..1; attention stays as it
            is. At 0, the protocol's p = g, a click on a slot never fixated costs -log(eps) = 18.4 in LogLoss: that mean
            then tells how many there were. 0.05 gives a LogLoss to compare with.
    """

    smoothing: float = 0.0
    reads: tuple[str, ...] = field(default=("gaze_ms",), init=False, repr=False)

    def __post_init__(self) -> None:
        _check_share(self.smoothing)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn nothing."""

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the gaze shares of each session.

        Args:
            sessions: Full sessions.
        """
        return [_prediction(s, _recorded(s).gaze, self.smoothing) for s in sessions]


@dataclass
class CursorOracle:
    """Attention is where the cursor dwelt, uniform if it dwelt on no slot.

    Beware: in the last pause the cursor ends on the target, so its dwell all but gives the click away.

    Attributes:
        smoothing: As for the gaze oracle.
    """

    smoothing: float = 0.0
    reads: tuple[str, ...] = field(default=("cursor_ms",), init=False, repr=False)

    def __post_init__(self) -> None:
        _check_share(self.smoothing)

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Learn nothing."""

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return the cursor shares of each session.

        Args:
            sessions: Full sessions.
        """
        return [_prediction(s, normalised(_recorded(s).cursor_ms), self.smoothing) for s in sessions]


def _recorded(session: Stimulus | Session) -> Session:
    """Return the session with its recording, which the caller must have handed over."""
    if not isinstance(session, Session):
        raise TypeError("an oracle needs full sessions, not stimuli")
    return session


def _prediction(session: Stimulus, share: Floats, smoothing: float) -> Prediction:
    """Return ``share`` as attention and, mixed with the uniform distribution, as click probabilities."""
    probabilities = (1 - smoothing) * share + smoothing / len(share)
    return Prediction(session.session_id, share, probabilities, likeliest(share))


def _check_share(smoothing: float) -> None:
    """Refuse a smoothing that is no share."""
    if not 0 <= smoothing <= 1:
        raise InputError(f"the setting smoothing is {smoothing}; it must lie between 0 and 1.")
