"""The order of looking: hand-worked values, a literal definition, properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import benchmark.metrics.sessions
from benchmark.metrics import evaluate_sessions, get
from tasks.errors import InputError

ORDER = ("NextSlot", "NextHit@1", "Stop")
WORST = -math.log2(1e-8)


def measured(paths, rows, slots, ties="expected"):
    gaze = [np.ones(k) for k in slots]
    clicks = np.zeros(len(slots), dtype=int)
    table = evaluate_sessions(gaze, clicks, visits=paths, next_visit=rows, metrics=ORDER, ties=ties)
    assert list(table.columns) == list(ORDER)
    return table


def literal(path, rows, ties="expected"):
    """PROTOCOL section 10, word by word, for one session."""
    bits, hits, stops = [], [], []
    for k, row in enumerate(rows):
        *slots, stop = row
        happened = stop / sum(row) if k == len(path) else 1 - stop / sum(row)
        stops.append(-math.log2(max(happened, 1e-8)))
        if k < len(path):
            others = {slot: p for slot, p in enumerate(slots) if k == 0 or slot != path[k - 1]}
            total = sum(others.values())
            bits.append(-math.log2(max(others[path[k]] / total if total else 0.0, 1e-8)))
            best = [slot for slot, p in others.items() if p == max(others.values())]
            hit = 1 / len(best) if ties == "expected" else best[-1] == path[k]
            hits.append(hit if path[k] in best else 0.0)
    return sum(bits) / len(bits), sum(hits) / len(hits), sum(stops) / len(stops)


def test_worked_by_hand():
    # Visits on 1, 0, 2 of three slots. Before the first: 1/4 of 1. After 1: 0.2 of 0.2 + 0.2. After 0: 0.6 of 0.75.
    path = [1, 0, 2]
    rows = [[0.25, 0.25, 0.5, 0], [0.2, 0.5, 0.2, 0.1], [0.0, 0.15, 0.6, 0.25], [0.5, 0.25, 0.0, 0.25]]
    got = measured([path], [rows], [3]).iloc[0]
    assert got["NextSlot"] == pytest.approx((2 + 1 - math.log2(0.8)) / 3, abs=1e-12)
    assert got["NextHit@1"] == pytest.approx((0 + 0.5 + 1) / 3, abs=1e-12)
    assert got["Stop"] == pytest.approx((0 - math.log2(0.9) - math.log2(0.75) + 2) / 4, abs=1e-12)
    assert measured([path], [rows], [3], "last").iloc[0]["NextHit@1"] == pytest.approx(1 / 3)


def test_uniform_rows_of_k_slots():
    got = measured([[0, 3]], [np.full((3, 6), 1 / 6)], [5]).iloc[0]
    assert got["NextSlot"] == pytest.approx((math.log2(5) + math.log2(4)) / 2, abs=1e-12)
    assert got["NextHit@1"] == pytest.approx((1 / 5 + 1 / 4) / 2, abs=1e-12)
    assert got["Stop"] == pytest.approx((2 * -math.log2(5 / 6) + math.log2(6)) / 3, abs=1e-12)


def test_what_was_given_no_chance_costs_eps():
    worst = [[1, 0, 0], [1, 0, 0], [1, 0, 0]]  # visits on 1 and 0: nothing on 1, then everything on 0
    got = measured([[1, 0]], [worst], [2]).iloc[0]
    assert got["NextSlot"] == pytest.approx(WORST / 2) and got["Stop"] == pytest.approx(WORST / 3)
    # Everything on the current slot, or on stop: the others have no share at all.
    got = measured([[1, 0]], [[[0, 0, 1], [0, 1, 0], [0, 0, 1]]], [2]).iloc[0]
    assert got["NextSlot"] == pytest.approx(WORST) == pytest.approx(get("NextSlot").worst)
    assert got["Stop"] == pytest.approx(WORST / 3)
    assert got["NextHit@1"] == pytest.approx((0.5 + 1) / 2)  # ties of both slots, then of the only one left


def test_with_two_slots_every_step_is_certain():
    rows = [[0.3, 0.3, 0.4], [0.5, 0.1, 0.4], [0.1, 0.8, 0.1], [0.0, 0.5, 0.5]]
    got = measured([[0, 1, 0]], [rows], [2]).iloc[0]
    assert got["NextSlot"] == pytest.approx(1 / 3) and got["NextHit@1"] == pytest.approx(2.5 / 3)


def test_one_visit_counts_one_row():
    got = measured([[2]], [[[0.1, 0.1, 0.6, 0.2], [0, 0, 0.5, 0.5]]], [3]).iloc[0]
    assert got["NextSlot"] == pytest.approx(-math.log2(0.75)) and got["NextHit@1"] == 1


def test_sessions_whose_path_was_not_recorded_are_blank():
    rows = [[[0.5, 0.5, 0]], [[0.5, 0.5, 0], [0, 0.5, 0.5]], None]
    got = measured([None, [0], [0, 1]], rows, [2, 2, 2])
    assert got.isna().all(axis=1).tolist() == [True, False, True]
    assert measured(None, None, [2]).isna().all(axis=None)


@pytest.mark.parametrize(
    ("paths", "rows", "said"),
    [
        ([[0, 2]], None, "session 0: visits hold what is not a slot 0..1."),
        ([[0, -1]], None, "session 0: visits hold what is not a slot 0..1."),
        ([[0.5]], None, "session 0: visits hold what is not a slot 0..1."),
        ([[0, 1, 1]], None, "session 0: visits have a slot twice in a row."),
        ([[0]], [[[0.5, 0.5, 0]]], "session 0: next_visit has the shape 1 x 3."),
        (None, [[[0.5, 0.5, 0], [0.5, 0.5, 0]]], "session 0: next_visit has the shape 2 x 3."),
        ([[0]], [[[0.5, 0.5, 0], [0.5, 0.4, 0]]], "session 0: next_visit has a row that does not sum to 1."),
    ],
)
def test_what_is_refused(paths, rows, said):
    with pytest.raises(InputError, match=said.replace(".", r"\.")):
        measured(paths, rows, [2])


@st.composite
def followed(draw, most=8):
    slots = draw(st.integers(2, 7))
    path = [draw(st.integers(0, slots - 1))]
    for _ in range(draw(st.integers(0, most - 1))):
        path.append((path[-1] + draw(st.integers(1, slots - 1))) % slots)
    numbers = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 999)), min_size=slots + 1, max_size=slots + 1)
    rows = np.array([draw(numbers) for _ in range(len(path) + 1)], dtype=float)
    rows[rows.sum(axis=1) == 0] = 1.0
    return path, rows / rows.sum(axis=1, keepdims=True)


@given(st.lists(followed(), min_size=1, max_size=6), st.sampled_from(["expected", "last"]))
@settings(max_examples=60, deadline=None)
def test_against_the_literal_definition(several, ties):
    paths, rows = zip(*several, strict=True)
    table = measured(paths, rows, [len(row[0]) - 1 for row in rows], ties)
    for i, (path, found) in enumerate(several):
        np.testing.assert_allclose(table.iloc[i], literal(path, found.tolist(), ties), atol=1e-9)
        for name in ORDER:
            low, high = get(name).range
            assert low <= table.loc[i, name] <= high


@given(followed(), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_slots_does_not_matter(one, random):
    path, rows = one
    order = list(range(rows.shape[1] - 1))
    random.shuffle(order)
    place = {slot: i for i, slot in enumerate(order)}
    both = measured([path, [place[v] for v in path]], [rows, rows[:, [*order, len(order)]]], [len(order)] * 2)
    np.testing.assert_allclose(both.iloc[0], both.iloc[1], atol=1e-9)


@given(followed(), st.floats(0, 0.99))
@settings(max_examples=40, deadline=None)
def test_what_is_on_the_current_slot_and_on_stop_does_not_matter_for_the_next(one, share):
    path, rows = one
    moved = (1 - share) * rows
    moved[:, -1] += share / 2
    moved[1:][np.arange(len(path)), path] += share / 2
    moved[0, -1] += share / 2
    both = measured([path] * 2, [rows, moved], [rows.shape[1] - 1] * 2)
    assert both["NextSlot"].iloc[0] == pytest.approx(both["NextSlot"].iloc[1], abs=1e-6)


def test_block_size_changes_nothing(monkeypatch):
    rng = np.random.default_rng(5)
    paths = [[0, 1, 2][: 1 + i % 3] for i in range(30)]
    rows = [rng.dirichlet(np.ones(4 + i % 2), len(path) + 1) for i, path in enumerate(paths)]
    slots = [3 + i % 2 for i in range(30)]
    whole = measured(paths, rows, slots)
    monkeypatch.setattr(benchmark.metrics.sessions, "BLOCK_NUMBERS", 1)
    np.testing.assert_allclose(whole, measured(paths, rows, slots), rtol=0, atol=1e-12)
