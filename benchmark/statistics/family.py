"""Families of comparisons and Holm's correction over them (PROTOCOL section 8)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from benchmark.statistics.bootstrap import N_RESAMPLES, bootstrap_means
from benchmark.statistics.clusters import metric_names, user_means
from benchmark.statistics.comparison import Comparison, paired_comparison
from benchmark.statistics.power import smallest_resolvable_difference
from tasks.errors import InputError, unknown_name

Floats = NDArray[np.float64]

ALL_PAIRS = "all-pairs"
TESTS = ("t", "wilcoxon", "bootstrap")


@dataclass(frozen=True, slots=True)
class Family:
    """Comparisons that are corrected together, declared in the config before the results are seen.

    Attributes:
        name: What the results call it.
        metrics: The metrics it spans; every metric adds its comparisons to the one family.
        reference: A simulator that all others are compared with, or ``all-pairs``.
        alpha: Family-wise level.
        test: Whose p is corrected: ``t``, ``wilcoxon`` or ``bootstrap``.
    """

    name: str
    metrics: tuple[str, ...]
    reference: str = ALL_PAIRS
    alpha: float = 0.05
    test: str = "t"

    def __post_init__(self) -> None:
        if not self.metrics:
            raise InputError(f"the family {self.name} names no metric.")
        if len(set(self.metrics)) < len(self.metrics):
            raise InputError(f"the family {self.name} names a metric twice.")
        if not 0 < self.alpha < 1:
            raise InputError(f"the family {self.name} has alpha {self.alpha}; expected a number between 0 and 1.")
        if self.test not in TESTS:
            raise unknown_name("test", self.test, TESTS)

    def pairs(self, simulators: Iterable[str]) -> list[tuple[str, str]]:
        """Return the pairs (a, b) to compare among ``simulators``: (other, reference), or all pairs in order.

        A reference that is not among them (it does not claim the metric) leaves nothing to compare.
        """
        names = list(simulators)
        if self.reference == ALL_PAIRS:
            return list(combinations(names, 2))
        return [(name, self.reference) for name in names if name != self.reference] if self.reference in names else []


@dataclass(frozen=True, slots=True)
class FamilyComparison:
    """One comparison of a family.

    Attributes:
        family: The family's name.
        metric: What was compared.
        a: A simulator.
        b: The simulator subtracted from it.
        comparison: The uncorrected result.
        p_adjusted: The family's p after Holm's correction; NaN if the comparison has none.
        significant: Whether it is at most the family's alpha.
    """

    family: str
    metric: str
    a: str
    b: str
    comparison: Comparison
    p_adjusted: float
    significant: bool


def holm_adjust(p_values: ArrayLike) -> Floats:
    """Adjust p values for multiplicity by Holm's step-down method along the last axis.

    Sorted p(1) <= ... <= p(m) become max over j <= i of (m - j + 1) p(j), at most 1 (Holm, 1979). The chance of any
    false rejection among the m is at most alpha, whatever their dependence. NaN is no test: it is left out of m and
    stays NaN.

    Args:
        p_values: Shape (..., m), between 0 and 1 or NaN: many families at once.

    Returns:
        Adjusted p values, same shape.
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


def compare_family(
    scores: pd.DataFrame, family: Family, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> list[FamilyComparison]:
    """Carry out all comparisons of a family and correct them together.

    Args:
        scores: The score table of ``benchmark.statistics.clusters``, without simulators that are not to be compared
            (oracles).
        family: What to compare.
        n_resamples: Bootstrap resamples, the same for all simulators; 0 leaves the bootstrap out.
        seed: Of the resamples.

    Returns:
        One entry per metric and pair, in that order.

    Raises:
        InputError: The reference or a metric is not in the table, or the table is faulty.
    """
    simulators = [str(name) for name in scores["simulator"].unique()] if "simulator" in scores.columns else []
    if family.reference != ALL_PAIRS and family.reference not in simulators:
        raise unknown_name("reference simulator", family.reference, sorted(simulators))
    for metric in family.metrics:
        if metric not in metric_names(scores):
            raise unknown_name("metric", metric, metric_names(scores))
    if family.test == "bootstrap" and n_resamples < 1:
        raise InputError(f"the family {family.name} corrects bootstrap p values: ask for resamples.")
    found: list[tuple[str, str, str, Comparison]] = []
    for metric in family.metrics:
        means = user_means(scores, metric)
        pairs = family.pairs(means.columns)
        for (a, b), comparison in compare_pairs(means, pairs, n_resamples=n_resamples, seed=seed).items():
            found.append((metric, a, b, comparison))
    adjusted = holm_adjust([tested_p(comparison, family.test) for *_, comparison in found])
    return [
        FamilyComparison(family.name, metric, a, b, comparison, float(p), bool(p <= family.alpha))
        for (metric, a, b, comparison), p in zip(found, adjusted, strict=True)
    ]


def compare_pairs(
    means: pd.DataFrame, pairs: Sequence[tuple[str, str]], *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> dict[tuple[str, str], Comparison]:
    """Compare pairs of columns of ``user_means`` over the same resamples, without correction.

    Args:
        means: Index user, one column per simulator.
        pairs: Columns (a, b) to compare.
        n_resamples: Bootstrap resamples; 0 leaves the bootstrap out.
        seed: Of the resamples.

    Returns:
        The comparison a minus b of each pair.
    """
    column = {name: position for position, name in enumerate(means.columns)}
    values = means.to_numpy(dtype=np.float64)
    resampled = bootstrap_means(values, n_resamples, seed) if n_resamples and pairs and len(values) else None
    result = {}
    for a, b in pairs:
        i, j = column[a], column[b]
        # Resampled means are linear in the values and share their draws, so their difference is that of the pair.
        difference = None if resampled is None else resampled[:, i] - resampled[:, j]
        result[a, b] = paired_comparison(values[:, i], values[:, j], n_resamples=0, resampled=difference)
    return result


def tested_p(comparison: Comparison, test: str) -> float:
    """Return the p of a comparison by the name of its test."""
    if test == "t":
        return comparison.p_t
    if test == "wilcoxon":
        return comparison.p_wilcoxon
    if test == "bootstrap":
        return comparison.p_bootstrap
    raise unknown_name("test", test, TESTS)


def resolution(means: pd.DataFrame, reference: str = ALL_PAIRS, alpha: float = 0.05, power: float = 0.80) -> float:
    """Return the smallest difference a metric can resolve on this test set: the median over its comparisons.

    Args:
        means: ``user_means`` of the metric.
        reference: A simulator whose comparisons count, or ``all-pairs``.
        alpha: Two-sided level of one test.
        power: Wanted power.

    Returns:
        In the metric's unit; NaN where no pair of simulators differs with any spread.
    """
    pairs = Family("resolution", ("-",), reference).pairs(str(name) for name in means.columns)
    sizes = []
    for a, b in pairs:
        difference = means[a].to_numpy(dtype=np.float64) - means[b].to_numpy(dtype=np.float64)
        sd = float(difference.std(ddof=1)) if len(difference) > 1 else math.nan
        sizes.append(smallest_resolvable_difference(sd, len(difference), alpha, power))
    known = [size for size in sizes if not math.isnan(size)]
    return float(np.median(known)) if known else math.nan
