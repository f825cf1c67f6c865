"""Small helpers on shares of slots, common to the cheap simulators."""

import numpy as np
from numpy.typing import ArrayLike

from benchmark.simulator import Floats


def normalised(values: ArrayLike) -> Floats:
    """Return non-negative values, shape (K,), divided by their sum; 1/K each if the sum is 0."""
    array = np.asarray(values, dtype=np.float64)
    total = float(array.sum())
    shares: Floats = array / total if total > 0 else np.full(array.shape, 1.0 / array.size)
    return shares


def likeliest(probabilities: Floats) -> int | None:
    """Return the index of the largest probability, or None if several are largest.

    Without an answer the metric counts each of the largest by its chance, where a choice made here would favour a
    place on the screen.
    """
    largest = np.flatnonzero(probabilities == probabilities.max())
    return int(largest[0]) if len(largest) == 1 else None
