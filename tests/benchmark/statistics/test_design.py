"""Users and screens: the two-way variance against its definition over pairs of sessions."""

import itertools
import math
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from benchmark.statistics.clusters import ScoreCube
from benchmark.statistics.comparison import compare_pairs, paired_comparison
from benchmark.statistics.design import Design, Factor
from benchmark.statistics.power import smallest_resolvable

GENERATOR = np.random.default_rng(8)
USERS = [f"u{i}" for i in GENERATOR.integers(0, 7, 40)]
SCREENS = [f"s{i}" for i in GENERATOR.integers(0, 5, 40)]


def literal(values, users, screens):
    """One-way and two-way variances of the mean over users of user means, pair of sessions by pair of sessions."""
    n = {u: users.count(u) for u in users}
    weight = [1 / (len(n) * n[u]) for u in users]
    mean = sum(w * y for w, y in zip(weight, values, strict=True))
    e = [w * (y - mean) for w, y in zip(weight, values, strict=True)]
    found = []
    for labels in (users, screens, range(len(users))):
        same = sum(
            e[i] * e[j] for i, j in itertools.product(range(len(e)), repeat=2) if labels[i] == labels[j]
        )  # fmt: skip
        groups = len(set(labels))
        found.append(groups / (groups - 1) * same)
    return (*found, max(found[0] + found[1] - found[2], found[0], found[1]))


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_the_two_way_variance_is_its_definition_over_pairs(weight):
    design = Design(Factor.of_labels(USERS), Factor.of_labels(SCREENS))
    of_screen = GENERATOR.normal(size=5)[Factor.of_labels(SCREENS).of]
    values = GENERATOR.normal(size=(40, 2)) + weight * of_screen[:, None]
    for column, found in zip(values.T, design.variance(values), strict=True):
        assert found == pytest.approx(literal(list(column), USERS, SCREENS)[3], rel=1e-12)
    assert design.degrees == 4 and design.two_way and design.weights.sum() == pytest.approx(1)


def test_over_users_alone_it_is_the_squared_error_of_the_t_test():
    design = Design(Factor.of_labels(USERS), Factor.of_labels(SCREENS))
    values = GENERATOR.normal(size=40)
    means = design.users.means(values)
    assert literal(list(values), USERS, SCREENS)[0] == pytest.approx(means.var(ddof=1) / 7, rel=1e-12)


def test_averaging_needs_memory_in_proportion_to_the_sessions():
    values, users = GENERATOR.normal(size=(20_000, 3)), Factor.of_labels([f"u{i % 2_000}" for i in range(20_000)])
    tracemalloc.start()
    means = users.means(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(means[users.of[7]], values[7::2_000].mean(axis=0))
    assert peak < 3 * values.nbytes  # a matrix of users by sessions takes 320 MB


def scores(values, screens, users=tuple(USERS)):
    rows = [
        (name, 0, 0, f"{user}-{i:02}", user, screen, value)
        for name, column in values.items()
        for i, (user, screen, value) in enumerate(zip(users, screens, column, strict=True))
    ]
    return pd.DataFrame(rows, columns=["simulator", "seed", "fold", "session_id", "user", "screen", "KL"])


def test_a_comparison_is_over_users_and_screens_where_they_repeat():
    values = {name: GENERATOR.normal(size=40) + 0.3 * (name == "a") for name in "ab"}
    table = scores(values, SCREENS)
    [found] = compare_pairs(ScoreCube(table).session_means("KL"), [("a", "b")]).values()
    means = ScoreCube(table).session_means("KL").users
    alone = paired_comparison(means["a"], means["b"])
    variance = literal(list(values["a"] - values["b"]), USERS, SCREENS)[3]
    from scipy import stats

    t = found.mean_difference / math.sqrt(variance)
    assert found.tests["two_way"] == pytest.approx(2 * stats.t.sf(abs(t), 4), rel=1e-9)
    assert found.tests["t"] == pytest.approx(alone.tests["t"]) and found.tests["two_way"] >= found.tests["t"]
    half = stats.t.ppf(0.975, 4) * math.sqrt(variance)
    assert (found.low, found.high) == pytest.approx((found.mean_difference - half, found.mean_difference + half))
    assert found.smallest_difference == pytest.approx(smallest_resolvable(math.sqrt(variance), 4))
    assert math.isnan(alone.tests["two_way"])


@pytest.mark.parametrize("screens", [None, [f"s{i}" for i in range(40)], ["one"] * 40], ids=["old", "once", "one"])
def test_users_alone_count_where_screens_do_not_repeat(screens):
    table = scores({name: GENERATOR.normal(size=40) for name in "ab"}, screens or [""] * 40)
    table = table if screens else table.drop(columns="screen")
    sessions = ScoreCube(table).session_means("KL")
    [found] = compare_pairs(sessions, [("a", "b")]).values()
    alone = paired_comparison(sessions.users["a"], sessions.users["b"], n_resamples=0)
    assert (found.low, found.high, found.tests["t"]) == (alone.low, alone.high, alone.tests["t"])
    assert math.isnan(found.tests["two_way"])
