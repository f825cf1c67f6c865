import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baselines.simulators.priors import (
    WEIGHTS,
    GazeClickPrior,
    KindPositionPrior,
    PositionPrior,
    Uniform,
    UserClickPrior,
    UserPrior,
)
from tasks.errors import InputError

FITTED = [PositionPrior, KindPositionPrior, UserPrior, GazeClickPrior, UserClickPrior]


def predict(simulator, train, session):
    simulator.fit(train, 42)
    return simulator.simulate([session.stimulus()])[0]


def test_uniform_is_one_over_k_without_an_answer(make_session):
    found = predict(Uniform(), [], make_session([1, 0, 0, 3], 0))
    assert found.attention.tolist() == found.probabilities.tolist() == [0.25] * 4
    assert found.answer is None


def test_position_prior_worked_by_hand(make_session):
    train = [make_session([3, 1], 0), make_session([1, 1], 1), make_session([4, 0], 0)]
    found = predict(PositionPrior(smoothing=1, gaze_smoothing=0), train, make_session([1, 1], 1))
    assert found.attention == pytest.approx([(0.75 + 0.5 + 1) / 3, (0.25 + 0.5 + 0) / 3])
    assert found.probabilities == pytest.approx([(2 + 1) / (3 + 2), (1 + 1) / (3 + 2)])
    assert found.answer == 0
    smooth = predict(PositionPrior(gaze_smoothing=1), train, make_session([1, 1], 1))
    assert smooth.attention == pytest.approx([(2.25 + 0.5) / 4, (0.75 + 0.5) / 4])


def test_a_position_is_averaged_over_the_sessions_that_have_it(make_session):
    train = [make_session([1, 1], 1), make_session([1, 1, 2], 1)]
    simulator = PositionPrior(smoothing=0, gaze_smoothing=0)
    rates = np.array([(0.5 + 0.25) / 2, (0.5 + 0.25) / 2, 0.5])  # the third of one session only
    three = predict(simulator, train, make_session([1, 1, 1], 0))
    assert three.attention == pytest.approx(rates / rates.sum())
    assert three.probabilities.tolist() == [0, 1, 0]
    assert predict(simulator, train, make_session([1, 1], 0)).attention == pytest.approx([0.5, 0.5])


def test_a_position_never_seen_is_an_average_one(make_session):
    train = [make_session([1, 0], 0), make_session([0, 1, 0, 0], 0)]
    found = predict(PositionPrior(smoothing=0, gaze_smoothing=0), train, make_session([1] * 5, 0))
    chance = (1 / 2 + 1 / 4) / 2
    assert found.attention == pytest.approx(np.array([0.5, 0.5, 0, 0, chance]) / (1 + chance))
    assert found.probabilities == pytest.approx(np.array([1, 0, 0, 0, chance]) / (1 + chance))


def test_rates_that_are_all_zero_become_uniform(make_session):
    train = [make_session([0, 0, 1], 2)]
    found = predict(PositionPrior(smoothing=0, gaze_smoothing=0), train, make_session([1, 1], 0))
    assert found.attention.tolist() == found.probabilities.tolist() == [0.5, 0.5]
    assert found.answer is None


def test_kind_prior_worked_by_hand(make_session):
    ad, organic = "native_ad", "organic_result"
    train = [make_session([1, 3], 1, [ad, organic]), make_session([3, 1], 0, [organic, organic])]
    simulator = KindPositionPrior(smoothing=1, gaze_smoothing=0, weight=1)
    found = predict(simulator, train, make_session([1, 1], 0, [ad, organic]))
    base_gaze, base_click = (0.5, 0.5), (0.5, 0.5)  # one click and one half of the gaze each
    gaze = np.array([(0.25 + base_gaze[0]) / 2, (0.75 + 0.25 + base_gaze[1]) / 3])
    click = np.array([(0 + base_click[0]) / 2, (1 + 0 + base_click[1]) / 3])
    assert found.attention == pytest.approx(gaze / gaze.sum())
    assert found.probabilities == pytest.approx(click / click.sum())


def test_kind_prior_without_weight_is_the_mean_of_the_kind_and_falls_back_on_the_position(make_session):
    ad, organic = "native_ad", "organic_result"
    train = [make_session([1, 3], 1, [ad, organic]), make_session([3, 1], 0, [organic, organic])]
    simulator = KindPositionPrior(gaze_smoothing=0, weight=0)
    found = predict(simulator, train, make_session([1, 1], 0, [ad, "dd_top"]))
    assert found.attention == pytest.approx(np.array([0.25, 0.5]) / 0.75)


def test_with_one_kind_the_kind_prior_is_the_position_prior(make_session):
    train = [make_session([3, 1, 0], 0), make_session([1, 2, 3], 2)]
    session = make_session([1, 1, 1], 0)
    one = predict(PositionPrior(), train, session)
    other = predict(KindPositionPrior(), train, session)
    assert other.attention.tolist() == one.attention.tolist()
    assert other.probabilities.tolist() == one.probabilities.tolist()


