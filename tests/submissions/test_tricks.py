"""Tricks that would better a score if they worked: each is refused, or gains nothing."""

from __future__ import annotations

import numpy as np
import pytest

import submissions
from benchmark.metrics import all_metrics, asked_of
from benchmark.scores import scoring
from tests.submissions import builder


def outcome(folder, task):
    """Return the mean of every metric of an accepted submission, None for a refused one."""
    if submissions.errors(submissions.doctor(folder, {task.name: task})):
        return None
    found = submissions.read(folder)
    scores = scoring.score(task, "kfold", submissions.prediction_table(found, found.entries))
    return scores[[m.name for m in all_metrics() if m.name in scores]].mean()


@pytest.fixture
def honest(tmp_path, mini):
    found = outcome(builder.write(tmp_path / "honest", mini), mini)
    assert found is not None and found.notna().all()
    return found


def padding(table, sessions):
    for row in table:
        row["attention"] = [*row["attention"], 0.0, 0.0]
        row["probabilities"] = [*row["probabilities"], 0.0, 0.0]


def extra_slots_with_mass(table, sessions):
    for row in table:
        row["attention"] = [*row["attention"], 5.0]


def fewer_slots(table, sessions):
    for row in table:
        row["attention"] = row["attention"][:2]


def duplicates_of_the_best(table, sessions):
    table.extend([dict(table[0])] * 50)


def only_the_best(table, sessions):
    right = [row for row, s in zip(table, sessions, strict=True) if row["answer"] == s.click]
    assert 0 < len(right) < len(table)
    table[:] = right


def blank_where_wrong(table, sessions):
    for row, session in zip(table, sessions, strict=True):
        if row["answer"] != session.click:
            row.update(attention=None, probabilities=None, answer=None)


def second_try_under_a_look_alike(table, sessions):
    for row, session in list(zip(table, sessions, strict=True)):
        p = np.eye(4)[session.click]
        table.append({**row, "session_id": row["session_id"].replace("-", "\u2010"), "probabilities": p.tolist()})


def look_alikes_for_all(table, sessions):
    for row in table:
        row["session_id"] = row["session_id"].replace("u", "\uff55")


def ids_with_blanks(table, sessions):
    for row in table:
        row["session_id"] += "\u00a0"


def infinite_probabilities(table, sessions):
    for row, session in zip(table, sessions, strict=True):
        row["probabilities"][session.click] = float("inf")


def huge_probabilities(table, sessions):
    for row, session in zip(table, sessions, strict=True):
        row["probabilities"][session.click] = 1e300


def probabilities_above_one(table, sessions):
    for row in table:
        row["probabilities"] = [1.0] * 4


def infinite_attention(table, sessions):
    for row in table:
        row["attention"][0] = float("inf")


def overflowing_attention(table, sessions):
    for row in table:
        row["attention"] = [1.7e308] * 4


def not_a_number(table, sessions):
    for row in table:
        row["attention"][0] = float("nan")


def negative_to_make_room(table, sessions):
    for row, session in zip(table, sessions, strict=True):
        p = np.full(4, -1.0)
        p[session.click] = 4.0
        row["probabilities"] = p.tolist()


def answers_of_two_slots(table, sessions):
    for row in table:
        row["answer"] = 0.5


REFUSED = [
    padding,
    extra_slots_with_mass,
    fewer_slots,
    duplicates_of_the_best,
    only_the_best,
    blank_where_wrong,
    second_try_under_a_look_alike,
    look_alikes_for_all,
    ids_with_blanks,
    infinite_probabilities,
    huge_probabilities,
    probabilities_above_one,
    infinite_attention,
    overflowing_attention,
    not_a_number,
    negative_to_make_room,
    answers_of_two_slots,
]


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@pytest.mark.parametrize("trick", REFUSED, ids=lambda trick: trick.__name__)
def test_refused(tmp_path, mini, trick, suffix):
    table = builder.rows(mini)
    trick(table, builder.sessions(mini))
    assert outcome(builder.write(tmp_path, mini, {1: table}, suffix=suffix), mini) is None


def negative_zero(table, sessions):
    for row in table:
        row["attention"] = [-0.0, 0.0, *row["attention"][2:]]


def zero(table, sessions):
    for row in table:
        row["attention"] = [0.0, 0.0, *row["attention"][2:]]


def large_attention(table, sessions):
    for row in table:
        row["attention"] = [v * 1e300 for v in row["attention"]]


def a_sum_at_the_edge(table, sessions):
    """Probabilities may miss 1 by a thousandth; they are divided by their sum."""
    for row in table:
        row["probabilities"] = [v * 1.0009 for v in row["probabilities"]]


def other_order(table, sessions):
    table.reverse()


@pytest.mark.parametrize(
    ("trick", "plain"),
    [(negative_zero, zero), (large_attention, None), (a_sum_at_the_edge, None), (other_order, None)],
    ids=lambda trick: trick.__name__ if trick else "",
)
def test_the_same_scores(tmp_path, mini, honest, trick, plain):
    table = builder.rows(mini)
    trick(table, builder.sessions(mini))
    found = outcome(builder.write(tmp_path / "trick", mini, {1: table}), mini)
    if plain is not None:
        table = builder.rows(mini)
        plain(table, builder.sessions(mini))
        honest = outcome(builder.write(tmp_path / "plain", mini, {1: table}), mini)
    assert found.to_dict() == pytest.approx(honest.to_dict(), rel=1e-12)


def test_ties_everywhere_score_as_chance(tmp_path, mini):
    """All slots equal: a rule that breaks ties would hand out places for nothing."""
    table = builder.rows(mini)
    for row in table:
        row.update(attention=[0.25] * 4, probabilities=[0.25] * 4, answer=None)
    found = outcome(builder.write(tmp_path, mini, {1: table}), mini)
    assert found["CSH@1"] == pytest.approx(0.25) and found["Accuracy"] == pytest.approx(0.25)
    assert found["AUC"] == pytest.approx(0.5) and found["CSH@3"] == pytest.approx(0.75)


def test_ties_between_two_guesses_score_as_a_coin(tmp_path, mini):
    sessions = builder.sessions(mini)
    table = builder.rows(mini)
    for row, session in zip(table, sessions, strict=True):
        p = np.zeros(4)
        p[[session.click, (session.click + 1) % 4]] = 0.5
        row.update(probabilities=p.tolist(), answer=None)
    assert outcome(builder.write(tmp_path, mini, {1: table}), mini)["Accuracy"] == pytest.approx(0.5)


def test_failures_that_are_owned_up_to_never_better_a_mean(tmp_path, mini):
    """Blank exactly the sessions in which a metric is worst: the mean does not get better."""
    sessions = builder.sessions(mini)
    table = builder.rows(mini)
    found = submissions.read(builder.write(tmp_path / "a", mini, {1: table}))
    scores = scoring.score(mini, "kfold", submissions.prediction_table(found, found.entries))
    for metric in asked_of(()):
        worst = scores[metric.name].to_numpy() * (-1 if metric.higher_is_better else 1)
        chosen = np.argsort(worst)[-3:]
        table = builder.rows(mini)
        for index in chosen:
            table[index].update(attention=None, probabilities=None, answer=None)
        folder = builder.write(tmp_path / f"b-{metric.name}", mini, {1: table}, failures=3)
        after = outcome(folder, mini)[metric.name]
        before = scores[metric.name].mean()
        assert after <= before + 1e-12 if metric.higher_is_better else after >= before - 1e-12, metric.name
    assert len(sessions) == 21
