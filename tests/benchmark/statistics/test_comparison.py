import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from benchmark.statistics.bootstrap import bootstrap_means
from benchmark.statistics.comparison import compare_pairs, mean_interval, paired_comparison
from benchmark.statistics.paired_t import paired_t
from benchmark.statistics.power import smallest_resolvable
from benchmark.statistics.wilcoxon import wilcoxon_p

GENERATOR = np.random.default_rng(11)
A = GENERATOR.normal(0.8, 0.3, 30)
B = A + GENERATOR.normal(0.1, 0.2, 30)
PAIRS = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=10)


def test_interval_equals_scipy():
    found = mean_interval(A)
    expected = stats.ttest_1samp(A, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.n_users, found.mean, found.reason) == (30, pytest.approx(A.mean()), "")


def test_interval_worked_by_hand():
    # mean 2, sd 1, n 3: 2 -/+ 4.302653 / sqrt(3)
    found = mean_interval([1, 2, 3])
    assert (found.low, found.high) == pytest.approx((-0.484138, 4.484138), abs=1e-6)


@pytest.mark.parametrize(("values", "mean"), [([], math.nan), ([0.25], 0.25)])
def test_interval_of_too_few_users_is_blank_with_the_reason(values, mean):
    found = mean_interval(values)
    assert found.mean == pytest.approx(mean, nan_ok=True)
    assert math.isnan(found.low) and math.isnan(found.high)
    assert "at least 2" in found.reason


def test_interval_of_equal_values_is_the_point():
    found = mean_interval([0.1] * 3)
    assert (found.mean, found.low, found.high) == (0.1, 0.1, 0.1)


def test_comparison_equals_scipy():
    found = paired_comparison(A, B, n_resamples=500)
    expected = stats.ttest_rel(A, B)
    interval = expected.confidence_interval(0.95)
    assert found.tests["t"] == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.tests["wilcoxon"] == pytest.approx(stats.wilcoxon(A, B).pvalue)
    assert found.smallest_difference == smallest_resolvable((A - B).std(ddof=1) / math.sqrt(30), 29)
    assert found.mean_difference == pytest.approx(A.mean() - B.mean())
    assert (found.n_users, found.reason) == (30, "")


def test_shared_resamples_give_the_same_comparison():
    both = bootstrap_means(np.stack([A, B], axis=1), 500)
    shared = paired_comparison(A, B, resampled=both[:, 0] - both[:, 1])
    alone = paired_comparison(A, B, n_resamples=500)
    assert shared.tests["bootstrap"] == alone.tests["bootstrap"]


def test_the_bootstrap_can_be_left_out():
    found = paired_comparison(A, B, n_resamples=0)
    assert math.isnan(found.tests["bootstrap"])
    assert found.tests["t"] < 0.05


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(PAIRS)
def test_swapping_the_simulators_flips_signs_only(pairs):
    a, b = np.array(pairs, dtype=float).T / 3
    one, other = paired_comparison(a, b, n_resamples=99), paired_comparison(b, a, n_resamples=99)
    assert one.mean_difference == -other.mean_difference
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    assert one.tests["t"] == other.tests["t"]
    assert one.tests["wilcoxon"] == pytest.approx(other.tests["wilcoxon"])
    assert one.tests["bootstrap"] == other.tests["bootstrap"]
    np.testing.assert_equal(one.smallest_difference, other.smallest_difference)


@settings(max_examples=25, deadline=None)
@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_users_changes_no_test(pairs, random):
    a, b = np.array(pairs, dtype=float).T
    one = paired_comparison(a, b, n_resamples=0)
    random.shuffle(pairs)
    a, b = np.array(pairs, dtype=float).T
    other = paired_comparison(a, b, n_resamples=0)
    for name in ("mean_difference", "low", "high"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-12)
    for name in ("t", "wilcoxon"):
        assert one.tests[name] == pytest.approx(other.tests[name], abs=1e-12)


def test_no_difference_at_all():
    found = paired_comparison(A, A, n_resamples=99)
    assert (found.mean_difference, found.low, found.high) == (0, 0, 0)
    assert (found.tests["t"], found.tests["wilcoxon"], found.tests["bootstrap"]) == (1, 1, 1)
    assert math.isnan(found.smallest_difference)
    assert found.reason == "all differences are 0"


