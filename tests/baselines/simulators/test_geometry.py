"""Geometry: its features by hand, and that it learns what gaze and clicks were made from."""

import dataclasses

import numpy as np
import pytest

from baselines.simulators.geometry import Geometry, GeometryText, text_measures
from tasks.types import Slot


@pytest.fixture
def people(make_session):
    """Sessions on pages of 100 x 80 pixels, looked at by the slots' area and clicked by their text."""
    generator = np.random.default_rng(3)

    def build(count):
        found = []
        for _ in range(count):
            heights = generator.integers(4, 20, 5).astype(float)
            tops = np.cumsum([0, *heights[:-1]])
            good = int(generator.integers(5))
            slots = tuple(
                Slot(
                    str(i),
                    "film",
                    "red kettle" if i == good else "blue sofa",
                    (0, tops[i], 100, tops[i] + heights[i]),
                )
                for i in range(5)
            )
            session = make_session(heights, good)
            found.append(dataclasses.replace(session, slots=slots, profile="Search query: buy red kettle"))
        return found

    return build


def test_features_are_measures_in_deviations_of_the_training_slots_and_kinds(people, make_session):
    model, train = Geometry(), people(6)
    model.prepare(train)
    features = np.concatenate([model.features(session.stimulus()) for session in train])
    np.testing.assert_allclose(features[:, [0, 1, 2, 3, 5]].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(features[:, [0, 1, 2, 3, 5]].std(axis=0), 1)
    assert (features[:, 4] == 0).all() and (features[:, 6] == 1).all()  # one column of films: x does not vary
    session = make_session([1, 1], 0, ["film", "unknown"])
    # Boxes of 9 x 9 pixels one above the other are a page, whose window is 9 x 7.2 pixels.
    log, y = np.log(9 / 7.2), np.array([4.5, 14.5]) / 7.2
    plain = [[log, log, y[0], y[0] ** 2, 0.5, 0], [log, log, y[1], y[1] ** 2, 0.5, 1]]
    np.testing.assert_allclose(model.measures(session.stimulus()), plain)
    assert model.features(session.stimulus())[:, 6].tolist() == [1, 0]


def test_it_learns_to_look_by_area_and_with_texts_to_click_by_words(people):
    train, [test] = people(60), people(1)
    for kind, knows in ((Geometry, False), (GeometryText, True)):
        model = kind(l2=1e-3)
        model.fit(train, 0)
        [found] = model.simulate([test.stimulus()])
        np.testing.assert_allclose(found.attention, test.gaze, atol=0.01)
        assert (found.probabilities[test.click] > 0.9) == knows


def test_a_text_is_measured_by_words_site_price_rating_and_length():
    asked = {"airex", "balance", "beam"}
    assert text_measures("", asked) == (0, 0, 0, 0, 0)
    found = text_measures("Balance beams | Airex\nhttps://www.airex-shop.com\n$59.90 · Rating: 4.5 (12)", asked)
    assert found[:4] == (2 / 3, 1, 1, 1) and found[4] == pytest.approx(np.log1p(14))
    assert text_measures("59 € and 4,7 stars", set())[:4] == (0, 0, 1, 1)
    assert text_measures("version 3.11 of 2020", asked)[:4] == (0, 0, 0, 0)
