"""Intervals of means that have a range: by hand, inside the range, and how often they hold the true mean."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics.comparison import mean_interval
from benchmark.statistics.score_interval import score_limits
from benchmark.statistics.statistic import Bounds
from benchmark.statistics.t_interval import t_quantile

SHARE, ABOVE = Bounds(0.0, 1.0), Bounds(0.0, 18.42, open_above=True)
N, SETS = 33, 4000


def test_a_share_of_independent_users_has_wilsons_interval():
    # 3 of 33 users: the error sqrt(p (1 - p) / 32) implies 32 users; Wilson's formula with t for z
    p, t = 3 / 33, stats.t.ppf(0.975, 32)
    found = mean_interval([1.0] * 3 + [0.0] * 30, bounds=SHARE)
    centre, half = p + t**2 / 64, t * math.sqrt(p * (1 - p) / 32 + t**2 / (4 * 32**2))
    assert (found.low, found.high) == pytest.approx([(centre + sign * half) / (1 + t**2 / 32) for sign in (-1, 1)])


def test_means_above_an_end_have_limits_in_proportion():
    found = mean_interval([1.0, 2.0, 3.0], bounds=ABOVE)
    ratio = stats.t.ppf(0.975, 2) / math.sqrt(3) / 2  # t error / mean, above 1: the upper limit is the range's
    assert (found.low, found.high) == pytest.approx((2 / (1 + ratio), 18.42))
    values = np.linspace(1.5, 2.5, 20)
    ratio = stats.t.ppf(0.975, 19) * values.std(ddof=1) / math.sqrt(20) / 2
    found = mean_interval(values, bounds=ABOVE)
    assert (found.low, found.high) == pytest.approx((2 / (1 + ratio), 2 / (1 - ratio)))


@pytest.mark.parametrize(("values", "low", "high"), [([0.0] * 33, 0.0, 0.1117), ([1.0] * 33, 0.8883, 1.0)])
def test_users_who_are_all_at_one_end_leave_room_for_others(values, low, high):
    found = mean_interval(values, bounds=SHARE)
    assert (found.mean, found.low, found.high) == pytest.approx((values[0], low, high), abs=1e-4)


def test_what_does_not_vary_within_its_range_is_a_point():
    for bounds, value in ((SHARE, 1 / 15), (ABOVE, 0.0), (ABOVE, 2.7)):
        found = mean_interval([value] * 9, bounds=bounds)
        assert (found.mean, found.low, found.high) == pytest.approx((value,) * 3)


DRAWN = {
    "accuracy .05": (SHARE, lambda g: (g.random((SETS, N)) < 0.05) * 1.0, 0.05),
    "accuracy .95": (SHARE, lambda g: (g.random((SETS, N)) < 0.95) * 1.0, 0.95),
    "accuracy of 7 sessions, users differ": (SHARE, lambda g: g.binomial(7, g.beta(0.2, 3.8, (SETS, N))) / 7, 0.05),
    "share near 1": (SHARE, lambda g: g.beta(20, 4, (SETS, N)), 20 / 24),
    "KL, log-normal": (ABOVE, lambda g: np.exp(g.normal(0, 0.7, (SETS, N))), math.exp(0.245)),
    "KL, gamma": (ABOVE, lambda g: g.gamma(0.6, 1.0, (SETS, N)), 0.6),
    "LogLoss, nearly normal": (ABOVE, lambda g: g.normal(2.6, 0.7, (SETS, N)), 2.6),
}


@pytest.mark.parametrize("name", DRAWN)
def test_at_33_users_they_cover_93_percent_inside_the_range(name):
    bounds, draw, true = DRAWN[name]
    values = draw(np.random.default_rng(33))
    mean, half = values.mean(axis=1), t_quantile(N - 1) * values.std(axis=1, ddof=1) / math.sqrt(N)
    below, above = mean - half, mean + half
    low, high = score_limits(mean, values.std(axis=1, ddof=1) / math.sqrt(N), N - 1, N, bounds)
    covered = np.mean((low <= true) & (true <= high))
    assert covered >= 0.93
    assert (low >= bounds.low).all() and (high <= bounds.high).all() and (low <= mean).all() and (mean <= high).all()
    if name.startswith("accuracy .05"):
        assert np.mean((below <= true) & (true <= above)) < 0.85 and np.mean(below < 0) > 0.5  # the t interval
