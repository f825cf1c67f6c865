"""The 95 % t interval of a mean over users: mean -/+ t(0.975, n - 1) sd / sqrt(n).

Where screens repeat, the standard error over users and screens and its degrees of freedom take the place of those over
users (``statistics.design``). A mean that has a range gets a score interval inside it (``statistics.score_interval``).
"""

import math

import numpy as np
from scipy.special import stdtrit

from benchmark.statistics.score_interval import score_limits
from benchmark.statistics.statistic import Sample, Statistic


def t_quantile(degrees: int, level: float = 0.95) -> float:
    """Return half an interval's width in standard errors; NaN without degrees of freedom."""
    return float(stdtrit(degrees, (1 + level) / 2)) if degrees > 0 else math.nan


def t_interval(sample: Sample) -> tuple[float, float]:
    """Return the limits; those of a difference are the value itself where all values are equal."""
    values, n = sample.values, len(sample.values)
    mean, error, degrees = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(n), n - 1
    if np.ptp(values) == 0:
        mean, error = float(values[0]), 0.0
    if sample.clustered is not None and sample.clustered.error > sample.unit:
        error, degrees = sample.clustered.error, sample.clustered.degrees
    if sample.bounds is not None:
        low, high = score_limits(mean, error, degrees, n, sample.bounds)
        return float(low), float(high)
    half = t_quantile(degrees) * error
    return mean - half, mean + half


STATISTIC = Statistic(
    "t-interval", "95 % interval", "interval", "t or score interval over users (and screens).", t_interval
)
