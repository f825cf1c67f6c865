from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmark.stress import measures as m
from tasks.altered import NOWHERE, Altered
from tasks.types import Stimulus

STIMULUS = Stimulus("s", "u", "1", None, "", ())
LETTERS = ("A", "B", "C", "D")


def prediction(attention=None, probabilities=None, answer=None):
    lists = [None if x is None else np.array(x, dtype=float) for x in (attention, probabilities)]
    return SimpleNamespace(attention=lists[0], probabilities=lists[1], answer=answer)


def relabelled(label=(1, 2, 3, 0)):
    return Altered(STIMULUS, (0, 1, 2, 3), (0, 1, 2, 3), label), (LETTERS, tuple(LETTERS[i] for i in label))


def mirrored(item=(3, 2, 1, 0)):
    return Altered(STIMULUS, item, (0, 1, 2, 3), (0, 1, 2, 3)), (LETTERS, LETTERS)


def test_a_relabelled_answer_goes_with_item_label_or_neither():
    altered, labels = relabelled()
    outcomes = {0: (1, 0, 0), 3: (0, 1, 0), 1: (0, 0, 1)}  # slot 3 now bears the letter of slot 0
    for answer, (item, label, neither) in outcomes.items():
        found = m.following(prediction(answer=0), prediction(answer=answer), altered, labels)
        assert (found[m.ITEM], found[m.LABEL], found[m.NEITHER], found[m.CHANCE]) == (item, label, neither, 0.25)
        assert found[m.PLACE] == item and math.isnan(found[m.TOP_ITEM])


def test_labels_of_its_own_count_where_a_simulator_has_them():
    altered, _ = relabelled()
    own = ("W", "X", "Y", "Z"), ("X", "W", "Z", "Y")
    found = m.following(prediction(answer=0), prediction(answer=1), altered, own)
    assert (found[m.ITEM], found[m.LABEL]) == (0, 1)


def test_a_choice_that_did_not_move_says_nothing():
    altered, labels = mirrored(item=(2, 1, 0, 3))  # slots 1 and 3 stay
    kept = m.following(prediction(answer=1), prediction(answer=1), altered, labels)
    assert math.isnan(kept[m.ITEM]) and math.isnan(kept[m.CHANCE])
    moved = m.following(prediction(answer=0), prediction(answer=1), altered, labels)
    assert (moved[m.ITEM], moved[m.PLACE], moved[m.NEITHER]) == (0, 0, 1)


def test_ties_count_in_expectation():
    altered, labels = mirrored()
    own, other = prediction(probabilities=[0.4, 0.4, 0.1, 0.1]), prediction(probabilities=[0.1, 0.1, 0.4, 0.4])
    found = m.following(own, other, altered, labels)
    assert (found[m.ITEM], found[m.PLACE]) == (0.5, 0)
    # Slot 3 holds item 0 and place 3, slot 2 item 1 and place 2: half a chance each that the item is the one before.
    assert found[m.NEITHER] == 0.5


def test_attention_is_compared_by_item_and_by_place():
    altered, labels = mirrored()
    own = prediction(attention=[0.4, 0.3, 0.2, 0.1])
    by_item = m.following(own, prediction(attention=[0.1, 0.2, 0.3, 0.4]), altered, labels)
    assert (by_item[m.TOP_ITEM], by_item[m.TOP_PLACE]) == (1, 0)
    assert by_item[m.R_ITEM] == pytest.approx(1) and by_item[m.R_PLACE] == pytest.approx(-1)
    flat = m.following(own, prediction(attention=[0.25] * 4), altered, labels)
    assert math.isnan(flat[m.R_ITEM]) and flat[m.TOP_ITEM] == 0.25


def test_where_nothing_takes_a_place_only_content_is_told():
    altered = Altered(STIMULUS, (0, 1, 2, 3), (NOWHERE,) * 4, (0, 1, 2, 3))
    found = m.following(prediction(answer=2), prediction(answer=1), altered, (LETTERS, LETTERS))
    assert (found[m.ITEM], found[m.NEITHER]) == (0, 1) and math.isnan(found[m.PLACE])


def test_offered():
    assert m.offered(np.array([0.5, 0.5, 0]), 0) == 0.5 and m.offered(np.array([0.5, 0.5, 0]), 2) == 0
    assert math.isnan(m.offered(None, 0))


def test_estimate_takes_screens_into_account_where_they_repeat():
    rng = np.random.default_rng(3)
    cells = [(f"u{u}", f"u{u}-{s}", f"s{s}", 1) for u in range(12) for s in range(4)]
    table = pd.DataFrame(cells, columns=["user", "session_id", "screen", "seed"])
    of_screen = {f"s{s}": shift for s, shift in enumerate((-1.0, 1.0, 0.5, -0.2))}
    table["x"] = table["screen"].map(of_screen) + 0.3 + 0.1 * rng.normal(size=len(table))
    table["zero"] = 0.0
    both = m.estimate(table, "x", "zero", difference=True)
    alone = m.estimate(table.drop(columns="screen"), "x", "zero", difference=True)
    assert both.value == alone.value and alone.p < 0.001 < 0.2 < both.p
    assert both.low < 0 < alone.low


def test_estimate_averages_seeds_sessions_and_users_in_this_order():
    table = pd.DataFrame(
        [("u", "u1", 1, 1.0), ("u", "u1", 2, 0.0), ("u", "u2", 1, 1.0), ("v", "v1", 1, 0.0), ("v", "v2", 1, math.nan)],
        columns=["user", "session_id", "seed", "x"],
    ).assign(zero=0.0)
    found = m.estimate(table, "x", "zero")
    assert found.value == pytest.approx((0.75 + 0) / 2) and found.n == 3
    assert 0 <= found.low < found.value < found.high <= 1 and 0 < found.p < 1
    assert m.estimate(table, "x", "zero", difference=True).value == found.value
    assert m.estimate(table[table["user"] == "u"], "x") == m.Estimate(0.75, None, None, None, 2)
    assert m.estimate(table.assign(x=math.nan), "x") == m.Estimate(None, None, None, None, 0)
