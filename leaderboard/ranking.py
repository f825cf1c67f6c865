"""Statistical tiers over a results table (PROTOCOL section 8), for a thousand submissions at once.

All pairs of ranked simulators on a metric are one family, corrected after Holm; equal ones enter it once. Sorted by
mean, the first leads tier 1. Going down, a simulator belongs to the current tier unless it is significantly worse than
its leader; then it leads the next tier. Two members of one tier may still be separated from each other: tiers are an
order, not a partition into equals. The tests of all pairs, over users and over users and screens, come out of matrices
of cross products instead of one test at a time; tests compare the two.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.design import Design, two_way
from benchmark.statistics.holm import equal_columns, holm_adjust
from benchmark.statistics.paired_t import paired_t
from benchmark.statistics.score_interval import score_limits
from leaderboard.board_table import BoardTable
from tasks.types import Floats

Ints = NDArray[np.int64]

ALPHA = 0.05
_CANCELLED = 1e-6
"""Where the cross products leave less than this share of the variances, the pair is computed from its differences."""

_BLOCK = 1 << 22
"""Differences held at a time."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """Means, intervals and order of a table; axes are (rows, metrics) unless said otherwise.

    Attributes:
        mean: Mean over users; NaN where a line does not claim the metric.
        low: Lower end of its 95 % interval within the metric's range; NaN for fewer than two users.
        seed_sd: SD over seeds of the mean; NaN for one seed and for a deterministic simulator.
        tier: 1 is best; 0 for lines that are not ranked or do not claim the metric. Lines of attention that the model
            stated itself have tiers and places among themselves.
        place: Place by mean, 1 is best, equal means share it; 0 as for ``tier``.
        p_leader: Corrected p against the leader of the tier; NaN for leaders and where there is no tier.
        p_best: Corrected p against the best ranked line, the first by name of equals; NaN as for ``p_leader``.
        p_prior: Corrected p against the prior of the metric's family; NaN where the board does not hold it.
        n_ranked: Ranked lines that claim the metric, shape (metrics,).
    """

    mean: Floats
    low: Floats
    high: Floats
    seed_sd: Floats
    tier: Ints
    place: Ints
    p_leader: Floats
    p_best: Floats
    p_prior: Floats
    n_ranked: Ints


def rank(table: BoardTable, alpha: float = ALPHA) -> Ranking:
    """Rank every metric of a table; ``alpha`` is the family-wise level of the tiers."""
    shape, design = (len(table.rows), len(table.metrics)), table.design
    mean, low, high = (np.full(shape, np.nan) for _ in range(3))
    tier, place = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    p_leader, p_best, p_prior = (np.full(shape, np.nan) for _ in range(3))
    n_ranked = np.zeros(shape[1], dtype=np.int64)
    apart = np.array([row.apart for row in table.rows], dtype=object)
    for j, metric in enumerate(table.metrics if len(table.rows) else ()):
        prior, values = table.find(metric.prior), table.by_session[:, :, j].T
        mean[:, j], error, degrees = design.estimate(values)
        if len(table.users) > 1:
            low[:, j], high[:, j] = score_limits(mean[:, j], error, degrees, len(table.users), metric.bounds)
        for group in ("stated", ""):
            chosen = np.flatnonzero((apart == group) & ~np.isnan(mean[:, j]))
            n_ranked[j] = len(chosen)
            if not len(chosen):
                continue
            score = -mean[chosen, j] if metric.higher_is_better else mean[chosen, j]
            tied_names = [(table.rows[i].name, table.rows[i].key) for i in chosen]
            order = sorted(range(len(chosen)), key=lambda i, s=score, n=tied_names: (s[i], n[i]))  # type: ignore[misc]
            adjusted = _corrected(values[:, chosen], design)
            leader, level = -1, 0
            for i in order:
                p = adjusted[leader, i] if leader >= 0 else math.nan
                if leader < 0 or p <= alpha:
                    leader, level, p = i, level + 1, math.nan
                tier[chosen[i], j], p_leader[chosen[i], j] = level, p
                place[chosen[i], j] = 1 + int(np.count_nonzero(score < score[i]))
            if group == "":
                p_best[chosen, j] = adjusted[order[0]]
                p_prior[chosen, j] = adjusted[np.flatnonzero(chosen == prior)[0]] if prior in chosen else math.nan
    return Ranking(mean, low, high, _seed_sd(table), tier, place, p_leader, p_best, p_prior, n_ranked)


def _corrected(values: Floats, design: Design) -> Floats:
    """Return the Holm-corrected p of every pair, shape (n, n), NaN on the diagonal and for fewer than two users.

    Columns of ``values``, shape (sessions, n), that are equal enter the family once.
    """
    n, users = values.shape[1], design.users.means(values)
    adjusted = np.full((n, n), np.nan)
    firsts, of = np.unique(equal_columns(users), return_inverse=True)
    if len(firsts) > 1 and len(users) > 1:
        upper = np.triu_indices(len(firsts), 1)
        square = np.full((len(firsts), len(firsts)), np.nan)
        square[upper] = holm_adjust(pairwise_p(values[:, firsts], design))
        square.T[upper] = square[upper]
        adjusted = square[np.ix_(of, of)]
    adjusted[(of[:, None] == of) & ~np.eye(n, dtype=bool)] = 1.0
    return adjusted


def pairwise_p(values: Floats, design: Design) -> Floats:
    """Return the larger p of every pair, over users or over users and screens, in the order of ``numpy.triu_indices``.

    With the residuals e of ``statistics.design`` added up within levels, the variance of a difference is
    e_a.e_a + e_b.e_b - 2 e_a.e_b, so one matrix product for each factor serves all pairs. Pairs whose variances or
    means nearly cancel are computed from their differences, with the rounding rule of
    ``benchmark.statistics.paired_comparison``. ``values`` has the shape (sessions, simulators), at least two of each.
    """
    a, b = np.triu_indices(values.shape[1], 1)
    mean, largest = design.weights @ values, np.abs(values).max(axis=0)
    difference = np.abs(mean[a] - mean[b])
    over_users, both, doubtful = _pairwise_variances(values, design)
    doubtful |= difference <= 1e-9 * np.maximum(largest[a], largest[b])
    over_users[doubtful] = both[doubtful] = 1.0
    p: Floats = np.maximum(
        2 * stdtr(len(design.users) - 1, -difference / np.sqrt(over_users)),
        2 * stdtr(design.degrees, -difference / np.sqrt(both)),
    )
    for some in _blocks(doubtful, len(values)):
        p[some] = _exact_p(values[:, a[some]], values[:, b[some]], design)
    return p


def pairwise_errors(values: Floats, design: Design) -> Floats:
    """Return the standard error of the difference of every pair of columns, shape (simulators, simulators).

    Over users and, where they repeat, screens; ``values`` as in :func:`pairwise_p`. NaN for fewer than two users.
    """
    n = values.shape[1]
    found = np.full((n, n), np.nan)
    if len(design.users) > 1:
        a, b = np.triu_indices(n, 1)
        _, both, doubtful = _pairwise_variances(values, design)
        errors = np.sqrt(np.where(doubtful, 0.0, both))
        for some in _blocks(doubtful, len(values)):
            errors[some] = design.estimate(values[:, a[some]] - values[:, b[some]])[1]
        found[a, b] = found[b, a] = errors
    return found


def _pairwise_variances(values: Floats, design: Design) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the variances of all pairs over users and over both factors, and which nearly cancel."""
    a, b = np.triu_indices(values.shape[1], 1)
    doubtful = np.zeros(len(a), dtype=bool)
    variances = []
    for factor, sums in design.factors(design.residuals(values)):
        cross = factor * (sums.T @ sums)
        squares = np.diag(cross)[a] + np.diag(cross)[b]
        variances.append(squares - 2 * cross[a, b])
        doubtful |= variances[-1] <= _CANCELLED * squares
    return variances[0], two_way(*variances) if design.two_way else variances[0].copy(), doubtful


