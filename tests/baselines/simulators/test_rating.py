from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from baselines.simulators.choice_model import RatingPrior
from tasks.errors import InputError
from tasks.types import Session
from tests.baselines.backbones import tiny


def session(ratings, click):
    shown = tiny.session("ABC")
    slots = tuple(replace(slot, rating=rating) for slot, rating in zip(shown.slots, ratings, strict=True))
    return Session("s", "u", "1", None, "", slots, np.ones(3), np.zeros(3), click)


def test_one_number_is_fitted():
    rng = np.random.default_rng(0)
    ratings = rng.integers(1, 11, (300, 3))
    train = [session(list(map(float, row)), int(np.argmax(0.6 * row + rng.gumbel(size=3)))) for row in ratings]
    simulator = RatingPrior(l2=0.5)
    simulator.fit(train, 0)

    def loss(w):
        u = w * ratings
        chosen = u[np.arange(300), [s.click for s in train]]
        return (np.log(np.exp(u).sum(axis=1)) - chosen).sum() + 0.25 * w * w

    w = minimize_scalar(loss, bounds=(0, 3), method="bounded", options={"xatol": 1e-9}).x
    assert w == pytest.approx(0.6, abs=0.1)
    [found] = simulator.simulate([session([4.0, 2.0, 1.0], 0).stimulus()])
    expected = np.exp(w * np.array([4.0, 2.0, 1.0]))
    assert found.probabilities == pytest.approx(expected / expected.sum(), abs=1e-5)
    assert found.attention is None and found.answer == 0
    # A slot without a rating counts as the mean of the others.
    [missing] = simulator.simulate([session([4.0, None, 1.0], 0).stimulus()])
    [mean] = simulator.simulate([session([4.0, 2.5, 1.0], 0).stimulus()])
    assert missing.probabilities.tolist() == mean.probabilities.tolist()


def test_data_without_ratings_are_refused_in_one_line():
    with pytest.raises(InputError, match="rating-prior needs ratings, and session s has none"):
        RatingPrior().fit([session([None] * 3, 0)], 0)
