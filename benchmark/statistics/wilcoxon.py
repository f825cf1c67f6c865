"""The Wilcoxon signed-rank test (Wilcoxon 1945, Individual Comparisons by Ranking Methods)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from benchmark.statistics.statistic import Sample, Statistic


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


def wilcoxon(sample: Sample) -> float:
    """Return the two-sided p, with differences rounded to the sample's unit, so that ties are ties."""
    return wilcoxon_p(np.rint(sample.values / sample.unit) if sample.unit else sample.values)


STATISTIC = Statistic("wilcoxon", "Wilcoxon", "test", "Wilcoxon signed-rank test over users.", wilcoxon)
