from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tasks import pictures
from tasks.adserp import screen
from tasks.adserp.sessions import build_session
from tasks.definition import ReadOptions
from tasks.errors import InputError
from tasks.pictures import fit_factor

AREAS = [("organic_result", (162, 300, 748, 400)), ("organic_result", (162, 1200, 748, 1300))]


def ink(image: Image.Image) -> np.ndarray:
    """Where something is drawn, shape (height, width)."""
    return np.asarray(image.convert("L")) < 200


def test_the_view_is_white_below_the_end_of_the_page():
    page = Image.new("RGB", (1280, 1500), (10, 20, 30))
    view = screen.cut(page, 1000, (1280, 1023))
    assert view.size == (1280, 1023)
    assert view.getpixel((5, 499)) == (10, 20, 30)
    assert view.getpixel((5, 500)) == (255, 255, 255)


def test_boxes_are_cut_off_at_the_edges_of_the_view():
    boxes = [(162.0, 50.0, 748.0, 150.0), (802.0, 900.0, 1023.0, 1300.0)]
    assert screen.boxes_in_view(boxes, 100, (1280, 1023)) == [(162, 0, 748, 50), (802, 800, 1023, 1023)]


@pytest.mark.parametrize(
    ("within", "factor"), [(None, 1.0), ((640, 2000), 0.5), ((2560, 256), 0.25), ((4000, 4000), 1.0)]
)
def test_a_screen_is_made_smaller_to_fit_but_never_larger(within, factor):
    assert fit_factor((1280, 1024), within) == factor


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.25])
def test_each_number_stands_left_of_its_box_at_its_height(factor):
    size = (round(1280 * factor), round(1023 * factor))
    boxes = [
        tuple(v * factor for v in box) for box in ((162, 100, 748, 200), (162, 500, 748, 600), (802, 100, 1023, 700))
    ]
    drawn = ink(screen.draw_numbers(Image.new("RGB", size, "white"), boxes, ["1", "2", "13"], factor))
    for x0, y0, x1, y1 in boxes:
        edge = drawn[int(y0) : int(y1), max(0, int(x0) - 50) : int(x0)]
        assert edge.sum() > 100, "a plate next to the box"
        assert edge[:, -round(12 * factor) - 1 :].any(axis=1).all(), "a bar along the whole box"
        titles = int(x0) + 1, int(x0 + 0.9 * (x1 - x0))
        assert not drawn[int(y0) + 1 : int(y1), slice(*titles)].any(), "nothing over the result"
    assert not drawn[int(210 * factor) : int(490 * factor), : int(700 * factor)].any(), "nothing between the boxes"


def test_different_numbers_look_different():
    blank, box = Image.new("RGB", (400, 100), "white"), [(160.0, 10.0, 390.0, 90.0)]
    drawn = {screen.draw_numbers(blank, box, [str(n)]).tobytes() for n in range(1, 30)}
    assert len(drawn) == 29


def test_plates_of_crowded_boxes_do_not_cover_each_other():
    boxes = [(160.0, 10.0, 390.0, 90.0), (160.0, 15.0, 390.0, 90.0)]
    one = ink(screen.draw_numbers(Image.new("RGB", (400, 200), "white"), boxes[:1], ["1"]))
    two = ink(screen.draw_numbers(Image.new("RGB", (400, 200), "white"), boxes, ["1", "2"]))
    assert two.sum() > 1.5 * one.sum() - 4 * 80


def test_the_session_has_the_screen_and_boxes_of_the_wanted_size(make_trial):
    trial = make_trial(AREAS, [(900, 200, 350, 60)], scrolls=[(10, 280)], clicks=[(1000, 200, 350)])
    session = build_session(trial, ReadOptions(size=(640, 640)))
    image = session.image.open()
    assert image.size == (640, 512)
    np.testing.assert_allclose(session.slots[0].box, (81, 20 * 512 / 1023, 374, 120 * 512 / 1023), rtol=1e-12)
    assert ink(image)[11:59, 60:80].any(), "the number of the first slot"
    page = build_session(trial, ReadOptions(), whole_page=True)
    assert page.image.open().size == (1280, 2400)
    assert page.slots[1].box == (162, 1200, 748, 1300)


def test_screens_go_to_the_folder_that_is_given(make_trial, tmp_path):
    trial = make_trial(AREAS, [(900, 200, 350, 60)], clicks=[(1000, 200, 350)])
    session = build_session(trial, ReadOptions(work=tmp_path), whole_page=True)
    assert session.image.path == tmp_path / "p001-b1-t1.jpg"
    in_memory = build_session(trial, ReadOptions(), whole_page=True)
    assert session.image.encoded() == in_memory.image.encoded()
    assert Image.open(io.BytesIO(session.image.encoded())).format == "JPEG"
    with pytest.raises(InputError, match="cannot write the screen .*p001-b1-t1.jpg"):
        build_session(trial, ReadOptions(work=tmp_path / "missing"), whole_page=True)


def test_a_screenshot_of_another_width_is_refused(make_trial, tmp_path):
    trial = make_trial(AREAS, [(900, 200, 350, 60)], clicks=[(1000, 200, 350)])
    Image.new("RGB", (1000, 2400)).save(trial.screenshot.path)
    with pytest.raises(InputError, match=r"page.png: the screenshot is 1000 pixels wide, expected 1280"):
        build_session(trial, ReadOptions(), whole_page=True)


def test_a_page_taller_than_jpeg_allows_is_kept_as_png(make_trial, tmp_path, monkeypatch):
    assert pictures.JPEG_LIMIT == 65_500  # pages of that size take seconds
    monkeypatch.setattr(pictures, "JPEG_LIMIT", 6000)
    trial = make_trial(AREAS, [(900, 200, 350, 60)], clicks=[(1000, 200, 350)])
    Image.new("L", (1280, 6_100), 200).save(trial.screenshot.path, compress_level=1)
    session = build_session(trial, ReadOptions(work=tmp_path), whole_page=True)
    assert session.image.path == tmp_path / "p001-b1-t1.png"
    assert session.image.open().size == (1280, 6_100)
    assert session.flags == ("single-coloured-page",)
