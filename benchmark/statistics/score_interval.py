"""Intervals of a mean that has a range: score intervals, which never leave it.

A t interval of an accuracy of .05 over 33 users covers 81 %, as it takes the spread to be the same at every mean. A
score interval (Wilson 1927) holds the means mu with |mean - mu| <= t error(mu), where the error grows with the variance
that a mean of mu can have:

- between two ends a and b, as for shares and counts, with sqrt((mu - a) (b - mu)): Wilson's interval with the
  effective number of users that the observed error implies (as Korn and Graubard 1998 do for surveys); where every
  user is at the same end, that number is the number of users;
- above an end a alone, as for KL, whose spread grows with its mean, with mu - a.

Coverage at 33 users is simulated in tests/benchmark/statistics/test_score_interval.py.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from benchmark.statistics.statistic import Bounds, Floats


def score_limits(
    mean: ArrayLike, error: ArrayLike, degrees: int, n_users: int, bounds: Bounds
) -> tuple[Floats, Floats]:
    """Return the lower and the upper 95 % limit; mean and standard error have one shape, NaN stays NaN."""
    t = stdtrit(degrees, 0.975)
    m, s = np.asarray(mean, dtype=np.float64), np.asarray(error, dtype=np.float64)
    width = bounds.high - bounds.low
    share = np.clip((m - bounds.low) / width, 0.0, 1.0)
    relative = t * s / width
    if bounds.open_above:
        ratio = np.divide(relative, share, out=np.zeros_like(relative + share), where=share > 0)
        low = share / (1 + ratio)
        high = np.divide(share, 1 - ratio, out=np.ones_like(low), where=ratio < 1)
    else:
        variance = share * (1 - share)
        at_end = variance < 1e-12
        k = np.where(at_end, t * t / n_users, relative**2 / np.where(at_end, 1.0, variance))
        centre, half = (share + k / 2) / (1 + k), np.sqrt(k * variance + k * k / 4) / (1 + k)
        low, high = centre - half, centre + half
    unknown = np.isnan(m + s)
    low, high = (np.where(unknown, np.nan, bounds.low + width * np.clip(end, 0.0, 1.0)) for end in (low, high))
    return np.minimum(low, m), np.maximum(high, m)
