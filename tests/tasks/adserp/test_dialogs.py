from __future__ import annotations

import numpy as np
import pytest

from tasks.adserp.dialogs import presses

AREAS = [("organic_result", (162, 100, 748, 200)), ("organic_result", (162, 300, 748, 400))]
CLICK = (5000, 300, 350)


def pressed(make_trial, **given):
    """The presses of a replay trial, which has no button events."""
    trial = make_trial(AREAS, clicks=given.pop("clicks", [CLICK]), replay=True, **given)
    found, estimated = presses(trial)
    assert estimated
    return found.tolist()


@pytest.mark.parametrize(
    ("up", "down", "expected", "estimated"),
    [
        ([500, 3100, 5200], [3000], 3100, False),  # the last release by the click
        ([], [900, 4000], 4000, True),  # after the click before it; none: the last push
        ([], [], 5000, True),  # else the click itself
        ([5000], [], 5000, False),
    ],
)
def test_the_press_is_the_last_release_between_two_clicks(make_trial, up, down, expected, estimated):
    trial = make_trial(AREAS, clicks=[(1000, 300, 150), CLICK], up=[*up, 1000], down=down)
    found, flagged = presses(trial)
    assert (found.tolist(), flagged) == ([1000, expected], estimated)


def test_the_dialog_opens_at_the_first_fixation_on_its_place(make_trial):
    # (end, x, y, duration): on the result, on the dialog, off it, on it
    looks = [(3400, 300, 350, 300), (3900, 700, 100, 400), (4200, 100, 800, 200), (4900, 700, 200, 600)]
    assert pressed(make_trial, fixations=looks) == [3500 - 300]


def test_most_of_the_time_from_it_on_is_on_the_dialog(make_trial):
    looks = [(2900, 700, 100, 100), (3900, 300, 350, 900), (4900, 700, 200, 700)]
    assert pressed(make_trial, fixations=looks) == [4200 - 300]  # 800 of 1700 ms from the first, 700 of 700


def test_the_place_is_that_of_the_window_when_the_fixation_ended(make_trial):
    looks = [(4900, 700, 1200, 600)]
    assert pressed(make_trial, fixations=looks, scrolls=[(100, 1000)]) == [4300 - 300]
    assert pressed(make_trial, fixations=looks) == [5000 - 1500]
    assert pressed(make_trial, fixations=[(4900, 520, 200, 600)]) == [5000 - 1500]  # edges excluded


@pytest.mark.parametrize("look", [(4900, 700, 200, 3500), (5001, 700, 200, 600)])
def test_fixations_that_began_long_ago_or_ended_later_say_nothing(make_trial, look):
    assert pressed(make_trial, fixations=[look]) == [5000 - 1500]


def test_the_press_is_not_before_the_last_movement_of_hand_or_page(make_trial):
    looks = [(4900, 700, 200, 600)]
    assert pressed(make_trial, fixations=looks, cursor=[(4100, 300, 350)]) == [4100]
    assert pressed(make_trial, fixations=looks, scrolls=[(4200, 0)]) == [4200]
    assert pressed(make_trial, clicks=[(4600, 300, 350), CLICK]) == [3100, 4600]


def test_without_gaze_the_press_is_a_second_and_a_half_before(make_trial):
    assert pressed(make_trial) == [3500]
    assert np.isfinite(pressed(make_trial, clicks=[(10, 300, 350)])).all()


def test_the_place_of_the_dialog_is_known_where_the_image_is_the_window(own_cache):
    from tasks.adserp.dialogs import place_of_dialog
    from tasks.registry import load

    session = load("adserp", "sample").session(0)
    name, box = place_of_dialog("adserp", session)
    width = session.image.open().width
    assert name == "confirmation dialog (inferred)"
    assert box == pytest.approx((520 / 1280 * width, 0, 900 / 1280 * width, 300 / 1280 * width))
    assert place_of_dialog("adserp-page", session) is None
