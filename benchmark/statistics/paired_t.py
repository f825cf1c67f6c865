"""The paired t-test over users (Student 1908, The Probable Error of a Mean).

Where all differences are equal but not 0, t is infinite. No variance is left for a t-test (its limit p = 0 would be a
claim without grounds for 2 users), so p is the exact sign-flip p, 2 / 2**n, the chance that n fair signs agree.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.statistic import Floats, Sample, Statistic


def paired_t(differences: ArrayLike) -> tuple[Floats, Floats]:
    """Return t and two-sided p of paired differences along the last axis (scipy's one-sample t-test).

    Differences have the shape (..., n), n at least 2: many comparisons at once; t and p have the shape (...). All 0: t
    0, p 1. All equal: t infinite, p 2 / 2**n (see the module's docstring).
    """
    from scipy import stats

    array = np.asarray(differences, dtype=np.float64)
    n = array.shape[-1]
    if n < 2:
        raise ValueError("a t-test needs two differences")
    spread = np.ptp(array, axis=-1)
    largest = np.abs(array).max(axis=-1)
    varies = spread > ROUNDING * largest
    t = np.where(largest == 0, 0.0, np.copysign(np.inf, array[..., 0]))
    p = np.where(largest == 0, 1.0, math.ldexp(1.0, 1 - n))
    if varies.any():
        result = stats.ttest_1samp(array[varies], 0.0, axis=-1)
        t[varies], p[varies] = result.statistic, result.pvalue
    return t, p


def paired_t_p(sample: Sample) -> float:
    """Return the two-sided p."""
    return float(paired_t(sample.values)[1])


STATISTIC = Statistic("t", "t", "test", "Paired t-test over users.", paired_t_p)
