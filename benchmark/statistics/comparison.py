"""Intervals of a mean over users and the paired comparison of two simulators (PROTOCOL section 8).

Degenerate cases, which small test sets and count metrics do produce, are defined and never left to a warning:

- fewer than two users: everything but the mean is NaN and ``reason`` says why;
- all differences 0 (up to rounding): difference 0, interval [0, 0], every p 1;
- all differences equal but not 0: the interval is the point itself; ``paired_t`` says what p is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from benchmark.statistics.bootstrap import N_RESAMPLES, ROUNDING, bootstrap_means
from benchmark.statistics.clusters import SessionMeans
from benchmark.statistics.power import smallest_resolvable
from benchmark.statistics.registry import INTERVALS, MAIN_INTERVAL, TESTS
from benchmark.statistics.statistic import Bounds, Clustered, Floats, Sample


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over users with its 95 % intervals.

    Attributes:
        low: Lower limit of the main interval; NaN for fewer than two users.
        reason: Why limits are NaN, or which degenerate case this is; empty otherwise.
        intervals: Name of another interval of the registry -> its limits.
    """

    n_users: int
    mean: float
    low: float
    high: float
    reason: str = ""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Comparison(Interval):
    """Simulator a compared with simulator b, paired over users: the interval is that of a minus b.

    Attributes:
        tests: Name of a test of the registry -> its two-sided p; NaN where it was left out.
        smallest_difference: The smallest true difference that this many users with these spreads would show with
            80 % power at 5 %, uncorrected; NaN where the differences have no spread.
    """

    tests: Mapping[str, float] = field(default_factory=dict, hash=False)
    smallest_difference: float = math.nan

    @property
    def mean_difference(self) -> float:
        """Mean of a minus mean of b, in the metric's unit."""
        return self.mean


def mean_interval(values: ArrayLike, clustered: Clustered | None = None, bounds: Bounds | None = None) -> Interval:
    """Return the mean over users of finite values, shape (n_users,), with its 95 % intervals.

    ``clustered`` is what the mean varies with over users and screens, where screens repeat, ``bounds`` the range of the
    values, which the main interval does not leave.
    """
    return _interval(Sample(_finite(values), clustered=clustered, bounds=bounds))


def _interval(sample: Sample) -> Interval:
    n = len(sample.values)
    if n < 2:
        mean = float(sample.values[0]) if n else math.nan
        reason = f"{n} user{'s' if n != 1 else ''}: an interval needs at least 2"
        return Interval(n, mean, math.nan, math.nan, reason)
    # the mean of equal numbers may differ from them by rounding
    mean = float(sample.values[0] if np.ptp(sample.values) == 0 else sample.values.mean())
    low, high = MAIN_INTERVAL.function(sample)
    others = {one.name: one.function(sample) for one in INTERVALS}
    return Interval(n, mean, low, high, intervals=others)


def paired_comparison(
    a: ArrayLike | pd.Series[float],
    b: ArrayLike | pd.Series[float],
    *,
    n_resamples: int = N_RESAMPLES,
    resampled: Floats | None = None,
    clustered: Clustered | None = None,
) -> Comparison:
    """Compare two simulators paired over users, a minus b.

    Differences below 1e-12 of the values compared are rounding (say, of means over different numbers of seeds) and
    are set to 0.

    Args:
        a: One value per user, shape (n_users,), as a column of ``user_means``.
        b: The other simulator's, same users in the same order; the indices of two Series must be equal.
        n_resamples: Bootstrap resamples; 0 leaves the bootstrap out.
        resampled: Mean differences already resampled, shape (n_resamples,), from ``bootstrap_means`` of both
            simulators; takes the place of ``n_resamples``.
        clustered: What the mean difference varies with over users and screens, where screens repeat.
    """
    if isinstance(a, pd.Series) and isinstance(b, pd.Series) and not a.index.equals(b.index):
        raise ValueError("the two simulators are not scored on the same users in the same order")
    first, second = _finite(a), _finite(b)
    if first.shape != second.shape:
        raise ValueError(f"cannot pair {first.size} users with {second.size}")
    differences = first - second
    unit = ROUNDING * float(np.abs([first, second]).max(initial=0.0))
    if first.size < 2:
        few = mean_interval(differences)
        blank = dict.fromkeys((one.name for one in TESTS), math.nan)
        return Comparison(few.n_users, few.mean, few.low, few.high, few.reason, tests=blank)
    differences[np.abs(differences) <= unit] = 0.0
    reason = ""
    if np.ptp(differences) <= unit:
        differences[:] = differences[0]
        reason = "all differences are 0" if differences[0] == 0 else "all differences are equal"
    if resampled is None and n_resamples > 0:
        resampled = bootstrap_means(differences, n_resamples)
    sample = Sample(differences, unit, resampled, clustered)
    found = _interval(sample)
    error = Clustered(0.0 if reason else float(differences.std(ddof=1)) / math.sqrt(first.size), first.size - 1)
    if clustered is not None and clustered.error > unit:
        error = clustered
    tests = {one.name: one.function(sample) for one in TESTS}
    smallest = smallest_resolvable(error.error, error.degrees)
    return Comparison(first.size, found.mean, found.low, found.high, reason, found.intervals, tests, smallest)


def compare_pairs(
    means: pd.DataFrame | SessionMeans,
    pairs: Sequence[tuple[str, str]],
    *,
    n_resamples: int = N_RESAMPLES,
    resampled: Floats | None = None,
) -> dict[tuple[str, str], Comparison]:
    """Compare pairs of simulators (a, b) over the same resamples, b subtracted, without correction.

    ``means`` are scores by session; or, where nothing is known of screens, ``user_means``. ``resampled`` are
    ``bootstrap_means`` of all simulators, where they are known already; ``n_resamples`` 0 leaves the bootstrap out.
    """
    sessions, users = (None, means) if isinstance(means, pd.DataFrame) else (means, means.users)
    column = {name: position for position, name in enumerate(users.columns)}
    values = users.to_numpy(dtype=np.float64)
    if resampled is None and n_resamples and pairs and len(values):
        resampled = bootstrap_means(values, n_resamples)
    result = {}
    for a, b in pairs:
        i, j = column[a], column[b]
        # Resampled means are linear in the values and share their draws, so their difference is that of the pair.
        difference = None if resampled is None else resampled[:, i] - resampled[:, j]
        clustered = None if sessions is None else sessions.clustered(sessions.values[:, i] - sessions.values[:, j])
        result[a, b] = paired_comparison(
            values[:, i], values[:, j], n_resamples=0, resampled=difference, clustered=clustered
        )
    return result


def _finite(values: ArrayLike | pd.Series[float]) -> Floats:
    """Return a checked one-dimensional copy."""
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("expected one finite value per user")
    return array
