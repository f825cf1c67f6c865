"""Where other people looked on the same screen; a reference that is never ranked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from baselines.simulators.oracles import recorded
from baselines.simulators.priors import PositionPrior
from benchmark.simulator import Prediction
from tasks.others import others_gaze, usable
from tasks.types import Session, Stimulus


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
