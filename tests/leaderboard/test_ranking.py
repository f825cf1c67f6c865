from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark import statistics
from benchmark.statistics.design import Design, Factor
from leaderboard.board_table import ScoredResult, assemble
from leaderboard.context import SlotShares, TaskContext
from leaderboard.entries import Metadata, ResultRecord
from leaderboard.ranking import _CANCELLED, pairwise_errors, pairwise_p, rank
from tasks.errors import InputError
from tests.tiers_definition import tiers

METRICS = ("KL", "AUC")


def context(users: list[str]) -> TaskContext:
    slots = SlotShares(("A",), (1.0,), (1.0,), (1,), (), (0, 0))
    sessions = tuple(f"s{i}" for i in range(len(users)))
    return TaskContext("t", "1", "loo", "ab" * 32, *[""] * 7, (), (1,), sessions, tuple(users), slots, 0)


def item(
    name: str, scores: dict[str, np.ndarray], users: list[str], kind: str = "submission", screens=None, **said
) -> ScoredResult:
    """A result from metric -> array (seeds, sessions)."""
    import pyarrow as pa

    seeds, n = next(iter(scores.values())).shape
    record = ResultRecord(
        kind, Metadata(name, "1", **said), "t", "1", "loo", "ab" * 32, tuple(range(seeds)), ("own",), "cd" * 32
    )
    columns = {
        "condition": ["own"] * (seeds * n),
        "seed": np.repeat(np.arange(seeds), n),
        "session_id": [f"s{i}" for i in range(n)] * seeds,
        "user": users * seeds,
        **({} if screens is None else {"screen": screens * seeds}),
        "failed": [0] * (seeds * n),
        **{metric: values.ravel() for metric, values in scores.items()},
    }
    return ScoredResult(f"{name}-id", record, pa.table(columns), "2026-01-01T00:00:00Z")


def long(items: list[ScoredResult]) -> pd.DataFrame:
    frames = [i.scores.to_pandas().assign(simulator=i.record.metadata.name) for i in items]
    return pd.concat(frames, ignore_index=True)


def make_crowd(screens: list[int] | None) -> tuple[list[ScoredResult], list[str]]:
    """Twelve simulators, two of them alike, on users with one to three sessions."""
    random = np.random.default_rng(3)
    users = [f"u{i}" for i in range(14) for _ in range(1 + i % 3)]
    base = random.normal(size=len(users))
    items = []
    for number in range(12):
        kl = 1 + 0.2 * base + 0.12 * number + random.normal(scale=0.3, size=(2, len(users)))
        auc = np.clip(0.5 + 0.03 * number + random.normal(scale=0.1, size=(2, len(users))), 0, 1)
        items.append(item(f"sim-{number:02d}", {"KL": kl, "AUC": auc}, users, screens=screens))
    twin = {m: items[3].scores[m].to_numpy().reshape(2, -1).copy() for m in METRICS}
    items.append(item("twin", twin, users, screens=screens))
    items.append(item("position-prior", {"KL": np.full((1, len(users)), 1.4)}, users, kind="baseline", screens=screens))
    return items, users


@pytest.fixture(scope="module", params=["users alone", "users and screens"])
def crowd(request) -> tuple[list[ScoredResult], list[str]]:
    return make_crowd([i % 9 for i in range(27)] if request.param == "users and screens" else None)


def test_user_means_are_those_of_the_suites_statistics(crowd):
    items, users = crowd
    table = assemble(context(users), items)
    scores = long(items)
    for metric in METRICS:
        expected = statistics.user_means(scores, metric)
        found = table.by_user[:, :, table.metric_index(metric)]
        assert list(table.users) == list(expected.index)
        for row, line in enumerate(table.rows):
            if line.name in expected:
                np.testing.assert_allclose(found[row], expected[line.name], rtol=0, atol=1e-13)
            else:
                assert np.isnan(found[row]).all()


def test_stated_attention_is_ranked_among_its_own_kind_and_changes_nothing_for_the_others(crowd):
    items, users = crowd
    without = rank(assemble(context(users), items))
    shown = [i.scores["condition"].to_pylist() for i in items[:2]]
    names = [ScoredResult(f"{i.id}-2", i.record, i.scores, i.at) for i in items[:2]]
    stated = [
        ScoredResult(i.id, i.record, i.scores.set_column(0, "condition", [[f"{c} [stated]" for c in conditions]]), i.at)
        for i, conditions in zip(names, shown, strict=True)
    ]
    table = assemble(context(users), [*items, *stated])
    found = rank(table)
    apart = np.array([row.apart == "stated" for row in table.rows])
    assert [row.name for row in table.rows if row.apart == "stated"] == ["sim-00 [stated]", "sim-01 [stated]"]
    for name in ("tier", "place", "p_best", "p_prior", "n_ranked"):
        given = getattr(found, name) if name == "n_ranked" else getattr(found, name)[~apart]
        np.testing.assert_array_equal(given, getattr(without, name))
    assert sorted(found.place[apart, table.metric_index("KL")]) == [1, 2]
    alone = rank(assemble(context(users), stated))
    np.testing.assert_array_equal(found.tier[apart], alone.tier)