def _blocks(chosen: NDArray[np.bool_], n_sessions: int) -> list[Ints]:
    """Return the chosen pairs in pieces whose differences may be held at a time."""
    pairs, step = np.flatnonzero(chosen), max(1, _BLOCK // n_sessions)
    return [pairs[start : start + step] for start in range(0, len(pairs), step)]


def _exact_p(a: Floats, b: Floats, design: Design) -> Floats:
    """Return the p of pairs from their differences, shape (pairs,); a and b have shape (sessions, pairs)."""
    means = design.users.means(np.stack([a, b], axis=1))
    unit = ROUNDING * np.abs(means).max(axis=(0, 1))
    differences = means[:, 0] - means[:, 1]
    differences[np.abs(differences) <= unit] = 0.0
    level = np.ptp(differences, axis=0) <= unit
    differences[:, level] = differences[:1, level]
    p = paired_t(differences.T)[1]
    if design.two_way:
        error = np.sqrt(design.variance(a - b))
        varies = error > unit
        t = np.divide(np.abs(differences.mean(axis=0)), error, out=np.zeros_like(error), where=varies)
        p = np.where(varies, np.maximum(p, 2 * stdtr(design.degrees, -t)), p)
    return p


def _seed_sd(table: BoardTable) -> Floats:
    """Return the SD over seeds of each mean (ddof = 1), as ``benchmark.statistics.seed_sd`` defines it."""
    found = np.full((len(table.rows), len(table.metrics)), np.nan)
    for i, row in enumerate(table.rows):
        if len(row.seeds) > 1:
            by_seed = np.einsum("s,ksm->km", table.design.weights, row.values)
            varies = (row.values.max(axis=0) > row.values.min(axis=0)).any(axis=0)
            found[i] = np.where(varies, by_seed.std(axis=0, ddof=1), np.nan)
    return found