def test_user_prior_worked_by_hand(make_session):
    train = [make_session([1, 0], 0, user="left"), make_session([0, 1], 1, user="right")]
    simulator = UserPrior(smoothing=0, gaze_smoothing=0, gaze_weight=3, click_weight=1)
    found = predict(simulator, train, make_session([1, 1], 0, user="left"))
    assert found.attention == pytest.approx([(1 + 3 * 0.5) / 4, (0 + 3 * 0.5) / 4])
    assert found.probabilities == pytest.approx([(1 + 0.5) / 2, 0.5 / 2])
    assert found.answer == 0


def test_an_unknown_user_and_an_endless_weight_get_the_position_prior(random_sessions, make_session):
    train = random_sessions(1, 30)
    session = make_session([1, 1, 1], 0, user="newcomer")
    prior = predict(PositionPrior(), train, session)
    for found in (
        predict(UserPrior(), train, session),
        predict(UserPrior(gaze_weight=1e12, click_weight=1e12), train, make_session([1, 1, 1], 0, user="u1")),
    ):
        np.testing.assert_allclose(found.attention, prior.attention, atol=1e-9)
        np.testing.assert_allclose(found.probabilities, prior.probabilities, atol=1e-9)


def test_gaze_click_prior_clicks_where_the_user_prior_looks_whatever_was_clicked(random_sessions):
    *train, session = random_sessions(5, 30)
    found = predict(GazeClickPrior(), train, session)
    assert found.attention.tolist() == found.probabilities.tolist()
    np.testing.assert_array_equal(found.attention, predict(UserPrior(), train, session).attention)
    clicked = [dataclasses.replace(one, click=0) for one in train]
    np.testing.assert_array_equal(predict(GazeClickPrior(), clicked, session).attention, found.attention)


def literal_user_click(others, everybody, user, k, weight):
    """Return the click probabilities of a user from other sessions, those of a training set given."""
    chance = sum(1 / len(s.slots) for s in everybody) / len(everybody)
    rates = []
    for i in range(k):
        having = [s for s in everybody if len(s.slots) > i]
        shared = (sum(s.click == i for s in having) + 1) / (len(having) + 1 / chance)
        own = [s for s in others if s.user == user and len(s.slots) > i]
        rates.append((sum(s.click == i for s in own) + weight * shared) / (len(own) + weight))
    return np.array(rates) / sum(rates)


@pytest.mark.parametrize("habit", [False, True])
def test_user_click_prior_takes_the_weight_that_makes_left_out_clicks_likeliest(random_sessions, habit):
    *train, session = random_sessions(5, 60)
    if habit:  # one user always clicks the first slot, the others the second
        train = [dataclasses.replace(one, click=int(one.user != session.user)) for one in train]
    fit = {
        weight: sum(
            np.log(literal_user_click(train[:i] + train[i + 1 :], train, one.user, len(one.slots), weight)[one.click])
            for i, one in enumerate(train)
        )
        for weight in WEIGHTS
    }
    best = max(fit, key=fit.__getitem__)
    assert best == min(WEIGHTS) if habit else best > min(WEIGHTS)
    found = predict(UserClickPrior(), train, session)
    expected = literal_user_click(train, train, session.user, len(session.slots), best)
    np.testing.assert_allclose(found.probabilities, expected)
    assert found.attention is None


def literal_position_prior(train, k, smoothing, gaze_smoothing):
    chance = sum(1 / len(s.slots) for s in train) / len(train)
    gaze, click = [], []
    for i in range(k):
        having = [s for s in train if len(s.slots) > i]
        looked = sum(s.gaze_ms[i] / sum(s.gaze_ms) for s in having)
        clicked = sum(s.click == i for s in having)
        gaze.append((looked + gaze_smoothing * chance) / (len(having) + gaze_smoothing))
        click.append((clicked + smoothing) / (len(having) + smoothing / chance))
    return np.array(gaze) / sum(gaze), np.array(click) / sum(click)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 5), st.floats(0.01, 5))
def test_position_prior_equals_the_literal_definition(random_sessions, seed, smoothing, gaze_smoothing):
    *train, session = random_sessions(seed, 12)
    found = predict(PositionPrior(smoothing, gaze_smoothing), train, session)
    gaze, click = literal_position_prior(train, len(session.slots), smoothing, gaze_smoothing)
    np.testing.assert_allclose(found.attention, gaze, atol=1e-12)
    np.testing.assert_allclose(found.probabilities, click, atol=1e-12)


@pytest.mark.parametrize("cls", FITTED)
def test_fitting_on_nothing_is_refused(cls):
    with pytest.raises(InputError, match="no training session"):
        cls().fit([], 42)


@pytest.mark.parametrize("cls", FITTED)
def test_simulating_before_fitting_is_a_defect(cls, make_session):
    with pytest.raises(RuntimeError, match="fit before"):
        cls().simulate([make_session([1, 1], 0).stimulus()])


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_an_impossible_setting_is_refused(value):
    with pytest.raises(InputError, match="smoothing"):
        PositionPrior(smoothing=value)
    with pytest.raises(InputError, match="click_weight"):
        UserPrior(click_weight=value)
