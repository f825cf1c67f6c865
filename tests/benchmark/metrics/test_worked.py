"""Values worked by hand."""

import math

import numpy as np
import pytest

from benchmark.metrics import evaluate_sessions

COLUMNS = "KL JS Cosine CSH@1 CSH@3 CSH@5 TGO@1 TGO@3 TGO@5 Accuracy LogLoss AUC".split()
EPS_EFFECT = 1e-6  # what eps = 1e-8 may change in a value worked without it


def row(**parts):
    table = evaluate_sessions(**{name: [value] for name, value in parts.items() if name != "ties"}, **ties_of(parts))
    assert set(COLUMNS) <= set(table.columns)
    return table.iloc[0]


def ties_of(parts):
    return {"ties": parts["ties"]} if "ties" in parts else {}


def test_uniform_attention_against_graded_gaze():
    # g = (1/2, 1/4, 1/8, 1/8), a = 1/4 each, the click on slot 1
    got = row(gaze=[400, 200, 100, 100], click=1, attention=[3, 3, 3, 3], probabilities=[0.4, 0.3, 0.2, 0.1])
    assert got["KL"] == pytest.approx(0.25 * math.log(2), abs=EPS_EFFECT)
    assert got["JS"] == pytest.approx(0.5 * math.log(4 / 3) + 0.25 * math.log(2 / 3), abs=1e-12)
    assert got["Cosine"] == pytest.approx(0.25 / (0.5 * math.sqrt(22 / 64)), abs=EPS_EFFECT)
    assert got["CSH@1"] == 1 / 4
    assert got["CSH@3"] == 3 / 4
    assert got["CSH@5"] == 1
    assert got["TGO@1"] == 1 / 4
    # gaze puts slots 0 and 1 in for sure and 2 and 3 by halves; attention each by three quarters
    assert got["TGO@3"] == pytest.approx((3 / 4 + 3 / 4 + 3 / 8 + 3 / 8) / 3, abs=1e-15)
    assert got["TGO@5"] == 1
    assert got["Accuracy"] == 0
    assert got["LogLoss"] == pytest.approx(-math.log(0.3), abs=1e-15)
    assert got["AUC"] == pytest.approx(2 / 3, abs=1e-15)


def test_the_same_with_ties_to_the_last_slot():
    got = row(
        gaze=[400, 200, 100, 100], click=1, attention=[3, 3, 3, 3], probabilities=[0.3, 0.3, 0.1, 0.3], ties="last"
    )
    # attention ranks 3, 2, 1, 0; gaze 0, 1, 3, 2
    assert got["CSH@1"] == 0
    assert got["CSH@3"] == 1
    assert got["TGO@1"] == 0
    assert got["TGO@3"] == pytest.approx(2 / 3)
    assert got["TGO@5"] == 1
    assert got["Accuracy"] == 0  # the last of the three largest is slot 3
    assert got["AUC"] == pytest.approx((1 + 0.5 + 0.5) / 3)  # halves in this mode too


def test_the_last_slot_wins_its_ties_in_parity_mode():
    got = row(gaze=[1, 1, 1], click=2, attention=[2, 5, 5], probabilities=[0.4, 0.2, 0.4], ties="last")
    assert (got["CSH@1"], got["Accuracy"]) == (1, 1)
    assert got["TGO@1"] == 1  # both choose slot 2
    got = row(gaze=[1, 1, 1], click=0, attention=[5, 5, 2], probabilities=[0.4, 0.2, 0.4], ties="last")
    assert (got["CSH@1"], got["Accuracy"]) == (0, 0)
    assert got["TGO@1"] == 0  # slot 2 by gaze, slot 1 by attention