def test_rounding_is_no_difference():
    # The mean of one seed and of three equal seeds differ in the last bit.
    a = np.array([0.1, 0.7, 0.3])
    b = (a + a + a) / 3
    assert (a != b).any()
    assert paired_comparison(a, b, n_resamples=9).reason == "all differences are 0"


def test_the_same_difference_for_everyone():
    found = paired_comparison(A + 0.1, A, n_resamples=99)
    assert found.mean_difference == pytest.approx(0.1)
    assert found.low == found.high == found.mean_difference
    assert found.tests["t"] == 2.0**-29  # all 30 signs agree
    assert found.tests["bootstrap"] == pytest.approx(0.02)
    assert found.reason == "all differences are equal"
    two = paired_comparison([1, 1], [0, 0], n_resamples=0)
    assert two.tests["t"] == two.tests["wilcoxon"] == 0.5


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_users_to_compare(n):
    found = paired_comparison([0.5] * n, [0.25] * n)
    assert found.n_users == n
    assert found.mean_difference == pytest.approx(0.25 if n else math.nan, nan_ok=True)
    assert all(math.isnan(p) for p in (found.tests["t"], found.tests["wilcoxon"], found.tests["bootstrap"], found.low))
    assert "at least 2" in found.reason


def test_unpaired_input_is_refused():
    with pytest.raises(ValueError, match="cannot pair 2 users with 3"):
        paired_comparison([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="same users"):
        paired_comparison(pd.Series([1.0, 2], index=["u", "v"]), pd.Series([1.0, 2], index=["v", "u"]))
    with pytest.raises(ValueError, match="finite"):
        paired_comparison([1, math.nan], [1, 2])


def test_many_at_once_equal_one_by_one():
    samples = GENERATOR.normal(size=(4, 5, 9))
    samples[0, 0] = 0.0
    samples[1, 1] = -2.0
    t, p = paired_t(samples)
    assert t[0, 0] == 0 and p[0, 0] == 1 and t[1, 1] == -math.inf and p[1, 1] == 2.0**-8
    for i, j in itertools.product(range(4), range(5)):
        if (i, j) in {(0, 0), (1, 1)}:
            continue
        expected = stats.ttest_1samp(samples[i, j], 0)
        assert (t[i, j], p[i, j]) == pytest.approx((expected.statistic, expected.pvalue))
    found = mean_interval(samples[3, 4])
    expected = stats.ttest_1samp(samples[3, 4], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def literal_wilcoxon(differences):
    kept = [d for d in differences if d != 0]
    ranks = stats.rankdata(np.abs(kept))
    observed = abs(sum(rank * np.sign(d) for rank, d in zip(ranks, kept, strict=True)))
    sums = [abs(np.dot(signs, ranks)) for signs in itertools.product((-1, 1), repeat=len(kept))]
    return np.mean([total >= observed - 1e-9 for total in sums])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9).filter(any))
def test_wilcoxon_with_ties_and_zeros_is_the_exact_sign_flip_test(differences):
    assert wilcoxon_p(differences) == pytest.approx(literal_wilcoxon(differences))


def test_ties_survive_rounding():
    # 2/3 - 1/3 and 1/3 - 0 are one size of difference, and different floats.
    a, b = np.array([2 / 3, 1 / 3, 1.0, 0.0, 1 / 3]), np.array([1 / 3, 0.0, 2 / 3, 1 / 3, 1.0])
    assert len(set(np.abs(a - b)[:4])) > 1
    assert paired_comparison(a, b, n_resamples=0).tests["wilcoxon"] == pytest.approx(
        literal_wilcoxon([1, 1, 1, -1, -2])
    )


def test_pairs_share_their_resamples():
    means = pd.DataFrame({"a": A, "b": B, "c": A + B})
    found = compare_pairs(means, [("a", "b"), ("c", "b")], n_resamples=300)
    alone = paired_comparison(means["a"], means["b"], n_resamples=300)
    assert list(found) == [("a", "b"), ("c", "b")]
    assert found["a", "b"].tests == pytest.approx(alone.tests, nan_ok=True)
    assert found["c", "b"].mean_difference == pytest.approx(A.mean())
