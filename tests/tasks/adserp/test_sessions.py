from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.adserp import sessions
from tasks.adserp.sessions import build_session, last_pause, nearest_slot, slot_of_points, slots_in_view
from tasks.definition import ReadOptions
from tasks.types import visits

COLUMN = [
    ("native_ad", (162, 100, 702, 200)),
    ("organic_result", (162, 300, 748, 400)),
    ("organic_result", (162, 1200, 748, 1300)),
]
NO_IMAGES = ReadOptions(images=False)


def on_page(trial, options=NO_IMAGES):
    return build_session(trial, options, whole_page=True)


coordinates = st.integers(0, 12)
some_boxes = st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=5).map(
    lambda rows: np.array([(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in rows], float).reshape(-1, 4)
)


@given(some_boxes, st.lists(st.tuples(coordinates, coordinates), max_size=8))
def test_a_point_belongs_to_the_first_box_that_contains_it(boxes, points):
    def slow(x, y):
        return next((k for k, (x0, y0, x1, y1) in enumerate(boxes) if x0 <= x <= x1 and y0 <= y <= y1), -1)

    xy = np.array(points, float).reshape(-1, 2)
    assert slot_of_points(boxes, xy[:, 0], xy[:, 1]).tolist() == [slow(x, y) for x, y in points]


def test_edges_belong_to_the_box():
    boxes = np.array([[10.0, 10.0, 20.0, 20.0]])
    x, y = np.array([10.0, 20.0, 20.001, 15.0]), np.array([10.0, 20.0, 15.0, 9.999])
    assert slot_of_points(boxes, x, y).tolist() == [0, 0, -1, -1]


def test_the_nearest_edge_within_ten_pixels():
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 25.0, 10.0, 40.0]])
    assert nearest_slot(boxes, 5, 19) == 1
    assert nearest_slot(boxes, 5, 14) == 0
    assert nearest_slot(boxes, 20, 5) == 0
    assert nearest_slot(boxes, 20.5, 5) == -1
    assert nearest_slot(boxes, 18, 18) == -1  # 8 and 8 away: 11.3 from the corner


@pytest.mark.parametrize(
    ("scrolls", "click", "start"),
    [
        ([], 1000, 0),  # load to click
        ([], 399, 0),  # no pause: the whole trial
        ([500, 520, 540], 1000, 540),  # last scroll to click
        ([500, 520, 540], 939, 0),  # 399 ms after the last scroll: the pause before the first one
        ([500, 520, 540], 940, 540),  # 400 ms is a pause
        ([100, 500, 800], 1000, 100),  # between two scrolls
        ([399, 700, 1000], 1300, 0),  # nowhere 400 ms: the whole trial
        ([500, 2000], 1200, 500),  # scrolls after the click do not count
    ],
)
def test_last_pause(scrolls, click, start):
    assert last_pause(np.array(scrolls, float), click) == start


def test_half_the_height_in_view_is_enough():
    boxes = np.array([[0, 50, 9, 150], [0, 49, 9, 149], [0, 1072, 9, 1174], [0, 1073, 9, 1175]], float)
    assert slots_in_view(boxes, 100, 1023).tolist() == [True, False, True, False]


CURSOR = [(0, 200, 150), (100, 200, 350), (250, 5, 5), (600, 200, 150)]


@pytest.mark.parametrize(
    ("truth", "scrolls", "expected"),
    [
        (1, [], [100 + 400, 150, 0]),
        (2, [], [100 + 300, 150, 0]),  # until the press at 900
        (1, [(50, 0), (60, 0)], [400, 150, 0]),  # the first position is from before the last pause
        (2, [(50, 0), (60, 0)], [40 + 300, 150, 0]),  # its part inside the pause counts
    ],
)
def test_a_cursor_position_lasts_until_the_next_event_and_the_last_until_the_end(make_trial, truth, scrolls, expected):
    trial = make_trial(COLUMN, [(500, 200, 150, 80)], CURSOR, scrolls, [(1000, 200, 350)], up=[900])
    trial = replace(trial, viewport=(1280, 3000))
    assert build_session(trial, replace(NO_IMAGES, truth=truth)).cursor_ms.tolist() == expected


LOOKS = [(100, 200, 150, 5000), (700, 200, 350, 70), (1000, 200, 1250, 130), (1001, 200, 350, 999)]


def test_a_fixation_counts_for_its_part_inside_the_window(make_trial):
    session = on_page(make_trial(COLUMN, LOOKS, clicks=[(1000, 200, 350)], up=[900]))
    assert session.gaze_ms.tolist() == [100, 70 + 898, 30]
    assert (session.click, session.flags) == (1, ())
    assert session.fixations == ((0, 0, 100), (1, 2, 898), (1, 630, 70), (2, 870, 30))
    assert visits(session) == ((0, 0, 100), (1, 2, 968), (2, 870, 30))


def test_in_version_1_a_fixation_counts_whole_if_it_ended_by_the_click(make_trial):
    session = on_page(make_trial(COLUMN, LOOKS, clicks=[(1000, 200, 350)], up=[900]), replace(NO_IMAGES, truth=1))
    assert session.gaze_ms.tolist() == [5000, 70, 130]
    assert session.fixations == ((0, -4900, 5000), (1, 630, 70), (2, 870, 130))


