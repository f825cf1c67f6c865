import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.statistics.comparison import paired_comparison
from benchmark.statistics.holm import holm
from tasks.errors import InputError
from tests.tiers_definition import tiers

NOISE = np.random.default_rng(21).normal(size=(4, 40))
BASE = np.random.default_rng(22).normal(size=40)


def means_of(**columns):
    table = pd.DataFrame({name: np.asarray(values, dtype=float) for name, values in columns.items()})
    return table.set_index(pd.Index([f"u{i:03}" for i in range(len(table))], name="user"))


@pytest.fixture
def means():
    return means_of(
        low=BASE + 0.01 * NOISE[0], also_low=BASE + 0.02 + 0.1 * NOISE[1], mid=BASE + 1 + 0.1 * NOISE[2], high=BASE + 2
    )


def test_groups_follow_the_direction_of_the_metric(means):
    found = tiers(means, higher_is_better=False)
    assert found["tier"].to_dict() == {"low": 1, "also_low": 1, "mid": 2, "high": 3}
    assert found["leader"].to_dict() == {"low": "low", "also_low": "low", "mid": "mid", "high": "high"}
    upside_down = tiers(means, higher_is_better=True)
    assert list(upside_down.index[:2]) == ["high", "mid"]
    assert upside_down["tier"].tolist() == [1, 2, 3, 3]
    assert found.loc["mid", "mean"] == pytest.approx(means["mid"].mean())


def test_the_p_is_corrected_over_all_pairs(means):
    columns = list(means.columns)
    raw = {
        f"{a} {b}": paired_comparison(means[a], means[b], n_resamples=0).tests["t"]
        for i, a in enumerate(columns)
        for b in columns[i + 1 :]
    }
    found = tiers(means, higher_is_better=False)
    assert found.loc["also_low", "p_leader"] == pytest.approx(holm(raw)["low also_low"])
    assert found["p_leader"].isna().tolist() == [True, False, True, True]


def test_a_wide_spread_stays_with_the_leader_until_a_new_tier_opens():
    # mid is surely worse than best; wide has a worse mean than best but too wide a spread to say so. Standing below
    # mid, which opened tier 2, it is compared with mid.
    mid = 0.3 + 0.05 * NOISE[0]
    wide = 0.4 + 3 * NOISE[1] - 3 * NOISE[1].mean()
    found = tiers(means_of(best=np.zeros(40), mid=mid, wide=wide), higher_is_better=False)
    assert found["tier"].to_dict() == {"best": 1, "mid": 2, "wide": 2}
    alone = tiers(means_of(best=np.zeros(40), wide=wide), higher_is_better=False)
    assert alone["tier"].tolist() == [1, 1]


def test_equal_simulators_share_a_tier_in_the_order_of_their_names():
    found = tiers(means_of(b=BASE, a=BASE), higher_is_better=True)
    assert list(found.index) == ["a", "b"]
    assert found["tier"].tolist() == [1, 1]
    assert found.loc["b", "p_leader"] == 1.0


def test_one_user_or_one_simulator_separates_nothing():
    assert tiers(means_of(a=[1.0], b=[5.0]), higher_is_better=False)["tier"].tolist() == [1, 1]
    assert tiers(means_of(a=BASE), higher_is_better=False)["tier"].tolist() == [1]
    assert len(tiers(means_of(), higher_is_better=False)) == 0


@pytest.mark.parametrize("test", ["t", "wilcoxon", "bootstrap"])
def test_every_test_finds_the_plain_order(means, test):
    assert tiers(means, False, test=test, n_resamples=2000)["tier"].tolist() == [1, 1, 2, 3]


def test_an_unknown_test_is_refused(means):
    with pytest.raises(InputError, match="unknown test 'tt'"):
        tiers(means, False, test="tt")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.permutations("abcde"))
def test_tiers_never_turn_back_and_do_not_depend_on_the_order_of_columns(seed, order):
    generator = np.random.default_rng(seed)
    table = means_of(**{name: generator.normal(shift, 1, 15) for shift, name in enumerate("abcde")})
    found = tiers(table, higher_is_better=True)
    pd.testing.assert_frame_equal(tiers(table[list(order)], higher_is_better=True), found)
    assert (np.diff(found["mean"]) <= 0).all()
    assert set(np.diff(found["tier"])) <= {0, 1}
    leaders = found.index[~found["tier"].duplicated()]
    assert set(found["leader"]) == set(leaders)
