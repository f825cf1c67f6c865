"""What the tests and intervals promise, compared with simulated truth.

Every rate below is a count of independent simulated test sets with a fixed generator. It is compared with its nominal
value within 3.5 standard errors of such a count (a chance of 5 in 10,000 to miss).
"""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from benchmark.statistics.bootstrap import bootstrap_means, bootstrap_p, percentile_interval
from benchmark.statistics.clusters import session_means, user_means
from benchmark.statistics.holm import holm_adjust
from benchmark.statistics.paired_t import paired_t
from benchmark.statistics.t_interval import t_quantile
from benchmark.statistics.wilcoxon import wilcoxon_p
from tasks.splits import SPLIT_NOTES
from tests.performance.false_alarms import SHARES, alarms
from tests.tiers_definition import tiers

PAIRS = np.array([(i, j) for i in range(5) for j in range(i)])


def margin(rate, n):
    return 3.5 * math.sqrt(rate * (1 - rate) / n)


def normal_scores(generator, n_sets, n_users):
    users = generator.normal(0, 1, (n_sets, 1, n_users))  # some users are harder, for all simulators
    return users + generator.normal(0, 0.5, (n_sets, 5, n_users))


def skewed_scores(generator, n_sets, n_users):
    users = generator.normal(0, 0.5, (n_sets, 1, n_users))
    return np.exp(users + generator.normal(0, 0.5, (n_sets, 5, n_users)))  # as KL is skewed


def count_scores(generator, n_sets, n_users):
    chance = generator.beta(2, 6, (n_sets, 1, n_users))
    return generator.binomial(7, np.broadcast_to(chance, (n_sets, 5, n_users))) / 7  # as accuracy over 7 sessions


@pytest.mark.parametrize("scores", [normal_scores, skewed_scores, count_scores])
def test_without_differences_the_family_rarely_raises_an_alarm(scores):
    n = 4000
    values = scores(np.random.default_rng(1), n, 83)
    p = paired_t(values[:, PAIRS[:, 0]] - values[:, PAIRS[:, 1]])[1]
    corrected = np.mean((holm_adjust(p) <= 0.05).any(axis=1))
    assert corrected <= 0.05 + margin(0.05, n)
    assert corrected >= 0.01  # it does test something
    assert np.mean((p <= 0.05).any(axis=1)) > 0.2  # what would happen without correction


def test_true_differences_do_not_spoil_the_level_for_the_rest():
    n = 4000
    values = normal_scores(np.random.default_rng(2), n, 40)
    values[:, 3:] += np.array([0.6, 1.2])[:, None]
    adjusted = holm_adjust(paired_t(values[:, PAIRS[:, 0]] - values[:, PAIRS[:, 1]])[1])
    null = (PAIRS < 3).all(axis=1)
    assert np.mean((adjusted[:, null] <= 0.05).any(axis=1)) <= 0.05 + margin(0.05, n)
    assert np.mean(adjusted[:, ~null] <= 0.05) > 0.95


@pytest.mark.parametrize("level", [0.8, 0.95])
@pytest.mark.parametrize("n_users", [5, 47])
def test_t_intervals_cover_at_their_level(n_users, level):
    n = 10_000
    samples = np.random.default_rng(3).normal(0.4, 2, (n, n_users))
    half = t_quantile(n_users - 1, level) * samples.std(axis=1, ddof=1) / math.sqrt(n_users)
    assert abs(np.mean(np.abs(samples.mean(axis=1) - 0.4) <= half) - level) < margin(level, n)


