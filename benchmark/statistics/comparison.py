"""Intervals of a mean over users and the paired comparison of two simulators (PROTOCOL section 8).

Degenerate cases, which small test sets and count metrics do produce, are defined and never left to a warning:

- fewer than two users: everything but the mean is NaN and ``reason`` says why;
- all differences 0 (up to rounding): difference 0, interval [0, 0], t 0, every p 1;
- all differences equal but not 0: the interval is the point itself and t is infinite. No variance is left for a
  t-test (its limit p = 0 would be a claim without grounds for 2 users), so ``p_t`` is the exact sign-flip p,
  2 / 2**n, the chance that n fair signs agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.bootstrap import N_RESAMPLES, ROUNDING, bootstrap_means, bootstrap_p, percentile_interval
from benchmark.statistics.power import smallest_resolvable_difference

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its t interval; ``reason`` says why limits are NaN, and is empty otherwise."""

    n_users: int
    mean: float
    low: float
    high: float
    level: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Simulator a against simulator b, paired over users.

    Attributes:
        n_users: Users compared.
        mean_difference: Mean of a minus mean of b, in the metric's unit.
        low: Lower limit of the t interval of the difference.
        high: Upper limit.
        t: Paired t statistic, n_users - 1 degrees of freedom.
        p_t: Its two-sided p.
        p_wilcoxon: Two-sided p of the Wilcoxon signed-rank test.
        p_bootstrap: Two-sided p of the bootstrap over users; NaN if it was not asked for.
        bootstrap_low: Lower limit of the percentile bootstrap interval of the difference; NaN likewise.
        bootstrap_high: Upper limit.
        smallest_difference: The smallest true difference that this many users with these spreads would show with
            80 % power at 5 %, uncorrected; NaN where the differences have no spread.
        level: Nominal coverage of both intervals.
        reason: Why values are NaN or which degenerate case this is; empty otherwise.
    """

    n_users: int
    mean_difference: float
    low: float
    high: float
    t: float
    p_t: float
    p_wilcoxon: float
    p_bootstrap: float
    bootstrap_low: float
    bootstrap_high: float
    smallest_difference: float
    level: float = 0.95
    reason: str = ""


def t_limits(values: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return mean, lower and upper t limit along the last axis.

    Args:
        values: Shape (..., n), n at least 2: many samples at once.
        level: Nominal coverage.

    Returns:
        Three arrays of shape (...): mean -/+ t((1 + level) / 2, n - 1) * sd / sqrt(n).
    """
    from scipy.special import stdtrit

    array = np.asarray(values, dtype=np.float64)
    n = array.shape[-1]
    mean: Floats = array.mean(axis=-1)
    half: Floats = stdtrit(n - 1, (1 + level) / 2) * array.std(axis=-1, ddof=1) / math.sqrt(n)
    return mean, mean - half, mean + half


