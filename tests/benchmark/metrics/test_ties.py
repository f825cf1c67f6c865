"""Tie expectations are averages over every order in which ties can be broken."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.metrics import evaluate_sessions

few_values = st.lists(st.integers(0, 2), min_size=2, max_size=5).filter(any)


def rankings(values):
    """Every ranking (slots from largest to smallest) that random tie-breaking can give, each equally likely."""
    groups = [[i for i, v in enumerate(values) if v == level] for level in sorted(set(values), reverse=True)]
    for parts in itertools.product(*(list(itertools.permutations(group)) for group in groups)):
        yield list(itertools.chain.from_iterable(parts))


@given(few_values, st.data())
@settings(max_examples=150, deadline=None)
def test_hit_is_the_average_over_all_orders(values, data):
    click = data.draw(st.integers(0, len(values) - 1))
    probabilities = np.array(values) / sum(values)
    got = evaluate_sessions([np.ones(len(values))], [click], [values], [probabilities]).iloc[0]
    orders = list(rankings(values))
    for k in (1, 3, 5):
        assert got[f"CSH@{k}"] == pytest.approx(np.mean([click in order[:k] for order in orders]), abs=1e-12)
    assert got["Accuracy"] == pytest.approx(np.mean([order[0] == click for order in orders]), abs=1e-12)
    assert got["AUC"] == pytest.approx(
        np.mean([(len(values) - 1 - order.index(click)) / (len(values) - 1) for order in orders]), abs=1e-12
    )


@given(few_values, st.data())
@settings(max_examples=60, deadline=None)
def test_overlap_is_the_average_over_all_pairs_of_orders(values, data):
    slots = len(values)
    gaze = data.draw(st.lists(st.integers(0, 2), min_size=slots, max_size=slots).filter(any))
    got = evaluate_sessions([gaze], [0], [values]).iloc[0]
    by_attention, by_gaze = list(rankings(values)), list(rankings(gaze))
    for k in (1, 3, 5):
        tops_a = np.array([[slot in order[:k] for slot in range(slots)] for order in by_attention], dtype=int)
        tops_g = np.array([[slot in order[:k] for slot in range(slots)] for order in by_gaze], dtype=int)
        overlaps = tops_a @ tops_g.T  # one entry per pair of orders
        assert got[f"TGO@{k}"] == pytest.approx(overlaps.mean() / min(k, slots), abs=1e-12)


@pytest.mark.slow
@given(few_values, st.data())
@settings(max_examples=100, deadline=None)
def test_parity_mode_is_the_one_order_with_the_last_slot_first(values, data):
    slots = len(values)
    gaze = data.draw(st.lists(st.integers(0, 2), min_size=slots, max_size=slots).filter(any))
    click = data.draw(st.integers(0, slots - 1))
    probabilities = np.array(values) / sum(values)
    got = evaluate_sessions([gaze], [click], [values], [probabilities], ties="last").iloc[0]
    last_first = {
        name: sorted(range(slots), key=lambda slot: (-numbers[slot], -slot))
        for name, numbers in (("a", values), ("g", gaze))
    }
    for k in (1, 3, 5):
        top_a, top_g = set(last_first["a"][:k]), set(last_first["g"][:k])
        assert got[f"CSH@{k}"] == float(click in top_a)
        assert got[f"TGO@{k}"] == pytest.approx(len(top_a & top_g) / min(k, slots), abs=1e-12)
    assert got["Accuracy"] == float(last_first["a"][0] == click)


def test_modes_agree_without_ties():
    random = np.random.default_rng(3)
    gaze, attention = random.random((50, 9)), random.random((50, 9))
    probabilities = random.dirichlet(np.ones(9), 50)
    click = random.integers(0, 9, 50)
    expected = evaluate_sessions(gaze, click, attention, probabilities)
    last = evaluate_sessions(gaze, click, attention, probabilities, ties="last")
    np.testing.assert_allclose(expected.to_numpy(), last.to_numpy(), rtol=0, atol=1e-15)
