"""What the boxes alone say, against its definition written out once more."""

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

from baselines.simulators.examination import CentreArea, ExaminationPrior, places
from tasks.types import ScreenImage, Slot


@pytest.fixture
def screen(make_session):
    """Build a session from (kind, box) pairs on a picture of some size, or without one."""

    def build(slots, size=(1280, 1000)):
        image = None
        if size is not None:
            buffer = io.BytesIO()
            Image.new("RGB", size).save(buffer, "PNG")
            image = ScreenImage(data=buffer.getvalue())
        slots = tuple(Slot(str(i), kind, "", box) for i, (kind, box) in enumerate(slots))
        return dataclasses.replace(make_session([1] * len(slots), 0), image=image, slots=slots)

    return build


def simulate(simulator, session):
    simulator.fit([], 0)
    [found] = simulator.simulate([session.stimulus()])
    np.testing.assert_array_equal(found.attention, found.probabilities)
    return found


SLOTS = [
    ("dd_top", (160, 150, 800, 350)),
    ("organic_result", (160, 400, 700, 500)),
    ("dd_right", (800, 150, 1000, 950)),
]


def test_centre_area_is_area_times_a_gaussian_around_the_middle(screen):
    weights = []
    for _, (x0, y0, x1, y1) in SLOTS:
        away = ((x0 + x1) / 2 / 1280 - 0.5) ** 2 + ((y0 + y1) / 2 / 1000 - 0.5) ** 2
        weights.append((x1 - x0) * (y1 - y0) * math.exp(-away / (2 * 0.5**2)))
    found = simulate(CentreArea(), screen(SLOTS))
    assert found.attention == pytest.approx(np.array(weights) / sum(weights))
    assert found.answer == 2


@pytest.mark.parametrize("down", [0, -140])
def test_the_examination_prior_is_its_guesses(screen, down):
    slots = [(kind, (x0, y0 + down, x1, y1 + down)) for kind, (x0, y0, x1, y1) in SLOTS]
    scores = []
    for rank, (kind, (x0, y0, x1, y1)) in enumerate(slots):
        near = -(((y0 + y1) / 2 / 1000 - 0.4) ** 2) / (2 * 0.28**2)
        own = {"dd_top": -0.3, "organic_result": 0.0, "dd_right": -1.6}[kind]
        area = 0.35 * math.log((x1 - x0) * (y1 - y0) / 1.28e6)
        scores.append((-0.075 * rank + 1.2 * near if down else -0.25 * rank + 0.48 * near) + own + area)
    found = simulate(ExaminationPrior(), screen(slots))
    assert found.attention == pytest.approx(np.exp(scores) / np.exp(scores).sum())


def test_a_page_has_a_window_at_its_top_and_no_place_that_is_looked_at_more(screen):
    same = [("film", (100, y, 600, y + 100)) for y in (0, 500, 2000)]
    page = screen(same, (1280, 3000))
    at = places(page.stimulus())
    assert at.page and not at.scrolled
    assert at.y == pytest.approx([50 / 1024, 550 / 1024, 2050 / 1024]) and at.x == pytest.approx([350 / 1280] * 3)
    shares = np.exp([0, -0.25, -0.5])
    assert simulate(ExaminationPrior(), page).attention == pytest.approx(shares / shares.sum())
    assert not places(screen(same[:2], (1280, 1024)).stimulus()).page


def test_without_a_picture_the_screen_ends_with_the_boxes_and_none_is_without_area(screen):
    at = places(screen([("film", (0, 0, 0, 0)), ("film", (100, 20, 200, 160))], None).stimulus())
    assert at.area == pytest.approx([1 / (200 * 160), 100 * 140 / (200 * 160)])
    assert places(screen([("film", (0, 0, 0, 0))], None).stimulus()).area.tolist() == [1.0]