def paired_t(differences: ArrayLike) -> tuple[Floats, Floats]:
    """Return t and two-sided p of paired differences along the last axis (scipy's one-sample t-test).

    Args:
        differences: Shape (..., n), n at least 2: many comparisons at once.

    Returns:
        Two arrays of shape (...). All 0: t 0, p 1. All equal: t infinite, p 2 / 2**n (see the module's docstring).
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


def wilcoxon_p(differences: ArrayLike) -> float:
    """Return the two-sided p of the Wilcoxon signed-rank test (scipy).

    Zero differences are dropped, as Wilcoxon did. The p is exact for up to 50 different sizes of difference and up to
    13 differences with ties, otherwise from the normal approximation corrected for ties. All 0: p is 1.

    Args:
        differences: Shape (n,), already rounded so that equal sizes are equal numbers.
    """
    from scipy import stats

    array = np.asarray(differences, dtype=np.float64)
    array = array[array != 0]
    return float(stats.wilcoxon(array).pvalue) if array.size else 1.0


def mean_interval(values: ArrayLike, level: float = 0.95) -> Interval:
    """Return the mean over users with its t interval.

    Args:
        values: One value per user, shape (n_users,), finite.
        level: Nominal coverage, between 0 and 1.

    Returns:
        The interval; its limits are NaN, with the reason, for fewer than two users.
    """
    array = _finite(values)
    if array.size < 2:
        mean = float(array[0]) if array.size else math.nan
        return Interval(array.size, mean, math.nan, math.nan, level, _too_few(array.size))
    if np.ptp(array) == 0:  # the mean of equal numbers may differ from them by rounding
        return Interval(array.size, float(array[0]), float(array[0]), float(array[0]), level)
    mean_, low, high = t_limits(array, level)
    return Interval(array.size, float(mean_), float(low), float(high), level)


def paired_comparison(
    a: ArrayLike | pd.Series[float],
    b: ArrayLike | pd.Series[float],
    *,
    level: float = 0.95,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    resampled: Floats | None = None,
) -> Comparison:
    """Compare two simulators paired over users.

    Differences below 1e-12 of the values compared are rounding (say, of means over different numbers of seeds) and
    are set to 0; for the Wilcoxon test differences are rounded likewise, so that ties are ties.

    Args:
        a: One value per user, shape (n_users,), as a column of ``user_means``.
        b: The other simulator's, same users in the same order; the indices of two Series must be equal.
        level: Nominal coverage of the intervals.
        n_resamples: Bootstrap resamples; 0 leaves the bootstrap out.
        seed: Of the resamples.
        resampled: Mean differences already resampled, shape (n_resamples,), from ``bootstrap_means`` of both
            simulators; takes the place of ``n_resamples`` and ``seed``.

    Returns:
        The comparison, a minus b.
    """
    if isinstance(a, pd.Series) and isinstance(b, pd.Series) and not a.index.equals(b.index):
        raise ValueError("the two simulators are not scored on the same users in the same order")
    first, second = _finite(a), _finite(b)
    if first.shape != second.shape:
        raise ValueError(f"cannot pair {first.size} users with {second.size}")
    n = first.size
    differences = first - second
    unit = ROUNDING * float(np.abs([first, second]).max(initial=0.0))
    if n < 2:
        nan = math.nan
        mean = float(differences[0]) if n else nan
        return Comparison(n, mean, nan, nan, nan, nan, nan, nan, nan, nan, nan, level, _too_few(n))
    differences[np.abs(differences) <= unit] = 0.0
    reason = ""
    if np.ptp(differences) <= unit:
        differences[:] = differences[0]
        reason = "all differences are 0" if differences[0] == 0 else "all differences are equal"
    if resampled is None and n_resamples > 0:
        resampled = bootstrap_means(differences, n_resamples, seed)
    t, p_t = paired_t(differences)
    interval = mean_interval(differences, level)
    boot_low, boot_high = (interval.low, interval.high) if reason else (math.nan, math.nan)
    p_bootstrap = math.nan
    if resampled is not None:
        p_bootstrap = bootstrap_p(resampled, zero=unit)
        if not reason:
            boot_low, boot_high = percentile_interval(resampled, level)
    ranked = np.rint(differences / unit) if unit else differences
    return Comparison(
        n_users=n,
        mean_difference=interval.mean,
        low=interval.low,
        high=interval.high,
        t=float(t),
        p_t=float(p_t),
        p_wilcoxon=wilcoxon_p(ranked),
        p_bootstrap=p_bootstrap,
        bootstrap_low=boot_low,
        bootstrap_high=boot_high,
        smallest_difference=math.nan if reason else smallest_resolvable_difference(float(differences.std(ddof=1)), n),
        level=level,
        reason=reason,
    )


def _finite(values: ArrayLike | pd.Series[float]) -> Floats:
    """Return a checked one-dimensional copy."""
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("expected one finite value per user")
    return array


def _too_few(n: int) -> str:
    """Return the reason for blank limits."""
    return f"{n} user{'s' if n != 1 else ''}: an interval needs at least 2"
