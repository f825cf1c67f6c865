"""The drawn screens: geometry, legible letters, genres that pixels tell, and files that never vary."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.definition import quiet
from tasks.errors import InputError
from tasks.recgaze import render
from tasks.recgaze.posters import GENRES, canonical_genre, draw_poster, known_genres
from tasks.recgaze.render import Film, ScreenState, draw_screen, draw_screens, slot_boxes, state_digest

SIZES = ((1100, 600), (480, 288), (320, 192))


def film(number: int, *genres: str, poster: str = "") -> Film:
    return Film(str(number), f"The Lantern of Obrith {number}", str(1960 + number % 60), genres, poster)


def state(first: int = 0) -> ScreenState:
    return ScreenState(
        tuple(
            (
                GENRES[row],
                tuple(film(first + 5 * row + column, GENRES[(first + 3 * row + column) % 10]) for column in range(5)),
            )
            for row in range(3)
        )
    )


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def below(size: tuple[int, int], slot: int) -> tuple[int, int, int, int]:
    """Crop box of what lies between a poster and the next row's title or the lower edge."""
    x0, _, x1, y1 = slot_boxes(size)[slot]
    row = slot // 5
    next_title = size[1] / 3 * (row + 1)
    return int(x0), int(y1) + 1, int(x1) + 1, int(next_title)


def test_geometry_is_the_published_one_at_the_published_width():
    boxes = slot_boxes((1920, 1019))
    assert [box[0] for box in boxes[:5]] == [76, 427, 778, 1129, 1480]
    assert {(box[2] - box[0] + 1, box[3] - box[1] + 1) for box in boxes} == {(342, 193)}
    assert [boxes[row * 5][1] - boxes[0][1] for row in range(3)] == pytest.approx([0, 339.5, 679], abs=1)


def test_geometry_scales_to_the_published_screen_size():
    boxes = slot_boxes((1100, 600))
    assert [box[0] for box in boxes[5:10]] == [round(x * 1100 / 1920) for x in (76, 427, 778, 1129, 1480)]
    assert boxes[14][3] < 560  # room for a letter below the last row


def test_compact_cells_share_the_image_evenly():
    boxes = slot_boxes((320, 192))
    for slot, (x0, y0, x1, y1) in enumerate(boxes):
        row, column = divmod(slot, 5)
        assert 64 * column <= x0 < x1 < 64 * (column + 1)
        assert 64 * row <= y0 < y1 < 64 * (row + 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(240, 2000), st.integers(144, 1300))
def test_boxes_lie_inside_apart_and_in_slot_order(width, height):
    boxes = slot_boxes((width, height))
    assert len(boxes) == 15
    for slot, (x0, y0, x1, y1) in enumerate(boxes):
        row, column = divmod(slot, 5)
        assert 0 <= x0 < x1 < width and height / 3 * row <= y0 < y1 < height / 3 * (row + 1)
        assert (x1 - x0 + 1) / (y1 - y0 + 1) == pytest.approx(342 / 193, rel=0.06)
        if column:
            assert x0 > boxes[slot - 1][2]


@pytest.mark.parametrize("size", [(200, 192), (320, 100), (0, 0)])
def test_a_size_without_room_for_letters_is_refused(size):
    with pytest.raises(InputError, match="too small for legible letters"):
        slot_boxes(size)


@pytest.mark.parametrize("size", SIZES)
def test_letters_can_be_read(size):
    """Each drawn letter, scaled to one height, is nearest to the same letter of a large drawing."""

    def glyph(screen: Image.Image, at: tuple[int, int], slot: int) -> np.ndarray:
        ink = pixels(screen.crop(below(at, slot))).mean(axis=2) > 128
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        assert len(rows) >= 11, "a letter is at least 11 pixels high"
        cut = Image.fromarray((ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] * 255).astype(np.uint8))
        shape = np.asarray(cut.resize((24, 32), Image.Resampling.BILINEAR), dtype=np.float64) / 255
        return np.append(shape.ravel(), 20 * len(columns) / len(rows))  # the width tells I from the rest

    large = (1920, 1019)
    reference = draw_screen(state(), large)
    templates = np.array([glyph(reference, large, slot) for slot in range(15)])
    screen = draw_screen(state(), size)
    read = [int(((templates - glyph(screen, size, slot)) ** 2).sum(axis=1).argmin()) for slot in range(15)]
    assert read == list(range(15))


