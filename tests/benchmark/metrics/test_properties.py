"""Properties that hold for every session: bounds, order of slots, scale of the input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.metrics import asked_of, evaluate_sessions

pytestmark = pytest.mark.slow

# whole numbers keep equal values equal and unequal ones apart under scaling; zeros and ties are common
weights = st.one_of(st.integers(0, 3), st.integers(0, 10**6)).map(float)
tiny = st.one_of(st.just(0.0), st.floats(1e-12, 1e-6), st.floats(0.0, 1.0))


@st.composite
def sessions(draw, numbers=weights):
    slots = draw(st.integers(2, 20))

    def vector():
        values = np.array(draw(st.lists(numbers, min_size=slots, max_size=slots)))
        values[draw(st.integers(0, slots - 1))] += 1.0
        return values

    odds = vector()
    return vector(), draw(st.integers(0, slots - 1)), vector(), odds / odds.sum(), draw(st.integers(-1, slots - 1))


def measure(gaze, click, attention, probabilities, answer, **options):
    return evaluate_sessions([gaze], [click], [attention], [probabilities], [answer], **options).iloc[0]


@given(sessions(tiny), st.sampled_from(["expected", "last"]))
@settings(max_examples=150, deadline=None)
def test_every_metric_stays_in_its_declared_range(session, ties):
    row = measure(*session, ties=ties)
    for metric in asked_of(("attention", "probabilities", "answer")):
        low, high = metric.range
        # KL carries eps in its terms but not in its weights: it may fall below 0 by less than K eps
        slack = 20 * 1e-8 if metric.name == "KL" else 1e-12
        assert low - slack <= row[metric.name] <= high + slack, metric.name


@given(sessions(), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_slots_does_not_matter(session, random):
    gaze, click, attention, probabilities, answer = session
    order = list(range(len(gaze)))
    random.shuffle(order)
    moved = measure(
        gaze[order],
        order.index(click),
        attention[order],
        probabilities[order],
        order.index(answer) if answer >= 0 else -1,
    )
    np.testing.assert_allclose(moved.to_numpy(), measure(*session).to_numpy(), rtol=0, atol=1e-9)


@given(sessions(), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
@settings(max_examples=150, deadline=None)
def test_the_scale_of_gaze_and_attention_does_not_matter(session, of_gaze, of_attention):
    gaze, click, attention, probabilities, answer = session
    for ties in ("expected", "last"):
        scaled = measure(gaze * of_gaze, click, attention * of_attention, probabilities, answer, ties=ties)
        np.testing.assert_allclose(
            scaled.to_numpy(), measure(*session, ties=ties).to_numpy(), rtol=0, atol=1e-9, err_msg=ties
        )


@given(sessions())
@settings(max_examples=80, deadline=None)
def test_overlap_and_divergence_know_perfect_attention(session):
    gaze, click, _, probabilities, answer = session
    row = measure(gaze, click, gaze, probabilities, answer)
    assert row["KL"] == 0
    assert row["JS"] == 0
    assert abs(row["Cosine"] - 1) <= len(gaze) * 1e-8
    # the parity mode breaks ties alike in both, so the sets are the same
    assert measure(gaze, click, gaze, probabilities, answer, ties="last")["TGO@3"] == 1


@given(sessions())
@settings(max_examples=80, deadline=None)
def test_js_and_overlap_are_symmetric(session):
    gaze, click, attention, probabilities, answer = session
    there, back = measure(*session), measure(attention, click, gaze, probabilities, answer)
    for name in ("JS", "Cosine", "TGO@1", "TGO@3", "TGO@5"):
        assert abs(there[name] - back[name]) < 1e-12, name


@given(sessions())
@settings(max_examples=80, deadline=None)
def test_more_places_never_hurt_a_hit(session):
    for ties in ("expected", "last"):
        row = measure(*session, ties=ties)
        assert row["CSH@1"] <= row["CSH@3"] <= row["CSH@5"]
        assert row["CSH@5"] == 1 or len(session[0]) > 5


@given(st.lists(sessions(), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_sessions_do_not_touch_each_other(several):
    together = evaluate_sessions(*zip(*several, strict=True))
    for i, session in enumerate(several):
        np.testing.assert_allclose(together.iloc[i].to_numpy(), measure(*session).to_numpy(), rtol=0, atol=1e-12)
