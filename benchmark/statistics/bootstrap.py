"""Bootstrap over users, with the same resamples for every simulator.

A resample draws as many users as there are, with replacement (Efron and Tibshirani, 1993, chapter 13). Because the
draws depend only on the number of users, the number of resamples and the seed, the resampled means of two simulators
may be subtracted: that is the resampled mean of their paired difference.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.statistic import Floats, Sample, Statistic

N_RESAMPLES = 10_000
_BLOCK = 1 << 18
"""Draws held at a time (2 MiB of indices): memory does not grow with the number of resamples."""
_ROWS = 64
"""Resamples held at a time at least: a product with fewer reads the values more often than it multiplies."""
_LARGE = 2_000_000
"""Products of more multiplications are made for all tables at once; BLAS rounds smaller ones in another order."""

ROUNDING = 1e-12
"""Differences this small, relative to the values subtracted, are rounding and count as 0."""


def bootstrap_indices(n_users: int, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield blocks of resamples, shape (rows, n_users), user indices: ``n_resamples`` rows, the same for a seed."""
    if n_users < 1 or n_resamples < 1:
        raise ValueError("n_users and n_resamples must be at least 1")
    generator = np.random.default_rng(seed)
    rows = max(_ROWS, _BLOCK // n_users)
    for start in range(0, n_resamples, rows):
        yield generator.integers(n_users, size=(min(rows, n_resamples - start), n_users), dtype=np.int64)


def bootstrap_means(values: ArrayLike, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Floats:
    """Return the mean over users in each resample.

    Values have shape (n_users,) or (n_users, n_simulators), means (n_resamples,) or (n_resamples, n_simulators); all
    columns see the same resamples.
    """
    return bootstrap_tables([values], n_resamples, seed)[0]


def bootstrap_tables(tables: Sequence[ArrayLike], n_resamples: int = N_RESAMPLES, seed: int = 0) -> list[Floats]:
    """Return :func:`bootstrap_means` of several tables of the same users, whose resamples are drawn once for all."""
    matrices = [np.asarray(values, dtype=np.float64) for values in tables]
    if not matrices:
        return []
    n_users, wide = matrices[0].shape[0], np.hstack([matrix.reshape(len(matrix), -1) for matrix in matrices])
    ends = np.cumsum([matrix.size // n_users for matrix in matrices])
    narrowest = int(np.diff(ends, prepend=0).min())
    blocks: list[list[Floats]] = [[] for _ in matrices]
    for indices in bootstrap_indices(n_users, n_resamples, seed):
        # How often each user was drawn; a product with these counts serves all simulators at once.
        counts = np.empty(indices.shape)
        for row, drawn in zip(counts, indices, strict=True):
            row[:] = np.bincount(drawn, minlength=n_users)
        if counts.size * narrowest > _LARGE:
            products = np.split(counts @ wide, ends[:-1], axis=1)
        else:
            products = [counts @ matrix for matrix in matrices]
        for found, product, matrix in zip(blocks, products, matrices, strict=True):
            found.append(product.reshape(len(counts), *matrix.shape[1:]) / n_users)
    return [np.concatenate(found) for found in blocks]


def percentile_interval(resampled: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the central ``level`` of resampled means, shape (n_resamples,), by linear interpolation.

    It is narrower than the t interval by about sqrt((n-1)/n) and by the normal in place of the t quantile, so it
    covers a little less than ``level`` for few users (about 90 % at n = 10, 94 % at n = 40, for a level of 95 %).
    """
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_p(resampled: Floats, zero: float = 0.0) -> float:
    """Return the two-sided bootstrap p of no difference, from resampled mean differences.

    Twice the smaller share of resamples on either side of 0, both counting the zeros, with one added to numerator and
    denominator (Davison and Hinkley, 1997, equation 4.11), at most 1. It goes with :func:`percentile_interval`: p
    falls below 0.05 as the 95 % interval leaves 0. The smallest value it can take is 2 / (n_resamples + 1). Means of
    at most the size ``zero`` count as 0 (rounding); ``resampled`` has shape (n_resamples,).
    """
    below = np.count_nonzero(resampled <= zero)
    above = np.count_nonzero(resampled >= -zero)
    return float(min(1.0, 2 * (1 + min(below, above)) / (len(resampled) + 1)))


def bootstrap_test(sample: Sample) -> float:
    """Return the two-sided bootstrap p of a sample, NaN if no resamples were drawn."""
    return float("nan") if sample.resampled is None else bootstrap_p(sample.resampled, zero=sample.unit)


STATISTIC = Statistic("bootstrap", "bootstrap", "test", "Bootstrap over users with shared resamples.", bootstrap_test)