def test_perfect_attention():
    got = row(gaze=[5, 4, 3, 2, 1, 0.5], click=0, attention=[5, 4, 3, 2, 1, 0.5])
    assert got["KL"] == 0
    assert got["JS"] == 0
    assert got["Cosine"] == pytest.approx(1, abs=EPS_EFFECT)
    assert got[["CSH@1", "CSH@3", "CSH@5", "TGO@1", "TGO@3", "TGO@5"]].tolist() == [1] * 6


def test_perfect_attention_on_too_few_slots_shares_the_free_places():
    # 2 of 6 slots seen: each of the 4 others takes one of 3 free places with chance 3/4 in both sets,
    # so TGO@5 = (1 + 1 + 4 * 9/16) / 5
    got = row(gaze=[9, 0, 0, 7, 0, 0], click=0, attention=[9, 0, 0, 7, 0, 0])
    assert got["TGO@5"] == pytest.approx((2 + 4 * 9 / 16) / 5)
    assert got["TGO@3"] == pytest.approx((2 + 4 * 1 / 16) / 3)
    assert got["TGO@1"] == 1


def test_attention_beside_the_gaze():
    got = row(gaze=[7, 0, 0, 0], click=0, attention=[0, 0, 0, 2], probabilities=[0, 0, 0, 1])
    assert got["KL"] == pytest.approx(math.log((1 + 1e-8) / 1e-8), abs=1e-12)
    assert got["JS"] == pytest.approx(math.log(2), abs=1e-12)
    assert got["Cosine"] == 0
    assert got["CSH@1"] == 0
    assert got["CSH@3"] == pytest.approx(2 / 3)  # two places left for three tied slots
    assert got["LogLoss"] == pytest.approx(8 * math.log(10), abs=1e-12)
    assert got["AUC"] == pytest.approx(2 * 0.5 / 3)


def test_certain_and_right():
    got = row(gaze=[1, 1], click=1, probabilities=[0.0, 1.0], answer=1)
    assert (got["Accuracy"], got["LogLoss"], got["AUC"]) == (1, 0, 1)
    assert math.copysign(1, got["LogLoss"]) == 1  # 0, not -0


def test_answer_goes_before_probabilities():
    assert row(gaze=[1, 1, 1], click=2, probabilities=[0.8, 0.1, 0.1], answer=2)["Accuracy"] == 1
    assert row(gaze=[1, 1, 1], click=0, probabilities=[0.8, 0.1, 0.1], answer=2)["Accuracy"] == 0


def test_largest_probability_answers_where_there_is_no_answer():
    got = evaluate_sessions(
        gaze=np.ones((4, 3)),
        click=[0, 0, 2, 2],
        probabilities=[[0.8, 0.1, 0.1], [0.4, 0.4, 0.2], [0.4, 0.4, 0.2], None],
        answer=[None, -1, -1, 2],
    )
    assert got["Accuracy"].tolist() == [1, 0.5, 0, 1]


def test_probabilities_near_one_are_divided_out():
    got = row(gaze=[1, 1], click=0, probabilities=[0.5005, 0.5])
    assert got["LogLoss"] == pytest.approx(-math.log(0.5005 / 1.0005), abs=1e-15)


def test_uniform_probabilities_of_fifteen_slots():
    got = row(gaze=np.ones(15), click=4, probabilities=np.full(15, 1 / 15))
    assert got["LogLoss"] == pytest.approx(math.log(15))
    assert got["AUC"] == 0.5
    assert got["Accuracy"] == pytest.approx(1 / 15)


def test_ranks_come_from_the_numbers_as_given():
    # the two largest differ in the last bit, which dividing by the sum rounds away
    larger = np.nextafter(2.0, 0.0)
    attention = np.array([np.nextafter(larger, 0.0), larger, 1.5, 1.5])
    share = attention / attention.sum()
    assert share[0] == share[1], "choose other numbers: the division must merge them"
    assert row(gaze=[1, 1, 1, 1], click=0, attention=attention)["CSH@1"] == 0
    assert row(gaze=[1, 1, 1, 1], click=1, attention=attention)["CSH@1"] == 1