@pytest.mark.parametrize("alpha", [0.05, 0.5])
def test_tiers_intervals_and_seed_spread_are_those_of_the_suites_statistics(crowd, alpha):
    items, users = crowd
    table = assemble(context(users), items)
    ranking = rank(table, alpha)
    scores = long(items)
    names = [row.name for row in table.rows]
    cube = statistics.ScoreCube(scores.assign(screen=scores["screen"].astype(str)) if "screen" in scores else scores)
    assert cube.design.two_way == table.design.two_way == ("screen" in scores)
    for metric in METRICS:
        j = table.metric_index(metric)
        sessions = cube.session_means(metric)
        means = sessions.users
        expected = tiers(sessions, table.metrics[j].higher_is_better, alpha)
        if alpha == 0.05:
            assert expected["tier"].max() > 1
        for name, row in expected.iterrows():
            i = names.index(name)
            assert ranking.tier[i, j] == row["tier"]
            assert ranking.p_leader[i, j] == pytest.approx(row["p_leader"], rel=1e-6, nan_ok=True)
            own = sessions.clustered(sessions.values[:, sessions.names.index(name)])
            interval = statistics.mean_interval(means[name], clustered=own, bounds=table.metrics[j].bounds)
            assert (ranking.mean[i, j], ranking.low[i, j], ranking.high[i, j]) == pytest.approx(
                (interval.mean, interval.low, interval.high), abs=1e-12
            )
        spread = statistics.seed_sd(scores, metric)
        found = {name: ranking.seed_sd[names.index(name), j] for name in spread.index}
        assert found == pytest.approx(spread.to_dict(), abs=1e-12, nan_ok=True)
        assert ranking.n_ranked[j] == len(expected)
    j, order = table.metric_index("KL"), list(tiers(cube.session_means("KL"), False, alpha).index)
    best, prior = names.index(order[0]), names.index("position-prior")
    assert np.isnan(ranking.p_best[best, j]) and ranking.p_best[prior, j] == ranking.p_prior[best, j]
    first = ranking.tier[:, j] == 1
    np.testing.assert_array_equal(ranking.p_best[first, j], ranking.p_leader[first, j])


def test_a_copy_of_a_line_changes_no_tier_and_no_p_of_the_others(crowd):
    items, users = crowd
    copies = [ScoredResult(f"z-{i.id}", i.record, i.scores, i.at) for i in items[4:8]]
    few, many = assemble(context(users), items), assemble(context(users), [*items, *copies])
    a, b = rank(few, 0.5), rank(many, 0.5)
    assert a.tier.max() > 1
    index = {row.id: i for i, row in enumerate(many.rows)}
    for i, row in enumerate(few.rows):
        np.testing.assert_array_equal(a.tier[i], b.tier[index[row.id]])
        np.testing.assert_allclose(a.p_leader[i], b.p_leader[index[row.id]], rtol=1e-9)


def test_equal_means_share_a_place_and_never_separate(crowd):
    items, users = crowd
    table = assemble(context(users), items)
    ranking = rank(table)
    names = [row.name for row in table.rows]
    a, b = names.index("sim-03"), names.index("twin")
    for metric in METRICS:
        j = table.metric_index(metric)
        assert ranking.place[a, j] == ranking.place[b, j] and ranking.tier[a, j] == ranking.tier[b, j]


def test_what_is_not_ranked_changes_no_place(crowd):
    items, users = crowd
    plain = assemble(context(users), items)
    perfect = {"KL": np.zeros((1, len(users))), "AUC": np.ones((1, len(users)))}
    others = [
        item("gaze-oracle", perfect, users, kind="reference"),
        item("peeper", perfect, users, inputs=("gaze-test",)),
    ]
    full = assemble(context(users), [*items, *others])
    a, b = rank(plain), rank(full)
    index = {row.name: i for i, row in enumerate(full.rows)}
    for i, row in enumerate(plain.rows):
        k = index[row.name]
        np.testing.assert_array_equal(a.tier[i], b.tier[k])
        np.testing.assert_array_equal(a.place[i], b.place[k])
    for name in ("gaze-oracle", "peeper"):
        assert (b.tier[index[name]] == 0).all() and (b.place[index[name]] == 0).all()
        assert not full.rows[index[name]].ranked


