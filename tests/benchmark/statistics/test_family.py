import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.statistics.clusters import user_means
from benchmark.statistics.comparison import paired_comparison
from benchmark.statistics.family import Family, compare_family, holm, holm_adjust, resolution
from benchmark.statistics.power import smallest_resolvable_difference
from tasks.errors import InputError

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


def test_pairs_of_a_family():
    assert Family("f", ("KL",)).pairs(["a", "b", "c"]) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert Family("f", ("KL",), reference="b").pairs(["a", "b", "c"]) == [("a", "b"), ("c", "b")]
    assert Family("f", ("KL",), reference="x").pairs(["a", "b"]) == []


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"metrics": ()}, "no metric"),
        ({"metrics": ("KL", "KL")}, "twice"),
        ({"metrics": ("KL",), "alpha": 1.0}, "between 0 and 1"),
        ({"metrics": ("KL",), "test": "wilcoxen"}, "Did you mean 'wilcoxon'"),
    ],
)
def test_an_impossible_family_is_refused(settings_, message):
    with pytest.raises(InputError, match=message):
        Family("f", **settings_)


@pytest.fixture
def scores(score_table):
    generator = np.random.default_rng(8)
    users = [f"u{i // 2}" for i in range(24)]
    base = generator.normal(size=24)
    values = {
        name: base + shift + generator.normal(0, 0.5, (2, 24)) for name, shift in (("x", 0), ("y", 1), ("z", 0.3))
    }
    table = score_table(values, users)
    table["AUC"] = np.where(table["simulator"] == "x", np.nan, generator.uniform(size=len(table)))
    return table


def test_a_family_spans_its_metrics(scores):
    family = Family("main", ("KL", "AUC"), reference="y", alpha=0.01)
    found = compare_family(scores, family, n_resamples=300, seed=6)
    assert [(c.metric, c.a, c.b) for c in found] == [("KL", "x", "y"), ("KL", "z", "y"), ("AUC", "z", "y")]
    expected = holm({str(i): c.comparison.p_t for i, c in enumerate(found)})
    assert [c.p_adjusted for c in found] == list(expected.values())
    assert [c.significant for c in found] == [p <= 0.01 for p in expected.values()]
    assert found[0].significant and found[0].comparison.mean_difference < 0
    means = user_means(scores, "KL")
    alone = paired_comparison(means["x"], means["y"], n_resamples=300, seed=6)
    assert found[0].comparison.p_bootstrap == alone.p_bootstrap
    assert found[0].comparison.p_t == pytest.approx(alone.p_t)


@pytest.mark.parametrize("test", ["wilcoxon", "bootstrap"])
def test_a_family_corrects_the_test_it_names(scores, test):
    found = compare_family(scores, Family("main", ("KL",), test=test), n_resamples=200)
    expected = holm({str(i): getattr(c.comparison, f"p_{test}") for i, c in enumerate(found)})
    assert [c.p_adjusted for c in found] == list(expected.values())


def test_a_family_with_nothing_to_compare(scores):
    assert compare_family(scores, Family("main", ("AUC",), reference="x")) == []


@pytest.mark.parametrize(
    ("family", "message"),
    [
        (Family("f", ("KL",), reference="yy"), "unknown reference simulator 'yy'. Did you mean 'y'"),
        (Family("f", ("KLL",)), "unknown metric 'KLL'. Did you mean 'KL'"),
        (Family("f", ("KL",), test="bootstrap"), "resamples"),
    ],
)
def test_a_family_that_does_not_fit_the_table_is_refused(scores, family, message):
    with pytest.raises(InputError, match=message):
        compare_family(scores, family, n_resamples=0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000))
def test_a_family_does_not_depend_on_the_order_of_rows(score_table, seed):
    generator = np.random.default_rng(seed)
    values = {name: generator.normal(size=(2, 9)) for name in "xyz"}
    table = score_table(values, list("aabbccdde"))
    family = Family("main", ("KL",))
    shuffled = table.sample(frac=1, random_state=seed)
    assert compare_family(table, family, n_resamples=50) == compare_family(shuffled, family, n_resamples=50)


def test_resolution_is_the_median_over_comparisons(scores):
    means = user_means(scores, "KL")
    sizes = [
        smallest_resolvable_difference((means[a] - means[b]).std(), len(means)) for a, b in (("x", "y"), ("z", "y"))
    ]
    assert resolution(means, "y") == pytest.approx(np.mean(sizes))
    assert math.isnan(resolution(means[["x"]]))
