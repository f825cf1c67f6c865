"""The conditional logit (McFadden, 1974): what is chosen among alternatives that are described by features.

Alternative i of a set has the utility u_i = w x_i and the chance exp(u_i) / sum_j exp(u_j): unlike frequencies, it
knows what a choice was up against. A choice may be shared out over the alternatives, as gaze is over slots.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def penalised_loss(
    weights: Floats, features: Floats, starts: NDArray[np.int64], chosen: Floats, l2: float
) -> tuple[float, Floats]:
    """Return the penalised negative log likelihood of the choices and its gradient, shape (F,).

    loss = -sum_s sum_i c_i log p_i + l2 / 2 |weights|^2; gradient = sum over alternatives of (p - c) x + l2 weights.

    ``features`` has the alternatives of all sets, one set after the other, shape (n, F); ``starts`` the row of each
    set's first alternative; ``chosen`` the share c of its set's choice that each alternative has, shape (n,), sum 1 in
    each set.
    """
    utility = features @ weights
    counts = np.diff(np.append(starts, len(utility)))
    # The largest utility of each set is taken out first: exp cannot overflow.
    utility = utility - np.repeat(np.maximum.reduceat(utility, starts), counts)
    exponential = np.exp(utility)
    total = np.add.reduceat(exponential, starts)
    loss = float(np.log(total).sum() - chosen @ utility + 0.5 * l2 * weights @ weights)
    residual = exponential / np.repeat(total, counts) - chosen
    return loss, features.T @ residual + l2 * weights


def fit_weights(features: Floats, starts: NDArray[np.int64], chosen: Floats, l2: float) -> Floats:
    """Return the weights of the least penalised loss, shape (F,), by L-BFGS; with l2 > 0 there is one, and no chance.

    RuntimeError if the optimiser did not converge.
    """
    from scipy.optimize import minimize

    result = minimize(
        penalised_loss,
        np.zeros(features.shape[1]),
        args=(features, starts, chosen, l2),
        method="L-BFGS-B",
        jac=True,
        options={"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-6},
    )
    if not result.success:
        raise RuntimeError(f"the conditional logit did not converge: {result.message}")
    return np.asarray(result.x, dtype=np.float64)
