"""Holm's correction over a family of comparisons (PROTOCOL section 8)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.design import Ints
from benchmark.statistics.statistic import Floats


def holm_adjust(p_values: ArrayLike) -> Floats:
    """Adjust p values for multiplicity by Holm's step-down method along the last axis.

    Sorted p(1) <= ... <= p(m) become max over j <= i of (m - j + 1) p(j), at most 1 (Holm, 1979). The chance of any
    false rejection among the m is at most alpha, whatever their dependence. NaN means no test: it is left out of m and
    stays NaN. ``p_values`` have the shape (..., m), many families at once; so have the adjusted ones.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if ((p < 0) | (p > 1)).any():
        raise ValueError("a p value lies outside 0..1")
    order = np.argsort(p, axis=-1, kind="stable")  # NaN last
    count = np.count_nonzero(~np.isnan(p), axis=-1)[..., None]
    factors = np.maximum(count - np.arange(p.shape[-1]), 0)
    stepped = np.minimum(np.maximum.accumulate(np.take_along_axis(p, order, axis=-1) * factors, axis=-1), 1.0)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, stepped, axis=-1)
    return adjusted


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust the named p values of one family (see :func:`holm_adjust`); the order of the names is kept."""
    adjusted = holm_adjust(list(p_values.values()))
    return dict(zip(p_values, adjusted.tolist(), strict=True))


def equal_columns(values: Floats) -> Ints:
    """Return for each simulator the first that has the same values, with which it enters a family once; or itself.

    Values have shape (users, simulators); differences up to rounding count as none, and NaN equals nothing.
    """
    of = np.arange(values.shape[1])
    if not len(values):
        return of
    mean, largest = values.mean(axis=0), np.abs(values).max(axis=0)
    firsts: list[int] = []
    for i in of.tolist():
        near = [j for j in firsts if abs(mean[i] - mean[j]) <= ROUNDING * largest[i] and not np.isnan(mean[i])]
        same = [j for j in near if np.abs(values[:, i] - values[:, j]).max() <= ROUNDING * max(largest[i], largest[j])]
        of[i] = same[0] if same else i
        firsts += [] if same else [i]
    return of
