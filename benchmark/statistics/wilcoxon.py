"""The Wilcoxon signed-rank test (Wilcoxon 1945, Individual Comparisons by Ranking Methods)."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.statistic import Sample, Statistic

MOST_DISTINCT, MOST_TIED = 50, 13
"""Up to so many differences, all of another size or with ties, have an exact p, as in scipy."""


def wilcoxon_p(differences: ArrayLike) -> float:
    """Return the two-sided p of the Wilcoxon signed-rank test, as scipy does.

    ``differences``, shape (n,), are already rounded so that equal sizes are equal numbers. Zero differences are
    dropped, as Wilcoxon did. The p is exact for up to 50 different sizes of difference and up to 13 differences with
    ties, otherwise from the normal approximation corrected for ties. All 0: p is 1.
    """
    from scipy import stats

    array = np.asarray(differences, dtype=np.float64)
    array = array[array != 0]
    n = len(array)
    if not n:
        return 1.0
    order = np.argsort(np.abs(array))
    sizes, positive = np.abs(array)[order], array[order] > 0
    starts = np.flatnonzero(np.concatenate([[True], sizes[1:] != sizes[:-1]]))
    tied = np.diff(np.append(starts, n))
    if n <= MOST_DISTINCT and len(starts) == n:
        return float(stats.wilcoxon(array).pvalue)
    ranks = starts + (tied + 1) / 2  # of each size: the mean of the ranks that it takes
    if n <= MOST_TIED:
        return _exact_with_ties(np.repeat(ranks, tied), positive)
    above = float((ranks * np.add.reduceat(positive.astype(np.int64), starts)).sum())
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((tied.astype(np.float64) ** 3 - tied).sum()) / 48
    return float(2 * stats.norm.sf(abs(above - n * (n + 1) / 4) / math.sqrt(variance)))


def _exact_with_ties(ranks: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """Return the exact p of midranks, shape (n,), with their signs; scipy tries all 2**n signs for it, in seconds."""
    doubled = np.rint(2 * ranks).astype(int)  # midranks are halves of whole numbers
    counts = np.ones(1)
    for rank in doubled:
        counts = np.concatenate([counts, np.zeros(rank)]) + np.concatenate([np.zeros(rank), counts])
    observed = int(doubled[positive].sum())
    tail = min(counts[: observed + 1].sum(), counts[observed:].sum())
    return float(min(1.0, 2 * tail / counts.sum()))


def wilcoxon(sample: Sample) -> float:
    """Return the two-sided p, with differences rounded to the sample's unit, so that ties are ties."""
    return wilcoxon_p(np.rint(sample.values / sample.unit) if sample.unit else sample.values)


STATISTIC = Statistic("wilcoxon", "Wilcoxon", "test", "Wilcoxon signed-rank test over users.", wilcoxon)