def resampled_sets(n_users, n_sets=2000, n_resamples=1000):
    """Yield resampled means of simulated test sets with true mean 0, fresh resamples for every 50 sets."""
    generator = np.random.default_rng(n_users)
    for seed in range(n_sets // 50):
        yield from bootstrap_means(generator.normal(size=(n_users, 50)), n_resamples, seed).T


def test_bootstrap_intervals_cover_at_theirs():
    # The resampled means of n normal values have the standard deviation sd(ddof=0) / sqrt(n) and nearly normal tails,
    # so the percentile interval is mean -/+ 1.96 sqrt((n-1)/n) standard errors and covers as often as |t| stays below
    # 1.96 sqrt((n-1)/n): 94.6 % for n = 83, not 95 %. 1,000 resamples blur each limit a little; 0.003 allows for it.
    n_users, n = 83, 2000
    intervals = [percentile_interval(resampled) for resampled in resampled_sets(n_users, n)]
    covered = np.mean([low <= 0 <= high for low, high in intervals])
    expected = 1 - 2 * stats.t.sf(stats.norm.isf(0.025) * math.sqrt((n_users - 1) / n_users), n_users - 1)
    assert 0.944 < expected < 0.95
    assert abs(covered - expected) < margin(expected, n) + 0.003


def test_bootstrap_intervals_of_few_users_cover_less():
    covered = np.mean([low <= 0 <= high for low, high in map(percentile_interval, resampled_sets(10))])
    assert 0.86 < covered < 0.93  # why the t interval is the one reported first


def test_bootstrap_p_keeps_its_level():
    n = 2000
    rate = np.mean([bootstrap_p(resampled) <= 0.05 for resampled in resampled_sets(100, n)])
    assert abs(rate - 0.054) < margin(0.054, n) + 0.003


def test_wilcoxon_with_ties_tries_all_signs():
    """The definition: every one of the 2**n signs of the ranks is as likely."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        differences = rng.integers(-3, 4, rng.integers(1, 10)).astype(float)
        kept = differences[differences != 0]
        ranks = stats.rankdata(np.abs(kept))
        sums = np.array(
            [sum(r for r, up in zip(ranks, s, strict=True) if up) for s in product([0, 1], repeat=len(kept))]
        )
        observed = ranks[kept > 0].sum()
        expected = min(1.0, 2 * min((sums <= observed).mean(), (sums >= observed).mean()))
        assert wilcoxon_p(differences) == pytest.approx(expected, rel=1e-12)


def test_wilcoxon_p_keeps_its_level_on_counts():
    n = 1000
    values = count_scores(np.random.default_rng(5), n, 47)
    differences = np.rint(7 * (values[:, 0] - values[:, 1]))
    rate = np.mean([wilcoxon_p(line) <= 0.05 for line in differences])
    assert abs(rate - 0.05) < margin(0.05, n)


def sessions_of_users(n_sets, n_users, per_user, between, generator):
    """A score table whose metrics are independent test sets without a mean difference between a and b.

    A user who suits a better than b does so in every session: that is what makes their sessions dependent.
    """
    n = n_users * per_user
    taste = np.repeat(generator.normal(0, between, (n_sets, n_users)), per_user, axis=1)
    scores = generator.normal(0, 1, (2, n_sets, n))
    scores[0] += taste
    users = [f"u{i // per_user:03}" for i in range(n)]
    ids = {
        "simulator": ["a"] * n + ["b"] * n,
        "seed": 42,
        "fold": 0,
        "session_id": [f"{user}-{i}" for i, user in enumerate(users)] * 2,
        "user": users * 2,
    }
    metrics = {f"set{i}": scores[:, i].ravel() for i in range(n_sets)}
    return pd.DataFrame({**ids, **metrics})


@pytest.mark.parametrize("split", SPLIT_NOTES)
def test_where_screens_repeat_users_and_screens_keep_the_level_that_users_alone_lose(split):
    n = 6000
    rates = {share: alarms(split, share, n, designs=20) for share in SHARES}
    assert max(found[1] for found in rates.values()) <= 0.07
    assert abs(rates[0.0][0] - 0.05) < margin(0.05, n)
    assert rates[0.2][0] > (0.085 if split == "loo" else 0.18)


@pytest.mark.slow
def test_clustering_by_user_keeps_the_level_that_counting_sessions_loses():
    n = 600
    table = sessions_of_users(n, n_users=40, per_user=7, between=1.0, generator=np.random.default_rng(6))
    metrics = list(table.columns[5:])
    a, b = np.split(table[metrics].to_numpy().T, 2, axis=1)
    by_user = (a - b).reshape(n, 40, 7).mean(axis=2)
    for sets, means in ((by_user, user_means), (a - b, session_means)):
        found = means(table, metrics[0])
        np.testing.assert_allclose(np.sort(sets[0]), np.sort(found["a"] - found["b"]))
    clustered, naive = ((paired_t(sets)[1] <= 0.05).mean() for sets in (by_user, a - b))
    assert abs(clustered - 0.05) < margin(0.05, n)
    # Variance of the mean is inflated by 1 + (7 - 1) * icc, icc = 1 / 3: |t| > 1.97 happens at sqrt(3) * the errors.
    assert abs(naive - 2 * stats.norm.sf(1.97 / math.sqrt(3))) < margin(0.25, n) + 0.01
    assert naive > 0.2


@pytest.mark.slow
def test_equal_simulators_seldom_fall_into_tiers():
    n = 200
    values = normal_scores(np.random.default_rng(7), n, 40)[:, :4]
    split = [tiers(pd.DataFrame(line.T, columns=list("abcd")), False)["tier"].max() > 1 for line in values]
    assert np.mean(split) <= 0.05 + margin(0.05, n)