@pytest.mark.parametrize("size", SIZES)
def test_letters_stand_out_below_the_middle_of_their_poster(size):
    screen = draw_screen(state(), size)
    for slot, (x0, _, x1, _) in enumerate(slot_boxes(size)):
        area = pixels(screen.crop(below(size, slot)))
        assert area.max() == 255 and np.median(area) <= 30
        columns = np.flatnonzero(area.mean(axis=2).max(axis=0) > 128)
        assert columns.mean() + x0 == pytest.approx((x0 + x1) / 2, abs=0.02 * size[0] / 5 + 1.5)


def test_the_row_title_is_drawn_in_its_usual_spelling():
    rows = state().rows
    published = ScreenState((("Comedies", rows[0][1]), *rows[1:]))
    usual = ScreenState((("Comedy", rows[0][1]), *rows[1:]))
    other = ScreenState((("Crime", rows[0][1]), *rows[1:]))
    assert np.array_equal(pixels(draw_screen(published, (480, 288))), pixels(draw_screen(usual, (480, 288))))
    assert not np.array_equal(pixels(draw_screen(other, (480, 288))), pixels(draw_screen(usual, (480, 288))))


def test_genres_are_known_in_all_their_spellings():
    assert [canonical_genre(name) for name in ("Comedies", "Dramas", "Sci-fi", " horror ", "Western")] == [
        *("Comedy", "Drama", "Sci-Fi", "Horror", None)
    ]
    assert known_genres(("Biography", "Dramas", "Drama", "Crime")) == ("Drama", "Crime")


def test_the_smallest_poster_tells_its_genre_by_colour():
    """Nearest mean colour, learned on other films, names the first genre of nearly every poster."""
    box = slot_boxes((320, 192))[0]
    size = (int(box[2] - box[0]) + 1, int(box[3] - box[1]) + 1)

    def colours(numbers: range) -> np.ndarray:
        posters = [
            [draw_poster(f"Film {n}", "1999", (genre, GENRES[(i + 1 + n % 9) % 10]), size) for n in numbers]
            for i, genre in enumerate(GENRES)
        ]
        return np.array([[np.median(pixels(p).reshape(-1, 3), axis=0) for p in row] for row in posters])

    centres = colours(range(8)).mean(axis=1)
    distance = ((colours(range(100, 120))[:, :, None, :] - centres) ** 2).sum(axis=-1)
    assert (distance.argmin(axis=2) == np.arange(10)[:, None]).mean() >= 0.98


def test_motifs_differ_without_colour():
    """In outline alone (brightness above or below the middle) no two genres look the same."""
    outlines = []
    for genre in GENRES:
        grey = pixels(draw_poster("x", "", (genre,), (59, 33))).mean(axis=2)
        outlines.append(np.abs(grey - np.median(grey)) > 45)
    for i in range(10):
        for j in range(i):
            union = (outlines[i] | outlines[j]).sum()
            assert (outlines[i] ^ outlines[j]).sum() / union > 0.15, (GENRES[i], GENRES[j])


def test_second_genre_and_unknown_genres_show():
    one = pixels(draw_poster("x", "", ("Crime",), (88, 50)))
    two = pixels(draw_poster("x", "", ("Crime", "Horror"), (88, 50)))
    western = pixels(draw_poster("x", "", ("Western",), (88, 50)))
    changed = np.abs(one - two).max(axis=2) > 30
    assert changed[:, 60:].any() and not changed[:, :55].any()
    assert not np.array_equal(one, western)


def test_a_poster_of_a_film_is_always_the_same_and_films_of_a_genre_differ():
    same = [pixels(draw_poster("Orbit: Vellen", "1999", ("Sci-Fi",), (59, 33))) for _ in range(2)]
    other = pixels(draw_poster("Orbit: Vellan", "1999", ("Sci-Fi",), (59, 33)))
    assert np.array_equal(*same) and not np.array_equal(same[0], other)


def test_posters_come_from_the_folder_and_are_cropped_to_fill(tmp_path: Path):
    portrait = Image.new("RGB", (200, 600), (255, 0, 0))
    portrait.paste((0, 0, 255), (0, 0, 200, 200))  # above the part that a landscape crop keeps
    portrait.save(tmp_path / "tall.png")
    Image.new("L", (342, 193), 200).save(tmp_path / "grey.jpg")
    films = [film(n, "Drama") for n in range(15)]
    films[1] = replace(films[1], poster="/tall.png")
    films[7] = replace(films[7], poster="https://posters.example/w500/grey.jpg")
    films[8] = replace(films[8], poster="absent.jpg")
    shown = ScreenState(tuple((GENRES[r], tuple(films[5 * r : 5 * r + 5])) for r in range(3)))
    screen, drawn = (pixels(draw_screen(shown, (480, 288), folder)) for folder in (tmp_path, None))

    def poster(image: np.ndarray, slot: int) -> np.ndarray:
        x0, y0, x1, y1 = (int(v) for v in slot_boxes((480, 288))[slot])
        return image[y0 : y1 + 1, x0 : x1 + 1]

    assert (poster(screen, 1) == (255, 0, 0)).all()
    assert np.abs(poster(screen, 7) - 200).max() <= 3
    same = [slot for slot in range(15) if np.array_equal(poster(screen, slot), poster(drawn, slot))]
    assert same == [slot for slot in range(15) if slot not in (1, 7)]


