import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.statistics.clusters import metric_names, seed_means, session_means, user_means
from tasks.errors import InputError

USERS = ["u1", "u1", "u1", "u2"]


@pytest.fixture
def table(score_table):
    return score_table({"b": [[1, 2, 3, 10], [3, 4, 5, 20]], "a": [[0, 0, 3, 4]]}, USERS)


def test_user_means_worked_by_hand(table):
    means = user_means(table, "KL")
    # b: sessions of u1 average to 2, 3, 4 over two seeds; u2's one session to 15. Users weigh the same.
    expected = pd.DataFrame({"a": [1.0, 4.0], "b": [3.0, 15.0]}, index=pd.Index(["u1", "u2"], name="user"))
    pd.testing.assert_frame_equal(means, expected, check_names=False)
    assert means.mean()["b"] == 9.0  # not 6, the mean over sessions


def test_session_and_seed_means_worked_by_hand(table):
    assert session_means(table, "KL")["b"].tolist() == [2.0, 3.0, 4.0, 15.0]
    by_user = seed_means(table, "KL")
    assert by_user.loc[0, "b"] == (2 + 10) / 2
    assert by_user.loc[1, "b"] == (4 + 20) / 2
    assert np.isnan(by_user.loc[1, "a"])
    by_session = seed_means(table, "KL", by_user=False)
    assert by_session.loc[0, "b"] == 16 / 4


def literal_user_means(scores, metric):
    result = {}
    for simulator in set(scores["simulator"]):
        for user in set(scores["user"]):
            sessions = []
            for session in set(scores["session_id"][scores["user"] == user]):
                rows = (scores["simulator"] == simulator) & (scores["session_id"] == session)
                sessions.append(sum(scores[metric][rows]) / rows.sum())
            result[user, simulator] = sum(sessions) / len(sessions)
    return result


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), users=st.lists(st.sampled_from("uvwxyz"), min_size=1, max_size=12))
def test_user_means_equal_the_literal_definition_in_any_row_order(score_table, seed, users):
    generator = np.random.default_rng(seed)
    values = {name: generator.normal(size=(n, len(users))) for name, n in (("p", 1), ("q", 3), ("r", 2))}
    scores = score_table(values, users)
    means = user_means(scores, "KL")
    for (user, simulator), value in literal_user_means(scores, "KL").items():
        assert means.loc[user, simulator] == pytest.approx(value, abs=1e-12)
    shuffled = scores.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(user_means(shuffled, "KL"), means, check_exact=True)


def test_a_simulator_without_the_metric_is_left_out(table):
    table.loc[table["simulator"] == "a", "KL"] = np.nan
    assert list(user_means(table, "KL").columns) == ["b"]
    table["KL"] = np.nan
    assert user_means(table, "KL").shape[1] == 0


def test_unused_categories_are_no_users(table):
    table["user"] = pd.Categorical(table["user"], categories=["u0", "u1", "u2"])
    table["simulator"] = pd.Categorical(table["simulator"], categories=["a", "b", "c"])
    assert user_means(table, "KL").shape == (2, 2)


def test_metric_names_are_the_columns_that_identify_nothing(table):
    assert metric_names(table.assign(failed=0, AUC=0.5)) == ["KL", "AUC"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda t: t[~((t["simulator"] == "a") & (t["user"] == "u2"))],
            r"simulator a .*u2-3 of user u2, .*simulator b",
        ),
        (
            lambda t: t[~((t["simulator"] == "a") & (t["session_id"] == "u1-1"))],
            r"simulator a .*session u1-1 of user u1",
        ),
        (lambda t: t[~((t["seed"] == 1) & (t["session_id"] == "u1-1"))], r"simulator b \(seed 1\).*u1-1.*seed 0 has"),
        (lambda t: t.assign(KL=t["KL"].where(t["session_id"] != "u1-2")), r"simulator b has no KL for session u1-2"),
        (lambda t: t.assign(KL=t["KL"].replace(20.0, np.inf)), r"simulator b has an infinite KL for session u2-3"),
        (lambda t: pd.concat([t, t.tail(1)]), r"simulator a has session u2-3 \(seed 0\) twice"),
        (lambda t: t.assign(user=["u3", *t["user"][1:]]), r"session u1-0 belongs to several users: u1, u3"),
        (lambda t: t.assign(user=[None, *t["user"][1:]]), r"row 0 .* blank user"),
        (lambda t: t.assign(KL="high"), r"KL .* not a number"),
        (lambda t: t.drop(columns=["user", "seed"]), r"no column seed, user"),
        (lambda t: t.rename(columns={"KL": "kl2"}), r"unknown metric 'KL'.*kl2"),
    ],
)
def test_a_faulty_table_is_refused_by_name(table, spoil, message):
    with pytest.raises(InputError, match=message):
        user_means(spoil(table), "KL")


def test_an_identity_column_is_no_metric(table):
    with pytest.raises(InputError, match="unknown metric 'fold'"):
        user_means(table, "fold")
