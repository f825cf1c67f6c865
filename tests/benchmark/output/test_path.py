"""The picture of a session's visits in order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmark.output.drawing import ACCENT, COLOURS, _place, draw_path
from tasks.errors import InputError
from tasks.types import Fixation


@pytest.fixture
def session(mini):
    """Four slots in an 80 x 40 image; 25 visits, and a fixation on no slot that counts for no visit."""
    looks = [Fixation(index % 2, 100.0 * index, 90.0) for index in range(25)]
    return dataclasses.replace(mini.session(0), click=3, fixations=(*looks, Fixation(-1, 2500.0, 50.0)))


def test_visits_are_coloured_from_the_first_to_the_last_in_their_slots(session):
    sheet = np.asarray(draw_path(session))
    assert sheet.shape[1] == 1280
    first, last = ((sheet == colour).all(axis=2) for colour in (COLOURS[0], COLOURS[2]))
    for found in (first, last):  # both visits are to slot 0: x 2..18 of 80, y 5..35 of 40, drawn 16 times as large
        y, x = np.nonzero(found)
        assert len(x) and x.min() >= 2 * 16 and x.max() <= 18 * 16 and y.min() >= 5 * 16 and y.max() <= 35 * 16
    assert np.nonzero(first)[0].mean() < np.nonzero(last)[0].mean()  # reading order within the slot


def test_the_same_session_gives_the_same_picture_and_a_notice_makes_it_taller(session):
    assert np.array_equal(np.asarray(draw_path(session)), np.asarray(draw_path(session)))
    assert draw_path(session, None, "simulated").height > draw_path(session).height


def test_an_area_is_outlined_where_it_is(session):
    def accents(picture):
        return (np.asarray(picture) == ACCENT).all(axis=2)

    assert not accents(draw_path(session)).any()
    y, x = np.nonzero(accents(draw_path(session, ("dialog", (40.0, 0.0, 70.0, 20.0)))))
    assert abs(x.min() - 640) <= 3 and abs(x.max() - 1120) <= 3 and abs(y.max() - 320) <= 3


def test_repeated_visits_are_spread_over_the_slot_without_meeting():
    box = np.array([0.0, 0.0, 200.0, 50.0])
    assert _place(box, 0, 1) == (100.0, 25.0)
    places = [_place(box, index, 25) for index in range(25)]
    assert len(set(places)) == 25
    assert all(0 < x < 200 and 0 < y < 50 for x, y in places)


@pytest.mark.parametrize(("change", "words"), [({"image": None}, "without images"), ({"fixations": ()}, "in order")])
def test_a_session_that_cannot_be_drawn_is_refused(session, change, words):
    with pytest.raises(InputError, match=words):
        draw_path(dataclasses.replace(session, **change))


def test_drawn_paths_are_pictures_of_their_own_two_a_row(session):
    one = draw_path(session)
    two, four = (draw_path(session, drawn=[("toy", [0, 1])] * n) for n in (1, 3))
    assert two.size == (2 * one.width, one.height) and four.size == (2 * one.width, 2 * one.height)
    assert np.array_equal(np.asarray(two)[:, : one.width], np.asarray(one))
    assert np.array_equal(np.asarray(four)[: one.height, one.width :], np.asarray(two)[:, one.width :])
    with pytest.raises(InputError, match="the path that toy drew for session .* leaves its slots"):
        draw_path(session, drawn=[("toy", [99])])
