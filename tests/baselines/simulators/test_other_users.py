import dataclasses

import numpy as np
import pytest

from baselines.simulators.oracles import OtherUsers
from baselines.simulators.priors import PositionPrior


def people(make_session, users, screen):
    """A session of each user on one screen of two slots; user i looked i + 1 times as long at the first."""
    return [
        dataclasses.replace(make_session([i + 1, 1], 0, user=f"u{i}", session_id=f"u{i}-{screen}"), screen=screen)
        for i in users
    ]


def test_it_is_the_others_mean_where_enough_saw_the_screen_and_else_the_prior(make_session):
    train, test = (
        people(make_session, range(1, 5), "a"),
        people(make_session, [0], "a") + people(make_session, [5], "b"),
    )
    simulator = OtherUsers()
    simulator.fit(train, 0)
    found = simulator.simulate(test)
    shares = np.array([[2 / 3, 1 / 3], [3 / 4, 1 / 4], [4 / 5, 1 / 5], [5 / 6, 1 / 6]])
    assert found[0].attention == pytest.approx((shares.sum(axis=0) + 0.5) / 5)
    prior = PositionPrior()
    prior.fit(train, 0)
    [expected] = prior.simulate(test[1:])
    assert found[1].attention == pytest.approx(expected.attention)
    assert all(said.probabilities is None and said.answer is None for said in found)


def test_it_says_nothing_where_screens_hardly_repeat_and_is_not_given_stimuli(make_session):
    simulator = OtherUsers()
    simulator.fit(people(make_session, [0], "a"), 0)
    [found] = simulator.simulate(people(make_session, [1], "a"))
    assert found.attention is None
    with pytest.raises(TypeError, match="full sessions"):
        simulator.simulate([people(make_session, [1], "a")[0].stimulus()])
