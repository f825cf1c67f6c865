from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.adserp.organic import find_organic, runs
from tests.performance import organic_finder

LEFT, RIGHT = 162, 748
LINK, DARK, GREY = (26, 13, 171), (32, 33, 36), (112, 117, 122)
INDENT = 14
RESULT_HEIGHT = 77
"""Rows from the address of ``Drawing.result`` to its snippet's end: 9 + 13 above the snippet, three gaps, 2 x 9."""


class Drawing:
    """A page drawn from bars instead of letters, so that every row of ink is known."""

    def __init__(self, height: int = 1600, width: int = 1280) -> None:
        self.pixels = np.full((height, width, 3), 255, dtype=np.uint8)

    @property
    def image(self) -> Image.Image:
        return Image.fromarray(self.pixels)

    def fill(self, x0: int, y0: int, x1: int, y1: int, colour: tuple[int, int, int]) -> None:
        self.pixels[y0:y1, x0:x1] = colour

    def text(self, y: int, colour, *, large: bool = False, indent: int = 0, letters: int = 30) -> int:
        """Draw a line of letters with a capital in front at row y and return the row after it."""
        capital, low, step = (13, 10, 10) if large else (9, 7, 7)
        x = LEFT + indent
        self.fill(x, y, x + step // 2, y + capital, colour)
        for letter in range(1, letters):
            self.fill(x + letter * step, y + capital - low, x + letter * step + step // 2, y + capital, colour)
        return y + capital

    def result(self, y: int, *, indent: int = 0, title_lines: int = 1) -> int:
        """Draw address, title and two lines of snippet from row y and return the row after them."""
        y = self.text(y, GREY, indent=indent) + 10
        for line in range(title_lines):
            y = self.text(y, LINK, large=True, indent=indent, letters=30 if line == 0 else 8) + 10
        y = self.text(y + 6, DARK, indent=indent, letters=60) + 11
        return self.text(y, DARK, indent=indent, letters=50)


def column(top: float, bottom: float) -> tuple[float, float, float, float]:
    return (LEFT, top, RIGHT, bottom)


def test_results_are_found_exactly_and_in_page_order():
    page = Drawing()
    tops = (300, 412, 560)
    bottoms = [page.result(top) for top in tops]
    assert bottoms == [top + RESULT_HEIGHT for top in tops]
    assert find_organic(page.image, []) == [column(top, top + RESULT_HEIGHT) for top in tops]


def test_results_without_a_wide_gap_are_cut_at_the_address():
    page = Drawing()
    first = page.result(300)
    second = page.result(first + 20)
    assert find_organic(page.image, []) == [column(300, first), column(first + 20, second)]


def test_an_indented_result_belongs_to_the_one_above_unless_a_wide_gap_parts_them():
    page = Drawing()
    below = page.result(page.result(300) + 24, indent=INDENT)
    apart = page.result(800)
    last = page.result(apart + 25, indent=INDENT)
    assert find_organic(page.image, []) == [column(300, below), column(800, apart), column(apart + 25, last)]


def test_a_wrapped_title_is_one_result():
    page = Drawing()
    bottom = page.result(300, title_lines=2)
    assert bottom == 300 + RESULT_HEIGHT + 23
    assert find_organic(page.image, []) == [column(300, bottom)]


def test_a_thumbnail_that_begins_above_the_address_belongs_to_the_result():
    page = Drawing()
    page.result(300)
    page.fill(666, 297, 748, 380, (90, 120, 60))
    assert find_organic(page.image, []) == [column(297, 380)]


def test_the_count_of_results_above_the_first_result_is_no_part_of_it():
    page = Drawing()
    page.text(133, GREY)
    page.result(160)
    assert find_organic(page.image, []) == [column(160, 160 + RESULT_HEIGHT)]


def test_a_title_needs_an_address_above_and_a_large_font():
    page = Drawing()
    page.text(200, LINK, large=True)  # a corrected spelling: large and link-coloured, nothing above
    page.text(300, DARK, large=True)  # a heading above a link
    page.text(323, LINK, large=True)
    page.text(400, GREY)  # links in running text
    page.text(419, LINK)
    page.text(500, GREY, indent=60)  # cards with a caption, not at the column's edge
    page.text(519, LINK, large=True, indent=60)
    page.text(600, GREY)  # an address at another edge than its title
    page.text(619, LINK, large=True, indent=INDENT)
    assert find_organic(page.image, []) == []


def test_ads_are_masked_and_part_the_results():
    page = Drawing()
    page.result(200)  # an ad looks like a result
    page.result(299)
    page.result(398)
    ad, next_to = (LEFT, 303, 702, 372), (802, 150, 1023, 900)  # 4 px tight, as published boxes are
    page.fill(802, 150, 1023, 900, (90, 90, 200))
    assert find_organic(page.image, [ad, next_to]) == [column(200, 277), column(398, 475)]
    assert find_organic(page.image, [(LEFT, 198, 702, 480)]) == []


def test_header_and_footer_hold_no_results():
    page = Drawing(1000)
    page.text(60, DARK, large=True)
    page.result(10)
    page.fill(0, 800, 1280, 1000, (242, 242, 242))
    page.result(850)
    assert find_organic(page.image, []) == []
    assert organic_finder.find_widgets(page.image, []) == []


def related_questions(page: Drawing, y: int) -> int:
    page.text(y, DARK, large=True, letters=12)
    for question in range(4):
        page.fill(LEFT, y + 30 + 45 * question, RIGHT, y + 31 + 45 * question, (218, 220, 224))
        page.text(y + 48 + 45 * question, DARK)
    return y + 48 + 45 * 3 + 9


def image_pack(page: Drawing, y: int) -> int:
    page.fill(LEFT, y, LEFT + 16, y + 13, GREY)
    page.text(y, DARK, large=True, indent=28, letters=20)
    for picture in range(5):
        page.fill(LEFT + 118 * picture, y + 40, LEFT + 118 * picture + 110, y + 140, (120, 80 + 20 * picture, 60))
    return y + 140


def places(page: Drawing, y: int) -> int:
    page.text(y, DARK, large=True, letters=10)
    page.fill(650, y + 30, 1050, y + 300, (160, 200, 160))
    return y + 300


def related_searches(page: Drawing, y: int) -> int:
    page.text(y, DARK, large=True, letters=12)
    for row in range(2):
        for x in (LEFT, LEFT + 300):
            page.fill(x, y + 40 + 46 * row, x + 280, y + 78 + 46 * row, (241, 243, 244))
        page.text(y + 54 + 46 * row, DARK, indent=50, letters=20)
    return y + 54 + 46 + 9


def pagination(page: Drawing, y: int) -> int:
    for place, colour in enumerate([(66, 133, 244), (234, 67, 53), (251, 188, 5), (52, 168, 83)]):
        page.fill(350 + 25 * place, y, 370 + 25 * place, y + 30, colour)
    return y + 30


WIDGETS = {
    "related-questions": related_questions,
    "image-pack": image_pack,
    "places": places,
    "related-searches": related_searches,
    "pagination": pagination,
}


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_between_two_results_is_none_and_whole(name):
    page = Drawing()
    page.result(200)
    bottom = WIDGETS[name](page, 340)
    page.result(bottom + 40)
    assert find_organic(page.image, []) == [column(200, 277), column(bottom + 40, bottom + 117)]
    assert organic_finder.find_widgets(page.image, []) == [column(340, bottom)]


def test_neighbouring_widgets_stay_apart():
    page = Drawing()
    ends = {}
    y = 200
    for name in ("image-pack", "related-questions", "related-searches", "pagination"):
        ends[name] = (y, WIDGETS[name](page, y))
        y = ends[name][1] + 50
    assert find_organic(page.image, []) == []
    assert organic_finder.find_widgets(page.image, []) == [column(*rows) for rows in ends.values()]


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1280, 2400), "white"),
        Image.new("RGB", (1280, 2400), "black"),
        Image.new("RGB", (700, 2400), "black"),
        Image.new("RGB", (1, 1), "white"),
        Image.new("RGB", (1280, 0)),
        Image.new("RGB", (1280, 60), "white"),
        Image.new("L", (1280, 500), 255),
    ],
)
def test_an_empty_or_narrow_page_has_no_results(image):
    assert find_organic(image, [(162, 10, 700, 60), (162, 5000, 700, 5100)]) == []


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_any_image_mode_is_read(mode):
    page = Drawing()
    page.result(300)
    assert find_organic(page.image.convert(mode), []) == [column(300, 377)]


