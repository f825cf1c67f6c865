"""Statistical tiers over a results table (PROTOCOL section 8), for a thousand submissions at once.

The definition is that of :func:`benchmark.statistics.tiers`: all pairs of ranked simulators on a metric are one
family, corrected after Holm; going down from the best, a simulator opens a new tier when it is significantly worse
than the leader of the current one. Here the paired t-tests of all pairs come out of one matrix of cross products
instead of one test at a time; tests compare the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.holm import holm_adjust
from benchmark.statistics.paired_t import paired_t
from benchmark.statistics.power import smallest_resolvable_difference
from benchmark.statistics.t_interval import t_limits
from leaderboard.board_table import BoardTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ALPHA = 0.05
_CANCELLED = 1e-6
"""Where the cross products leave less than this share of the variances, the pair is computed from its differences."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Means, intervals and order of a table; axes are (rows, metrics) unless said otherwise.

    Attributes:
        mean: Mean over users; NaN where a line does not claim the metric.
        low: Lower end of its 95 % t interval; NaN for fewer than two users.
        seed_sd: SD over seeds of the mean; NaN for one seed and for a deterministic simulator.
        tier: 1 is best; 0 for lines that are not ranked or do not claim the metric.
        place: Place by mean, 1 is best, equal means share it; 0 as for ``tier``.
        p_leader: Corrected p against the leader of the tier; NaN for leaders and where there is no tier.
        resolves: Smallest difference from the position prior that the test set shows with 80 % power: the median
            over ranked lines, shape (metrics,); NaN where it is not known.
        n_ranked: Ranked lines that claim the metric, shape (metrics,).
    """

    mean: Floats
    low: Floats
    high: Floats
    seed_sd: Floats
    tier: Ints
    place: Ints
    p_leader: Floats
    resolves: Floats
    n_ranked: Ints


def rank(table: BoardTable, alpha: float = ALPHA) -> Ranking:
    """Rank every metric of a table; ``alpha`` is the family-wise level of the tiers."""
    values = table.by_user
    shape = (len(table.rows), len(table.metrics))
    mean, low, high = (np.full(shape, np.nan) for _ in range(3))
    if len(table.rows) and len(table.users) > 1:
        mean, low, high = t_limits(values.transpose(0, 2, 1))
    elif len(table.rows):
        mean = values.mean(axis=1)
    tier, place = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    p_leader, resolves = np.full(shape, np.nan), np.full(shape[1], np.nan)
    n_ranked = np.zeros(shape[1], dtype=np.int64)
    ranked = np.array([row.ranked for row in table.rows], dtype=bool)
    for j, metric in enumerate(table.metrics):
        prior = table.find(metric.prior)
        chosen = np.flatnonzero(ranked & ~np.isnan(mean[:, j])) if len(table.rows) else np.zeros(0, dtype=np.int64)
        n_ranked[j] = len(chosen)
        if not len(chosen):
            continue
        score = -mean[chosen, j] if metric.higher_is_better else mean[chosen, j]
        tied_names = [(table.rows[i].name, table.rows[i].key) for i in chosen]
        order = sorted(range(len(chosen)), key=lambda i, s=score, n=tied_names: (s[i], n[i]))  # type: ignore[misc]
        adjusted = _corrected(values[chosen, :, j])
        leader, level = -1, 0
        for i in order:
            p = adjusted[leader, i] if leader >= 0 else math.nan
            if leader < 0 or p <= alpha:
                leader, level, p = i, level + 1, math.nan
            tier[chosen[i], j], p_leader[chosen[i], j] = level, p
            place[chosen[i], j] = 1 + int(np.count_nonzero(score < score[i]))
        if prior is not None and not np.isnan(mean[prior, j]):
            resolves[j] = _resolution(values[chosen, :, j], values[prior, :, j])
    return Ranking(mean, low, high, _seed_sd(table), tier, place, p_leader, resolves, n_ranked)


def _corrected(values: Floats) -> Floats:
    """Return the Holm-corrected p of every pair, shape (n, n), NaN on the diagonal and for fewer than two users."""
    n, users = values.shape
    adjusted = np.full((n, n), np.nan)
    if n > 1 and users > 1:
        upper = np.triu_indices(n, 1)
        p = holm_adjust(pairwise_p(values))
        adjusted[upper] = p
        adjusted.T[upper] = p
    return adjusted


def pairwise_p(values: Floats) -> Floats:
    """Return the two-sided p of the paired t-test of every pair, in the order of ``numpy.triu_indices``.

    With centred values c, the variance of a difference is (c_a.c_a + c_b.c_b - 2 c_a.c_b) / (n - 1), so one matrix
    product serves all pairs. Pairs whose variances or means nearly cancel are computed from their differences, with
    the rounding rule of ``benchmark.statistics.paired_comparison``. ``values`` has the shape (simulators, users), at
    least two of each.
    """
    from scipy.special import stdtr

    n = values.shape[1]
    a, b = np.triu_indices(len(values), 1)
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    cross = centred @ centred.T
    own = np.diag(cross)
    squares = own[a] + own[b]
    sums = squares - 2 * cross[a, b]
    difference = np.abs(mean[a] - mean[b])
    largest = np.abs(values).max(axis=1)
    doubtful = (sums <= _CANCELLED * squares) | (difference <= 1e-9 * np.maximum(largest[a], largest[b]))
    sums[doubtful] = 1.0
    p: Floats = 2 * stdtr(n - 1, -difference / np.sqrt(sums / (n * (n - 1))))
    chosen = np.flatnonzero(doubtful)
    for start in range(0, len(chosen), 4096):
        some = chosen[start : start + 4096]
        p[some] = _exact_p(values[a[some]], values[b[some]])
    return p


def _exact_p(a: Floats, b: Floats) -> Floats:
    """Return the p of pairs from their differences, shape (pairs,)."""
    unit = ROUNDING * np.maximum(np.abs(a).max(axis=1), np.abs(b).max(axis=1))[:, None]
    differences = a - b
    differences[np.abs(differences) <= unit] = 0.0
    level = np.ptp(differences, axis=1) <= unit[:, 0]
    differences[level] = differences[level, :1]
    return paired_t(differences)[1]


def _resolution(values: Floats, prior: Floats) -> float:
    """Return the median of what comparisons with the prior can resolve; those without any spread are left out."""
    differences = values - prior
    if differences.shape[1] < 2:
        return math.nan
    spread = differences.std(axis=1, ddof=1)
    noise = ROUNDING * np.maximum(np.abs(values).max(axis=1), np.abs(prior).max())
    sizes = [smallest_resolvable_difference(float(sd), len(prior)) for sd in spread[spread > noise]]
    return float(np.median(sizes)) if sizes else math.nan


def _seed_sd(table: BoardTable) -> Floats:
    """Return the SD over seeds of each mean (ddof = 1), as ``benchmark.statistics.seed_sd`` defines it."""
    found = np.full((len(table.rows), len(table.metrics)), np.nan)
    for i, row in enumerate(table.rows):
        if len(row.seeds) > 1:
            by_seed = np.einsum("us,ksm->kum", table.averaging, row.values).mean(axis=1)
            varies = (row.values.max(axis=0) > row.values.min(axis=0)).any(axis=0)
            found[i] = np.where(varies, by_seed.std(axis=0, ddof=1), np.nan)
    return found
