from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmark.metrics import all_metrics, asked_of
from benchmark.scores import scoring as benchmark_scoring
from leaderboard import board_predictions
from tasks.errors import InputError
from tests.leaderboard.boards import frame, table

METRICS = [metric.name for metric in asked_of(())]


def canonical(given: pd.DataFrame, task) -> pa.Table:
    return board_predictions.canonical_predictions(table(given), task, "loo", "toy")


def test_scores_are_those_of_the_benchmark(mini):
    given = frame(mini)
    ours = board_predictions.score(mini, "loo", canonical(given, mini))
    theirs = benchmark_scoring.score(mini, "loo", table(given))
    keys = ["seed", "session_id"]
    pd.testing.assert_frame_equal(
        ours.sort_values(keys)[METRICS].reset_index(drop=True), theirs.sort_values(keys)[METRICS].reset_index(drop=True)
    )


def test_the_order_of_rows_and_of_a_tables_blanks_does_not_change_the_digest(mini):
    given = frame(mini, parts=("attention", "answer"))
    digest = board_predictions.predictions_digest(canonical(given, mini))
    shuffled = given.sample(frac=1, random_state=0)
    shuffled["probabilities"] = np.nan
    assert board_predictions.predictions_digest(canonical(shuffled, mini)) == digest
    stored = board_predictions.stored_predictions(board_predictions.predictions_table(canonical(given, mini), {}))
    assert board_predictions.predictions_digest(stored) == digest
    changed = given.copy()
    changed.at[0, "attention"] = given.at[0, "attention"] * [1 + 1e-15, 1, 1, 1]
    assert board_predictions.predictions_digest(canonical(changed, mini)) != digest


def test_label_attention_has_rows_of_its_own_and_leaves_the_clicks_where_they_are(mini):
    scores = board_predictions.score(mini, "loo", canonical(frame(mini, target="label"), mini))
    free = board_predictions.score(mini, "loo", canonical(frame(mini), mini))
    own, label = (scores[scores["condition"] == c].reset_index(drop=True) for c in ("own", "own [label]"))
    attention = [m.name for m in all_metrics() if m.claimed(("attention",))]
    clicks = [m.name for m in asked_of(()) if m.name not in attention]
    pd.testing.assert_frame_equal(own[clicks], free[clicks])
    pd.testing.assert_frame_equal(label[attention], free[attention])
    assert own[attention].isna().all(axis=None) and label[clicks].isna().all(axis=None)


def test_stated_attention_has_rows_of_its_own_and_a_failure_in_it_is_none_of_the_clicks(mini):
    given = frame(mini, target="none", seeds=(1,))
    given.at[2, "attention"] = None
    scores = board_predictions.score(mini, "loo", canonical(given, mini), stated=True)
    own, stated = (scores[scores["condition"] == c].set_index("session_id") for c in ("own", "own [stated]"))
    assert own["KL"].isna().all() and own["failed"].sum() == 0 and own["AUC"].notna().all()
    assert stated["AUC"].isna().all() and stated["KL"].notna().all()
    assert stated["failed"].gt(0).tolist() == [session == given.at[2, "session_id"] for session in stated.index]


def test_missing_sessions_and_parts_count_with_the_worst_value(mini):
    given = frame(mini, seeds=(1,))
    lacking = given.iloc[1:].copy()
    scores = board_predictions.score(mini, "loo", canonical(lacking, mini)).set_index("session_id")
    lost = given["session_id"].iloc[0]
    assert scores.loc[lost, "LogLoss"] == pytest.approx(-np.log(1e-8)) and scores.loc[lost, "CSH@1"] == 0
    assert scores.loc[lost, "failed"] == len(METRICS) and (scores.drop(lost)["failed"] == 0).all()


def with_row(given: pd.DataFrame, **values: object) -> pd.DataFrame:
    rows = given.to_dict("records")
    rows[3] = {**rows[3], **values}
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"session_id": "u0-9"}, "session 'u0-9' is not among the test sessions"),
        ({"session_id": "\uff550-0"}, r"session '\\uff550-0' is not among the test sessions"),
        ({"session_id": None}, "session_id is blank"),
        ({"attention": [0.5, 0.5]}, "has 2 numbers; the session has 4 slots"),
        ({"attention": [1.0, 0.0, 0.0, 0.0, 0.0]}, "has 5 numbers; the session has 4 slots"),
        ({"attention": [np.nan, 1, 1, 1]}, "NaN or a blank"),
        ({"attention": [np.inf, 1, 1, 1]}, "holds infinity"),
        ({"attention": [-1e-12, 1, 1, 1]}, "negative number"),
        ({"probabilities": [0.5, 0.2, 0.2, 0.2]}, "sum to 1.1"),
        ({"answer": 4}, "answer 4 is not a slot"),
        ({"answer": -1}, "answer -1 is not a slot"),
        ({"target": "best"}, "target 'best' is not one of"),
        ({"condition": "better"}, "condition 'better' is none of"),
    ],
)
def test_predictions_that_cannot_be_scored_are_refused_with_their_row(mini, values, message):
    with pytest.raises(InputError, match=message) as refused:
        canonical(with_row(frame(mini).assign(condition="own"), **values), mini)
    assert "toy, row 4" in str(refused.value)


def test_a_session_twice_is_refused(mini):
    given = frame(mini)
    with pytest.raises(InputError, match="is in row 1 already"):
        canonical(pd.concat([given, given.head(1)]), mini)


def test_nothing_predicted_is_refused(mini):
    with pytest.raises(InputError, match="holds no prediction"):
        canonical(frame(mini, parts=()), mini)


def test_attention_of_sum_zero_is_missing_and_costs_the_worst_value(mini):
    scores = board_predictions.score(
        mini, "loo", canonical(with_row(frame(mini), attention=[0.0, -0.0, 0.0, 0.0]), mini)
    )
    assert sorted(scores["failed"].unique()) == [0, 9]
