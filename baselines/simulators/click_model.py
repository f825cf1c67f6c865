"""Conditional-logit click model on position and kind (McFadden, 1974).

A slot has the utility u = beta_position + beta_kind, and the chance of a click on slot i of a session is
exp(u_i) / sum_j exp(u_j): unlike click frequencies, it knows what the clicked slot was up against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from baselines.simulators.priors import require_at_least_zero, require_training
from baselines.simulators.shares import likeliest
from benchmark.simulator import Floats, Prediction
from tasks.errors import InputError
from tasks.types import Session, Slot, Stimulus


def penalised_loss(
    weights: Floats, features: Floats, starts: NDArray[np.int64], clicked: NDArray[np.int64], l2: float
) -> tuple[float, Floats]:
    """Return the penalised negative log likelihood of the clicks and its gradient, shape (F,).

    loss = -sum_s log p_s[click] + l2 / 2 |weights|^2; gradient = sum over slots of (p - [clicked]) x + l2 weights.

    ``features`` has the slots of all sessions, one session after the other, shape (slots, F); ``starts`` and
    ``clicked`` are the rows of each session's first and clicked slot, shape (sessions,).
    """
    utility = features @ weights
    counts = np.diff(np.append(starts, len(utility)))
    # The largest utility of each session is taken out first: exp cannot overflow.
    utility = utility - np.repeat(np.maximum.reduceat(utility, starts), counts)
    exponential = np.exp(utility)
    total = np.add.reduceat(exponential, starts)
    loss = float((np.log(total) - utility[clicked]).sum() + 0.5 * l2 * weights @ weights)
    residual = exponential / np.repeat(total, counts)
    residual[clicked] -= 1.0
    return loss, features.T @ residual + l2 * weights


@dataclass
class ConditionalLogit:
    """Click probabilities from position and kind, fitted to the training clicks; no attention.

    Attributes:
        l2: Penalty on the squared weights, above 0: it makes the weights unique (position and kind are both full sets
            of indicators) and finite (a position may never be clicked).
        positions: Positions with a weight of their own; later ones share the last.
    """

    l2: float = 1.0
    positions: int = 20
    reads: tuple[str, ...] = field(default=("click",), init=False, repr=False)
    _kinds: tuple[str, ...] = field(default=(), init=False, repr=False)
    _weights: Floats | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        require_at_least_zero("l2", self.l2)
        if self.l2 == 0:
            raise InputError("the setting l2 is 0; it must be above 0, or the weights are not determined.")
        if self.positions < 1:
            raise InputError(f"the setting positions is {self.positions}; it must be at least 1.")

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Maximise the penalised likelihood by L-BFGS; the problem is strictly convex and nothing is random.

        Raises:
            InputError: There is no training session.
            RuntimeError: The optimiser did not converge.
        """
        from scipy.optimize import minimize

        require_training(train)
        self._kinds = tuple(sorted({slot.kind for session in train for slot in session.slots}))
        features = np.concatenate([self.features(session.slots) for session in train])
        starts = np.cumsum([0, *(len(session.slots) for session in train[:-1])])
        clicked = starts + np.array([session.click for session in train])
        result = minimize(
            penalised_loss,
            np.zeros(features.shape[1]),
            args=(features, starts, clicked, self.l2),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-6},
        )
        if not result.success:
            raise RuntimeError(f"the click model did not converge: {result.message}")
        self._weights = np.asarray(result.x, dtype=np.float64)

    def features(self, slots: Sequence[Slot]) -> Floats:
        """Return indicators of position and kind, shape (K, positions + kinds); an unknown kind has none."""
        rows = np.zeros((len(slots), self.positions + len(self._kinds)))
        for position, slot in enumerate(slots):
            rows[position, min(position, self.positions - 1)] = 1.0
            if slot.kind in self._kinds:
                rows[position, self.positions + self._kinds.index(slot.kind)] = 1.0
        return rows

    def simulate(self, sessions: Sequence[Stimulus]) -> list[Prediction]:
        """Return click probabilities and the likeliest slot of each session."""
        if self._weights is None:
            raise RuntimeError("fit before simulate")
        found = []
        for session in sessions:
            utility = self.features(session.slots) @ self._weights
            exponential = np.exp(utility - utility.max())
            probabilities = exponential / exponential.sum()
            found.append(Prediction(session.session_id, probabilities=probabilities, answer=likeliest(probabilities)))
        return found
