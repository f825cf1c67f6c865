import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.statistics import bootstrap
from benchmark.statistics.bootstrap import (
    bootstrap_indices,
    bootstrap_means,
    bootstrap_p,
    bootstrap_tables,
    percentile_interval,
)

VALUES = np.random.default_rng(3).normal(0.3, 1, (17, 3))


def test_means_equal_the_loop_over_resamples():
    expected = [
        [sum(VALUES[user, column] for user in draw) / 17 for column in range(3)]
        for block in bootstrap_indices(17, 40, seed=5)
        for draw in block
    ]
    np.testing.assert_allclose(bootstrap_means(VALUES, 40, seed=5), expected, atol=1e-14)


def test_one_simulator_sees_the_resamples_that_many_see():
    together = bootstrap_means(VALUES, 200, seed=1)
    for column in range(3):
        np.testing.assert_allclose(bootstrap_means(VALUES[:, column], 200, seed=1), together[:, column], atol=1e-14)
    difference = bootstrap_means(VALUES[:, 0] - VALUES[:, 1], 200, seed=1)
    np.testing.assert_allclose(together[:, 0] - together[:, 1], difference, atol=1e-14)


@pytest.mark.parametrize("shape", [(60, 9), (60, 2), (60,), (700, 13)])
def test_several_tables_share_their_draws_to_the_last_bit(shape):
    tables = list(np.random.default_rng(4).normal(size=(3, *shape)))
    for table, found in zip(tables, bootstrap_tables(tables, 500, seed=2), strict=True):
        np.testing.assert_array_equal(found, bootstrap_means(table, 500, seed=2))
    assert bootstrap_tables([]) == []


def test_resamples_depend_on_the_seed_and_not_on_the_block(monkeypatch):
    whole = np.concatenate(list(bootstrap_indices(13, 300, seed=9)))
    assert whole.shape == (300, 13)
    assert set(np.unique(whole)) == set(range(13))
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * 13)
    monkeypatch.setattr(bootstrap, "_ROWS", 1)
    blocks = list(bootstrap_indices(13, 300, seed=9))
    assert max(map(len, blocks)) == 7
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert not np.array_equal(np.concatenate(list(bootstrap_indices(13, 300, seed=10))), whole)


def test_memory_does_not_grow_with_the_resamples():
    tracemalloc.start()
    bootstrap_means(np.arange(20_000.0), 1_000)  # 160 MB of indices if held at once
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def test_interval_is_the_percentiles_of_the_resampled_means():
    values = VALUES[:, 0]
    resampled = np.sort(bootstrap_means(values, 1001, seed=2))
    assert percentile_interval(resampled, 0.9) == pytest.approx((resampled[50], resampled[950]))


@pytest.mark.parametrize(
    ("resampled", "p"),
    [
        ([1.0] * 99, 0.02),  # 2 * (1 + 0) / (99 + 1)
        ([-1.0] * 4 + [1.0] * 95, 0.10),
        ([1.0] * 4 + [-1.0] * 95, 0.10),
        ([0.0] * 99, 1.0),
        ([-1.0] * 50 + [1.0] * 49, 1.0),
        ([0.0] * 9 + [1.0] * 90, 0.20),  # a zero stands on both sides
    ],
)
def test_p_worked_by_hand(resampled, p):
    assert bootstrap_p(np.array(resampled)) == pytest.approx(p)


def test_p_takes_rounding_for_zero():
    resampled = np.array([1e-17] * 9 + [1.0] * 90)
    assert bootstrap_p(resampled, zero=1e-12) == pytest.approx(0.2)
    assert bootstrap_p(resampled) == pytest.approx(0.02)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60))
def test_p_is_symmetric_and_agrees_with_the_interval(values):
    resampled = np.array(values)
    p = bootstrap_p(resampled)
    assert 2 / (len(values) + 1) <= p <= 1
    assert p == bootstrap_p(-resampled)
    low, high = percentile_interval(resampled, 0.8)
    if low > 0 or high < 0:
        # a limit beyond 0 lies at position 0.1 (n - 1) of the sorted means, so at most that many, rounded up, are not
        assert p <= 2 * (1 + math.ceil(0.1 * (len(values) - 1))) / (len(values) + 1)


@pytest.mark.parametrize(("n_users", "n_resamples"), [(0, 5), (5, 0)])
def test_empty_resamples_are_refused(n_users, n_resamples):
    with pytest.raises(ValueError, match="at least 1"):
        next(bootstrap_indices(n_users, n_resamples))