@pytest.mark.parametrize("content", [b"no picture", b"", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_a_poster_that_does_not_open_is_named(tmp_path: Path, content: bytes):
    (tmp_path / "broken.jpg").write_bytes(content)
    broken = ScreenState((("Drama", tuple(film(n, "Drama", poster="broken.jpg") for n in range(5))), *state().rows[1:]))
    with pytest.raises(InputError, match=r"broken\.jpg does not open"):
        draw_screen(broken, (480, 288), tmp_path)


def test_a_digest_tells_all_that_is_drawn():
    base = state()
    first = base.rows[0][1][0]
    digests = {state_digest(base, (480, 288)), state_digest(base, (320, 192))}
    for change in ({"title": "x"}, {"year": "2020"}, {"genres": ("Horror",)}, {"poster": "x.jpg"}, {"movie_id": "x"}):
        films = (replace(first, **change), *base.rows[0][1][1:])
        digests.add(state_digest(ScreenState((("Action", films), *base.rows[1:])), (480, 288)))
    digests.add(state_digest(ScreenState((("Drama", base.rows[0][1]), *base.rows[1:])), (480, 288)))
    assert len(digests) == 8
    assert state_digest(state(), (480, 288)) == state_digest(base, (480, 288))
    assert hash(state()) == hash(base)


def test_files_do_not_depend_on_the_number_of_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(render, "_POOL_FROM", 2)
    states = {state_digest(s, (320, 192)): s for s in (state(n) for n in (30, 0, 15, 45))}
    seen: list[object] = []

    def progress(items, *, total=None, desc=""):
        for item in items:
            seen.append((total, desc))
            yield item

    files = [draw_screens(states, tmp_path / str(n), (320, 192), None, n, progress) for n in (1, 2)]
    for drawn in files:
        assert list(drawn) == list(states)
    for digest in states:
        assert files[0][digest].read_bytes() == files[1][digest].read_bytes()
        assert files[0][digest].name == f"{digest}.png"
        with Image.open(files[0][digest]) as image:
            assert np.array_equal(pixels(image), pixels(draw_screen(states[digest], (320, 192))))
    assert len(list((tmp_path / "2").iterdir())) == 4
    assert seen == [(4, "screens")] * 8


def test_a_worker_reports_a_broken_poster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(render, "_POOL_FROM", 2)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    broken = ScreenState((("Drama", tuple(film(n, "Drama", poster="broken.jpg") for n in range(5))), *state().rows[1:]))
    with pytest.raises(InputError, match=r"broken\.jpg does not open"):
        draw_screens({"a": state(), "b": broken}, tmp_path / "out", (320, 192), tmp_path, 2, quiet)


def test_where_no_process_starts_the_drawing_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Broken(render.ProcessPoolExecutor):
        def map(self, *args, **kwargs):
            raise render.BrokenProcessPool("cannot start")

    monkeypatch.setattr(render, "_POOL_FROM", 2)
    monkeypatch.setattr(render, "ProcessPoolExecutor", Broken)
    states = {str(n): state(n) for n in range(3)}
    files = draw_screens(states, tmp_path, (320, 192), None, 2, quiet)
    assert sorted(path.name for path in files.values() if path.is_file()) == ["0.png", "1.png", "2.png"]


def test_folders_that_cannot_be_used_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot make the folder .*file"):
        draw_screens({"a": state()}, tmp_path / "file", (320, 192), None, 1, quiet)
    with pytest.raises(InputError, match="poster folder .*absent is not a folder"):
        draw_screens({"a": state()}, tmp_path / "out", (320, 192), tmp_path / "absent", 1, quiet)
    (tmp_path / "full" / "a.png").mkdir(parents=True)
    with pytest.raises(InputError, match=r"cannot write the screen .*a\.png"):
        draw_screens({"a": state()}, tmp_path / "full", (320, 192), None, 1, quiet)


def test_a_screen_has_fifteen_films():
    with pytest.raises(ValueError, match="3 rows of 5"):
        ScreenState(state().rows[:2])