@settings(max_examples=15, deadline=None)
@given(first=st.integers(0, 300), gaps=st.lists(st.integers(25, 90), min_size=1, max_size=5))
def test_results_move_with_the_page(first, gaps):
    page = Drawing()
    y, expected = 150 + first, []
    for gap in gaps:
        expected.append(column(y, y + RESULT_HEIGHT))
        y = page.result(y) + gap
    assert find_organic(page.image, []) == expected


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 500),
    width=st.integers(700, 900),
    ads=st.lists(st.tuples(*[st.floats(-50, 900)] * 4), max_size=3),
)
def test_any_picture_gives_ordered_boxes_inside_the_page(seed, height, width, ads):
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 255, dtype=np.uint8)
    for _ in range(20):
        y, x = rng.integers(0, height), rng.integers(0, width)
        pixels[y : y + rng.integers(1, 30), x : x + rng.integers(1, 300)] = rng.integers(0, 256, 3)
    image = Image.fromarray(pixels)
    boxes = sorted([*find_organic(image, ads), *organic_finder.find_widgets(image, ads)])
    assert [box[1] for box in boxes] == sorted(box[1] for box in boxes)
    assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in boxes)
    assert all(above[3] <= below[1] for above, below in zip(boxes, boxes[1:], strict=False))


