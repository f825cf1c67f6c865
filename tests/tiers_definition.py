"""Statistical tiers by their definition, pair by pair: what a leaderboard computes for all lines at once."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from benchmark.statistics.bootstrap import N_RESAMPLES
from benchmark.statistics.clusters import SessionMeans
from benchmark.statistics.comparison import compare_pairs
from benchmark.statistics.holm import equal_columns, holm_adjust
from benchmark.statistics.registry import TESTS, corrected_p
from tasks.errors import unknown_name


def tiers(
    scored: pd.DataFrame | SessionMeans,
    higher_is_better: bool,
    alpha: float = 0.05,
    test: str = "",
    *,
    n_resamples: int = N_RESAMPLES,
) -> pd.DataFrame:
    """Group simulators whose difference from the best of their group is not established.

    All pairs of simulators form one family, corrected after Holm; simulators with equal values enter it once and are
    in one tier, so that a copy separates nobody. Simulators are sorted by their mean over users,
    best first (by name where equal). The first leads tier 1. Going down the list, a simulator belongs to the current
    tier unless it is significantly worse than that tier's leader; then it opens and leads the next tier. So every
    member of a tier is not separated from its leader, and every leader is separated from the leader before it. Two
    members of one tier may still be separated from each other, and a simulator with a wide spread may be in a
    lower tier than its own comparison with the first leader asks for: tiers are an order, not a partition into equals.

    Args:
        scored: One metric's scores by session; or, where nothing is known of screens, ``user_means``.
        higher_is_better: Direction of the metric.
        alpha: Family-wise level.
        test: Name of the test of the registry whose p is corrected; by default the larger of the t-tests.
        n_resamples: Bootstrap resamples, used by ``bootstrap`` only.

    Returns:
        Index simulator, best first; columns ``mean`` (float64), ``tier`` (1 is best), ``leader`` (of the tier) and
        ``p_leader`` (adjusted p against that leader, NaN for the leader itself). With fewer than two users nothing is
        separated and all are in tier 1.
    """
    known = [one.name for one in TESTS]
    if test and test not in known:
        raise unknown_name("test", test, known)
    means = scored if isinstance(scored, pd.DataFrame) else scored.users
    names = [str(name) for name in means.columns]
    average = dict(zip(names, means.to_numpy(dtype=np.float64).mean(axis=0), strict=True)) if len(means) else {}
    ordered = sorted(average, key=lambda name: (-average[name] if higher_is_better else average[name], name))
    of = equal_columns(means.to_numpy(dtype=np.float64))
    first = dict(zip(names, (names[i] for i in of), strict=True))
    adjusted = {frozenset((name,)): 1.0 for name in first.values()}  # what equals its leader
    if len(means) > 1:
        family = [names[i] for i in np.unique(of)]
        adjusted |= _adjusted(scored, family, test, n_resamples if test == "bootstrap" else 0)
    rows = []
    leader, tier = "", 0
    for name in ordered:
        p = adjusted.get(frozenset((first.get(leader, leader), first[name])), np.nan)
        if tier == 0 or p <= alpha:
            leader, tier, p = name, tier + 1, np.nan
        rows.append((average[name], tier, leader, p))
    index = pd.Index(ordered, name="simulator")
    table: pd.DataFrame = pd.DataFrame(rows, columns=["mean", "tier", "leader", "p_leader"], index=index)
    return table


def _adjusted(
    scored: pd.DataFrame | SessionMeans, names: list[str], test: str, n_resamples: int
) -> dict[frozenset[str], float]:
    """Return the corrected p of every pair of simulators."""
    compared = compare_pairs(scored, list(combinations(names, 2)), n_resamples=n_resamples)
    p = holm_adjust([one.tests[test] if test else corrected_p(one.tests) for one in compared.values()])
    return {frozenset(pair): float(value) for pair, value in zip(compared, p, strict=True)}
