"""The t interval of a mean over users: mean -/+ t((1 + level) / 2, n - 1) sd / sqrt(n).

Where screens repeat, the standard error over users and screens and its degrees of freedom take the place of those over
users (``statistics.design``).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from benchmark.statistics.statistic import Floats, Sample, Statistic


def t_limits(values: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return mean, lower and upper t limit along the last axis.

    Values have shape (..., n), n at least 2; mean and limits (...).
    """
    from scipy.special import stdtrit

    array = np.asarray(values, dtype=np.float64)
    n = array.shape[-1]
    mean: Floats = array.mean(axis=-1)
    half: Floats = stdtrit(n - 1, (1 + level) / 2) * array.std(axis=-1, ddof=1) / math.sqrt(n)
    return mean, mean - half, mean + half


def t_interval(sample: Sample) -> tuple[float, float]:
    """Return the limits of the t interval; where all values are equal, these are the value itself."""
    from scipy.special import stdtrit

    found = sample.clustered
    if found is not None and found.error > sample.unit:
        mean, half = float(sample.values.mean()), stdtrit(found.degrees, (1 + sample.level) / 2) * found.error
        return float(mean - half), float(mean + half)
    if np.ptp(sample.values) == 0:
        return float(sample.values[0]), float(sample.values[0])
    _, low, high = t_limits(sample.values, sample.level)
    return float(low), float(high)


STATISTIC = Statistic(
    "t-interval", "95 % interval", "interval", "t interval over users, and over screens where they repeat.", t_interval
)