@given(st.lists(st.booleans()))
def test_runs_cover_exactly_the_true_cells(cells):
    mask = np.array(cells, dtype=np.bool_)
    inside = [index for start, stop in runs(mask) for index in range(start, stop)]
    assert inside == list(np.flatnonzero(mask))
    assert all(stop < start for (_, stop), (start, _) in zip(runs(mask), runs(mask)[1:], strict=False))


def test_matching_is_one_to_one_and_needs_half_the_union():
    tall, upper, other = (0, 0, 10, 100), (0, 0, 10, 60), (0, 40, 10, 100)
    assert organic_finder.iou(tall, upper) == pytest.approx(0.6)
    assert organic_finder.match([tall], [other, upper]) in ([(0, 0)], [(0, 1)])
    assert organic_finder.match([tall], [(0, 0, 10, 49)]) == []
    assert organic_finder.match([upper, other], [tall]) in ([(0, 0)], [(1, 0)])


def test_a_click_falls_to_the_nearest_edge_within_ten_pixels():
    slots = [(0, 0, 100, 50), (0, 70, 100, 120)]
    assert [organic_finder.clicked(slots, 50, y) for y in (50, 59, 62, 130, 130.5)] == [0, 0, 1, 1, None]
    assert organic_finder.clicked([], 5, 5) is None


@pytest.mark.slow
def test_the_boxes_agree_with_those_given_for_the_recorded_pages(real_data):
    folder = real_data / "replay"
    parts = organic_finder.halves(sorted((folder / "trials").glob("*.json")))
    scores = {name: [organic_finder.score_trial(folder, file) for file in files] for name, files in parts.items()}
    for some in (*scores.values(), [score for half in scores.values() for score in half]):
        totals = organic_finder.totals(some)
        assert totals["recall"] >= 0.9 and totals["recall by IoU"] >= 0.9
        assert totals["precision"] >= 0.9
        assert totals["clicked slot"] >= 0.97
    assert sum(len(files) for files in parts.values()) == 94
