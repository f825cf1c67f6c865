import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.statistics.holm import holm, holm_adjust

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_worked_by_hand():
    # sorted .005*4, .01*3, .03*2, .04*1 -> .02, .03, .06, then the running maximum
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})


def test_a_blank_p_is_no_member_of_the_family():
    adjusted = holm({"a": 0.01, "blank": math.nan, "b": 0.04})
    assert adjusted["a"] == pytest.approx(0.02)
    assert adjusted["b"] == pytest.approx(0.04)
    assert math.isnan(adjusted["blank"])
    assert holm({}) == {}


def literal_rejections(p_values, alpha):
    """Step down: compare the i-th smallest with alpha / (m - i + 1) and stop at the first that fails."""
    rejected = set()
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for step, index in enumerate(order):
        if p_values[index] * (len(p_values) - step) > alpha:
            break
        rejected.add(index)
    return rejected


@given(P_VALUES, st.floats(0.001, 0.999))
def test_holm_rejects_as_the_step_down_procedure(p_values, alpha):
    adjusted = holm_adjust(p_values)
    assert {i for i, p in enumerate(adjusted) if p <= alpha} == literal_rejections(p_values, alpha)


@given(P_VALUES)
def test_holm_is_monotone_between_the_raw_p_and_bonferroni(p_values):
    p = np.array(p_values)
    adjusted = holm_adjust(p)
    assert (adjusted >= p).all()
    assert (adjusted <= np.minimum(p * len(p), 1) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()


@given(P_VALUES, st.randoms(use_true_random=False))
def test_holm_follows_its_names(p_values, random):
    named = {f"c{i}": p for i, p in enumerate(p_values)}
    items = list(named.items())
    random.shuffle(items)
    assert holm(dict(items)) == holm(named)


def test_many_families_at_once():
    p = np.random.default_rng(0).uniform(0, 0.2, (3, 4, 5))
    p[1, 2, 3] = math.nan
    adjusted = holm_adjust(p)
    for i, j in np.ndindex(3, 4):
        np.testing.assert_array_equal(adjusted[i, j], holm_adjust(p[i, j]))


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_p_outside_its_range_is_refused(p):
    with pytest.raises(ValueError, match=r"outside 0\.\.1"):
        holm({"a": 0.5, "b": p})
