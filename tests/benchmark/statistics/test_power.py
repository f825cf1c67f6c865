import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from benchmark.statistics.paired_t import paired_t
from benchmark.statistics.power import paired_t_power, smallest_resolvable


def literal_power(noncentrality, n, alpha):
    """P(|Z + noncentrality| > t_crit * s) with s**2 ~ chi2(n - 1) / (n - 1), integrated over s."""
    df = n - 1
    critical = stats.t.ppf(1 - alpha / 2, df)

    def integrand(v):
        s = critical * math.sqrt(v / df)
        return (stats.norm.sf(s - noncentrality) + stats.norm.cdf(-s - noncentrality)) * stats.chi2.pdf(v, df)

    limits = stats.chi2.ppf([1e-12, 1 - 1e-12], df)
    return integrate.quad(integrand, *limits, limit=400)[0]


@pytest.mark.parametrize("n", [4, 12, 47, 83])
@pytest.mark.parametrize("noncentrality", [0.3, 2.0, 4.0])
def test_power_equals_its_definition_as_an_integral(n, noncentrality):
    assert paired_t_power(noncentrality, n) == pytest.approx(literal_power(noncentrality, n, 0.05), abs=1e-6)


def test_power_of_no_difference_is_the_level():
    assert paired_t_power(0.0, 20, alpha=0.03) == 0.03


@pytest.mark.parametrize(("n", "alpha", "power"), [(2, 0.05, 0.8), (5, 0.01, 0.9), (76, 0.05, 0.8), (76, 0.2, 0.3)])
def test_the_root_has_the_wanted_power(n, alpha, power):
    noncentrality = smallest_resolvable(1.0, n - 1, alpha, power)
    assert noncentrality > 0
    assert paired_t_power(noncentrality, n, alpha) == pytest.approx(power, abs=1e-8)


def test_many_users_give_the_normal_approximation():
    textbook = (1.959964 + 0.841621) * 0.4 / math.sqrt(5000)
    assert smallest_resolvable(0.4 / math.sqrt(5000), 4999) == pytest.approx(textbook, rel=1e-3)
    # and few users need more than it says
    assert smallest_resolvable(0.4 / math.sqrt(8), 7) > 1.1 * (1.959964 + 0.841621) * 0.4 / math.sqrt(8)


@pytest.mark.parametrize("n", [6, 47])
def test_simulated_users_show_the_difference_with_this_power(n):
    difference = smallest_resolvable(0.3 / math.sqrt(n), n - 1)
    samples = np.random.default_rng(n).normal(difference, 0.3, (20_000, n))
    found = np.mean(paired_t(samples)[1] <= 0.05)
    assert abs(found - 0.8) < 3.5 * math.sqrt(0.8 * 0.2 / 20_000)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.floats(0.01, 10))
def test_scales_with_the_spread_and_falls_with_users(n, sd):
    size = smallest_resolvable(sd, n)
    assert smallest_resolvable(2 * sd, n) == pytest.approx(2 * size)
    assert smallest_resolvable(sd, n + 1) < size


@pytest.mark.parametrize("error", [0.0, math.nan])
def test_nothing_to_go_by_is_blank(error):
    assert math.isnan(smallest_resolvable(error, 9))