def each_a_user(n: int) -> Factor:
    return Factor.of_labels([f"u{i}" for i in range(n)])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 7).flatmap(
        lambda n: st.lists(
            st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0, 1 / 3, 1e-9, 3.0]), min_size=n, max_size=n),
            min_size=2,
            max_size=5,
        )
    )
)
def test_p_of_every_pair_is_that_of_the_paired_comparison(values):
    array = np.array(values).T
    found = pairwise_p(array, Design(each_a_user(len(array))))
    pairs = zip(*np.triu_indices(array.shape[1], 1), strict=True)
    for p, (a, b) in zip(found, pairs, strict=True):
        expected = statistics.paired_comparison(array[:, a], array[:, b], n_resamples=0).tests["t"]
        assert p == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_pairs_that_nearly_cancel_are_computed_from_their_differences():
    random = np.random.default_rng(0)
    common = random.normal(size=40) * 1e3
    values = np.stack([common, common + 1e-4 * random.normal(size=40) + 5e-5, common + 1.0])
    (near, shifted, other) = pairwise_p(values.T, Design(each_a_user(40)))
    expected = [
        statistics.paired_comparison(values[a], values[b], n_resamples=0).tests["t"]
        for a, b in ((0, 1), (0, 2), (1, 2))
    ]
    assert [near, shifted, other] == pytest.approx(expected, rel=1e-9)
    # The shortcut alone would have lost it: this is what the guard is for.
    assert 0 < np.var(values[0] - values[1]) < _CANCELLED * np.var(values[0])


def test_one_user_is_shown_and_nothing_is_claimed():
    users = ["u"]
    table = assemble(context(users), [item(n, {"KL": np.array([[v]])}, users) for n, v in (("a", 0.5), ("b", 9.0))])
    ranking = rank(table)
    j = table.metric_index("KL")
    assert ranking.mean[:, j].tolist() == [0.5, 9.0] and np.isnan(ranking.low).all()
    assert ranking.tier[:, j].tolist() == [1, 1] and ranking.place[:, j].tolist() == [1, 2]
    assert np.isnan(ranking.p_best[:, j]).all() and np.isnan(ranking.p_prior[:, j]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.slice(1), "do not cover every session once per seed"),
        (lambda t: t.set_column(2, "session_id", [["s0"] * len(t)]), "do not cover every session once"),
        (lambda t: t.set_column(2, "session_id", [["s9"] * len(t)]), "do not fit the split"),
        (lambda t: t.drop_columns(["failed"]), "have no column failed"),
        (lambda t: t.set_column(5, "KL", [[math.nan] + [0.5] * (len(t) - 1)]), "hold blanks or numbers out of"),
        (lambda t: t.set_column(5, "KL", [[math.inf] * len(t)]), "hold blanks or numbers out of"),
        (lambda t: t.set_column(5, "KL", [["x"] * len(t)]), "do not fit the split"),
    ],
)
def test_damaged_scores_are_refused(change, message):
    users = ["u", "v", "w"]
    one = item("a", {"KL": np.ones((1, 3))}, users)
    bad = ScoredResult(one.id, one.record, change(one.scores), one.at)
    with pytest.raises(InputError, match=message):
        assemble(context(users), [bad])


def test_the_order_of_stored_rows_does_not_matter(crowd):
    items, users = crowd
    turned = [ScoredResult(i.id, i.record, i.scores.take(list(range(len(i.scores)))[::-1]), i.at) for i in items]
    a, b = (assemble(context(users), x) for x in (items, turned))
    np.testing.assert_array_equal(a.by_user, b.by_user)


@pytest.mark.parametrize("screens", [None, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]], ids=["users", "users and screens"])
def test_errors_of_all_pairs_are_those_of_their_differences(screens):
    random = np.random.default_rng(5)
    values = random.normal(size=(10, 4))
    values[:, 2], values[:, 3] = values[:, 0], values[:, 0] + 0.25  # equal, and shifted by the same everywhere
    labels = None if screens is None else Factor.of_labels([str(one) for one in screens])
    design = Design(Factor.of_labels(list("aabbccddee")), labels)
    found = pairwise_errors(values, design)
    for a in range(4):
        for b in range(a):
            expected = design.estimate((values[:, a] - values[:, b])[:, None])[1][0]
            assert found[a, b] == found[b, a] == pytest.approx(expected, abs=1e-15)
    assert np.isnan(pairwise_errors(values[:2], Design(Factor.of_labels(["a", "a"])))).all()