def test_time_inside_a_dialog_counts_for_nothing(make_trial):
    trial = make_trial(
        COLUMN,
        # one fixation before, across and after the dismissed dialog from 500 to 1500, and one in it
        [(400, 200, 150, 50), (1700, 200, 350, 1400), (1200, 200, 1250, 300), (2300, 200, 1250, 100)],
        cursor=[(450, 200, 150)],
        clicks=[(1500, 200, 150), (2600, 200, 1250)],
        up=[500, 2400],
    )
    session = on_page(trial)
    assert session.gaze_ms.tolist() == [50, 200 + 200, 100]
    assert session.cursor_ms.tolist() == [50 + 900, 0, 0]  # the dismissal at 1500 is a pointer position too
    assert (session.click, session.flags) == (2, ("reconsidered",))
    assert session.fixations == ((1, 300, 200), (0, 350, 50), (1, 1500, 200), (2, 2200, 100))


def test_only_the_last_pause_and_the_view_count_at_the_click(make_trial):
    trial = make_trial(
        COLUMN,
        fixations=[(99, 200, 350, 50), (450, 200, 1250, 20), (600, 200, 350, 60), (1000, 200, 1250, 40)],
        scrolls=[(400, 100), (450, 249.6)],
        cursor=[(0, 200, 350), (500, 200, 1250)],
        clicks=[(1000, 200, 1250)],
    )
    session = build_session(trial, NO_IMAGES)
    # the view is 250..1273: the ad is out of it, 73 of 100 rows of the last result are in
    assert [slot.box for slot in session.slots] == [(162, 50, 748, 150), (162, 950, 748, 1023)]
    assert [slot.label for slot in session.slots] == ["1", "2"]
    assert session.gaze_ms.tolist() == [60, 40]
    assert session.cursor_ms.tolist() == [50, 500]
    assert session.click == 1
    assert session.profile == "Search query: buy tea kettle"
    assert (session.user, session.screen) == ("p001", "buy tea kettle")
    page = on_page(trial)
    assert page.gaze_ms.tolist() == [0, 110, 60]
    old = build_session(trial, replace(NO_IMAGES, truth=1))
    assert (old.gaze_ms.tolist(), old.cursor_ms.tolist()) == ([60, 60], [0, 500])
    assert page.cursor_ms.tolist() == [0, 500, 500]


def test_the_clicked_slot_is_kept_though_hardly_in_view(make_trial):
    trial = make_trial(COLUMN, fixations=[(900, 200, 350, 60)], scrolls=[(10, 190)], clicks=[(1000, 200, 1205)])
    session = build_session(trial, NO_IMAGES)
    assert [slot.box[1] for slot in session.slots] == [110, 1010]
    assert (session.click, session.flags) == (1, ("clicked-slot-mostly-hidden",))


def test_the_last_click_counts_in_version_1_the_first(make_trial):
    trial = make_trial(COLUMN, [(500, 200, 150, 80)], clicks=[(1000, 200, 150), (1200, 200, 350)])
    assert (on_page(trial).click, on_page(trial).flags) == (1, ("reconsidered",))
    session = on_page(trial, replace(NO_IMAGES, truth=1))
    assert (session.click, session.flags) == (0, ("several-clicks",))


def test_a_click_beside_a_slot_counts_within_ten_pixels(make_trial):
    near = make_trial(COLUMN, [(500, 200, 150, 80)], clicks=[(1000, 712, 150)])
    assert on_page(near).flags == ("click-beside-slot",)
    assert on_page(near).click == 0
    assert on_page(make_trial(COLUMN, clicks=[(1000, 713, 150)])) == sessions.OUTSIDE


def test_reasons_to_drop_a_trial(make_trial):
    gaze = [(500, 200, 150, 80)]
    assert on_page(make_trial(COLUMN, gaze)) == sessions.NO_CLICK
    assert on_page(make_trial([], gaze, clicks=[(1000, 200, 150)])) == sessions.OUTSIDE
    assert on_page(make_trial(COLUMN[:1], gaze, clicks=[(1000, 200, 150)])) == sessions.FEW_SLOTS
    assert on_page(make_trial(COLUMN, clicks=[(1000, 200, 150)])) == sessions.NO_GAZE
    # in view at the click are the first two slots, the gaze was on the third
    elsewhere = make_trial(COLUMN, [(500, 200, 1250, 80)], clicks=[(1000, 200, 150)])
    assert build_session(elsewhere, NO_IMAGES) == sessions.NO_GAZE
    assert on_page(elsewhere).gaze_ms.tolist() == [0, 0, 80]


def test_a_fixation_that_ended_before_the_load_is_not_on_this_page(make_trial):
    trial = make_trial(COLUMN, [(-1, 200, 150, 80), (5, 200, 350, 40)], clicks=[(1000, 200, 150)])
    assert on_page(trial).gaze_ms.tolist() == [0, 5, 0]
    assert on_page(trial, replace(NO_IMAGES, truth=1)).gaze_ms.tolist() == [0, 40, 0]
