"""The one picture of a session: what is tinted, numbered, outlined and said, in every format."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from benchmark.output import figure_style as style
from benchmark.output.drawing import (
    ATTENTION,
    GAZE,
    STRONGEST,
    _place,
    draw_session,
    numbered,
    opacity,
    path_views,
    place_number,
    views_of,
)
from benchmark.scores import predictions
from benchmark.scores.predictions import of_rows
from benchmark.scores.results import attention_of
from benchmark.simulator import Prediction
from tasks.errors import InputError
from tasks.types import Fixation


def patches(drawing, panel):
    """Return the rectangles of a panel: box in pixels, face colour with opacity."""
    with style.drawn(drawing) as canvas:
        axes = canvas.axes[panel + 1]  # the first holds the legend
        return [(p.get_bbox().extents.tolist(), p.get_facecolor(), p.get_fill()) for p in axes.patches]


def texts(drawing, panel):
    with style.drawn(drawing) as canvas:
        return [text.get_text() for text in canvas.axes[panel + 1].texts]


def test_a_panel_each_with_the_shares_over_their_slots(mini):
    session = dataclasses.replace(mini.session(0), click=0)
    views = views_of(session, [("toy", np.array([0.0, 0.1, 0.0, 1.9]))])
    assert [v.title for v in views] == ["screen 0, user u0", "human gaze (share of dwell)", "attention: toy"]
    assert [v.colour for v in views] == [GAZE, GAZE, ATTENTION] and views[2].shares.tolist() == [0, 0.05, 0, 0.95]
    sheet = draw_session(session, views, "simulated")
    boxes = [list(slot.box) for slot in session.slots]
    tinted = {tuple(box): colour[3] for box, colour, filled in patches(sheet, 2) if filled}
    top = max(0.95, float(session.gaze.max()))
    expected = [0, 0.75 * math.sqrt(0.05 / top), 0, 0.75 * math.sqrt(0.95 / top)]
    assert [tinted[tuple(box)] for box in boxes] == pytest.approx(expected)
    clicked = [box for box, _, filled in patches(sheet, 0) if not filled]
    assert clicked == [boxes[0]] and texts(sheet, 0) == [] and texts(sheet, 2) == ["5", "95"]
    with style.drawn(sheet) as canvas:
        said = [text.get_text() for text in canvas.axes[0].get_legend().get_texts()]
    assert said == ["clicked", "gaze 5%", f"gaze {top:.0%}", "attention 5%", f"attention {top:.0%}"]
    assert sheet.notes == ("simulated",)


def test_5_percent_is_visible_and_0_is_blank():
    assert opacity(0.0, 1.0) == 0 and opacity(0.05, 1.0) > 0.15 and opacity(0.3, 0.3) == STRONGEST
    assert numbered(np.array([0.05, 0.04, 0.0, 0.91])) == [0, 1, 3] and numbered(np.full(4, 0.25)) == [0, 1, 2, 3]


def test_a_number_keeps_clear_of_text_and_goes_outside_only_if_it_must():
    page = np.full((100, 200), 255, dtype=np.uint8)
    page[20:40:2, 10:150] = 0  # lines of text in the left three quarters of the slot
    x, y = place_number(page, (10, 20, 190, 40), 20, 14)
    assert x - 10 >= 150 and 20 <= y <= 40
    page[20:40:2, 10:190] = 0
    x, y = place_number(page, (10, 20, 190, 40), 20, 14)
    assert y > 40 or y < 20


def test_every_format_and_the_same_bytes_each_time(mini, tmp_path):
    session = mini.session(0)
    sheet = draw_session(session, views_of(session, []))
    heads = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for form, head in heads.items():
        first = sheet.save(tmp_path / f"a.{form}").read_bytes()
        assert first.startswith(head) and sheet.save(tmp_path / f"b.{form}").read_bytes() == first
    assert sheet._repr_png_().startswith(heads["png"])
    with pytest.raises(InputError, match=r"must end in \.png, \.svg or \.pdf"):
        sheet.save(tmp_path / "a.gif")


def test_of_a_run_up_to_four_simulators_are_drawn_the_model_and_its_tuning_first(mini):
    session, names = mini.session(0), ("uniform", "shared-prompt", "fixate", "text", "backbone", "user-prior")
    rows = [Prediction(session.session_id, np.arange(1.0, 5.0))]
    said = predictions.joined(of_rows(rows, name, 1) for name in names)
    drawn = [name for name, _ in attention_of(said, session.session_id, None)]
    assert set(drawn[:2]) == {"fixate", "backbone"} and drawn[2:] == ["uniform", "shared-prompt"]
    assert [name for name, _ in attention_of(said, session.session_id, ["text"])] == ["text"]


@pytest.fixture
def walk(mini):
    """Four slots in an 80 x 40 image; 25 visits, and a fixation on no slot that counts for no visit."""
    looks = [Fixation(index % 2, 100.0 * index, 90.0) for index in range(25)]
    return dataclasses.replace(mini.session(0), click=3, fixations=(*looks, Fixation(-1, 2500.0, 50.0)))


def test_visits_are_numbered_circles_in_their_slots_dark_to_light(walk):
    (view,) = path_views(walk, ("dialog", (40.0, 0.0, 70.0, 20.0)))
    assert "25 visits" in view.below and "1 on no slot, 50 ms" in view.below
    with style.drawn(draw_session(walk, [view])) as canvas:
        axes = canvas.axes[1]
        circles = [p for p in axes.patches if hasattr(p, "radius")]
        assert [t.get_text() for t in axes.texts] == ["dialog", *map(str, range(1, 26))]
        dashed = [p.get_bbox().extents.tolist() for p in axes.patches if p.get_linestyle() == "--"]
    assert dashed == [[40.0, 0.0, 70.0, 20.0]] and len(circles) == 25
    for index, circle in enumerate(circles):
        x0, y0, x1, y1 = walk.slots[index % 2].box
        assert x0 < circle.center[0] < x1 and y0 < circle.center[1] < y1
    light = [sum(circle.get_facecolor()[:3]) for circle in circles]
    assert light[0] < light[12] < light[-1]


def test_drawn_paths_are_panels_of_their_own(walk):
    views = path_views(walk, drawn=[("toy", [0, 1])] * 3)
    assert [view.title for view in views[1:]] == ["drawn by toy"] * 3 and len(views[1].path) == 2
    with pytest.raises(InputError, match="the path that toy drew for session .* leaves its slots"):
        path_views(walk, drawn=[("toy", [99])])


def test_repeated_visits_are_spread_over_the_slot_without_meeting():
    box = np.array([0.0, 0.0, 200.0, 50.0])
    assert _place(box, 0, 1) == (100.0, 25.0)
    places = [_place(box, index, 25) for index in range(25)]
    assert len(set(places)) == 25
    assert all(0 < x < 200 and 0 < y < 50 for x, y in places)


def test_a_session_that_cannot_be_drawn_is_refused(walk):
    bare = dataclasses.replace(walk, image=None)
    with pytest.raises(InputError, match="without images"):
        draw_session(bare, views_of(bare, []))
    with pytest.raises(InputError, match="in order"):
        path_views(dataclasses.replace(walk, fixations=()))
