import math

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics.clusters import seed_means
from benchmark.statistics.seeds import paper_mode, seed_sd, under_every_seed
from tasks.errors import InputError

USERS = ["u1", "u1", "u1", "u2"]
GENERATOR = np.random.default_rng(2)


def test_seed_sd_worked_by_hand(score_table):
    table = score_table(
        {"tuned": [[0, 1, 2, 1], [2, 2, 2, 4], [3, 3, 3, 5]], "once": [[1, 2, 3, 4]], "prior": [[0.1, 2, 3, 4]] * 3},
        USERS,
    )
    found = seed_sd(table, "KL")
    # u1 and u2 weigh the same: the seeds' means are 1, 3, 4
    assert found["tuned"] == pytest.approx(np.std([1, 3, 4], ddof=1))
    assert math.isnan(found["once"])
    assert math.isnan(found["prior"])


def test_seeds_that_change_sessions_and_not_the_mean_have_no_spread(score_table):
    table = score_table({"swap": [[0, 1], [1, 0]]}, ["u", "u"])
    assert seed_sd(table, "KL")["swap"] == 0.0


def test_paper_mode_equals_scipy_over_seeds(score_table):
    a, b = GENERATOR.normal(0.6, 0.1, (5, 4)), GENERATOR.normal(0.4, 0.1, (5, 4))
    table = score_table({"a": a, "b": b}, USERS)
    found, means = paper_mode(table, "a", "b", "KL"), seed_means(table, "KL", by_user=False)
    expected = stats.ttest_rel(a.mean(axis=1), b.mean(axis=1))  # sessions weigh the same, as in the paper
    assert (found.t, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.n_seeds == 5
    assert (means["a"].mean(), means["a"].std()) == pytest.approx((a.mean(), a.mean(axis=1).std(ddof=1)))
    assert (means["b"].mean(), means["b"].std()) == pytest.approx((b.mean(), b.mean(axis=1).std(ddof=1)))
    assert found.mean_difference == pytest.approx(a.mean() - b.mean())
    swapped = paper_mode(score_table({"a": a, "b": b}, USERS), "b", "a", "KL")
    assert (swapped.t, swapped.p) == pytest.approx((-found.t, found.p))


# With n = 5, t = c * sqrt(5) / sd of (-1, -0.5, 0, 0.5, 1); p = 0.05 at t = 2.776, p = 0.01 at t = 4.604.
@pytest.mark.parametrize(("t", "stars"), [(2.7, ""), (2.8, "*"), (4.5, "*"), (4.7, "**"), (-4.7, "**")])
def test_stars(score_table, t, stars):
    noise = np.array([-1, -0.5, 0, 0.5, 1])
    a = noise + t * noise.std(ddof=1) / math.sqrt(5)
    found = paper_mode(score_table({"a": a[:, None], "b": np.zeros((5, 1))}, ["u"]), "a", "b", "KL")
    assert found.t == pytest.approx(t)
    assert found.stars == stars


def test_only_common_seeds_count(score_table):
    a, b = GENERATOR.normal(size=(5, 4)), GENERATOR.normal(size=(3, 4))
    table = score_table({"a": a, "b": b}, USERS)
    assert paper_mode(table, "a", "b", "KL").n_seeds == 3
    assert paper_mode(table, "a", "b", "KL").mean_difference == pytest.approx(a[:3].mean() - b.mean())


def test_equal_runs_are_no_difference(score_table):
    a = GENERATOR.normal(size=(5, 4))
    found = paper_mode(score_table({"a": a, "b": a}, USERS), "a", "b", "KL")
    assert (found.mean_difference, found.t, found.p, found.stars) == (0, 0, 1, "")
    assert found.reason == "all differences are 0"


def test_deterministic_runs_earn_no_star(score_table):
    table = score_table({"a": [[0.1, 0.2, 0.3, 0.4]] * 5, "b": [[0.2, 0.3, 0.5, 0.4]] * 5}, USERS)
    found = paper_mode(table, "a", "b", "KL")
    assert found.mean_difference == pytest.approx(-0.1)
    assert math.isnan(found.p) and math.isnan(found.t)
    assert found.stars == ""
    assert "say nothing" in found.reason


def test_one_common_seed_is_too_few(score_table):
    a, b = GENERATOR.normal(size=(5, 4)), GENERATOR.normal(size=(1, 4))
    table = score_table({"a": a, "b": b}, USERS)
    found = paper_mode(table, "a", "b", "KL")
    assert found.n_seeds == 1 and math.isnan(found.p)
    assert found.mean_difference == pytest.approx(a[0].mean() - b.mean())
    assert "at least 2" in found.reason


def test_an_unknown_simulator_is_refused(score_table):
    table = score_table({"fixate": [[1, 2, 3, 4]]}, USERS)
    with pytest.raises(InputError, match="Did you mean 'fixate'"):
        paper_mode(table, "fixate", "fixat", "KL")


def test_a_deterministic_simulator_meets_every_seed_of_the_other(score_table):
    a = GENERATOR.normal(0.6, 0.1, (5, 4))
    table = score_table({"a": a, "once": [[0.1, 0.2, 0.3, 0.4]]}, USERS)
    assert paper_mode(table, "a", "once", "KL").n_seeds == 1
    found = paper_mode(under_every_seed(table, "once"), "a", "once", "KL")
    expected = stats.ttest_1samp(a.mean(axis=1), 0.25)
    assert (found.n_seeds, found.t, found.p) == (5, pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    with pytest.raises(ValueError, match="several seeds"):
        under_every_seed(table, "a")
