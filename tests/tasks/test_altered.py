"""Altered screens: labels dealt again, columns mirrored."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tasks.adserp import ADSERP, screen
from tasks.adserp.trial import SCREEN_WIDTH
from tasks.altered import NOWHERE, area_of, cover, derangement, generator, mirrored, relabelled
from tasks.errors import InputError
from tasks.pictures import encode
from tasks.recgaze import RECGAZE
from tasks.recgaze.render import COLUMNS, LETTERS, ROWS, Film, ScreenState, draw_screen, letter_areas, slot_boxes
from tasks.types import ScreenImage, Slot, Stimulus

DIGEST = "d" * 64
SIZES = [(240, 144), (480, 288), (1100, 600)]


def png(image: Image.Image) -> ScreenImage:
    data = io.BytesIO()
    image.save(data, format="PNG")
    return ScreenImage(data=data.getvalue())


def pixels(image: ScreenImage | None) -> np.ndarray:
    assert image is not None
    return np.asarray(image.open()).astype(int)


def films(order=range(15)) -> ScreenState:
    genres = ("Drama", "Comedy", "War")
    made = [Film(str(i), f"Film {i}", str(1990 + i), (genres[i // 5],), "") for i in range(15)]
    rows = [tuple(made[i] for i in list(order)[5 * r : 5 * r + 5]) for r in range(ROWS)]
    return ScreenState(tuple(zip(genres, rows, strict=True)))


def carousel(size=(480, 288), session_id="u-1") -> Stimulus:
    boxes = slot_boxes(size)
    slots = tuple(Slot(LETTERS[i], "film", f"Film {i}", boxes[i]) for i in range(15))
    return Stimulus(session_id, "u", "1", png(draw_screen(films(), size)), "", slots)


def results(width=SCREEN_WIDTH, k=11, jpeg=True) -> Stimulus:
    """A result page with pale text on white, numbered as the task does, sent through JPEG."""
    factor = width / SCREEN_WIDTH
    image = Image.new("RGB", (width, round(1023 * factor)), "white")
    boxes = [tuple(v * factor for v in (162.0, 20.0 + 90 * i, 748.0 - 20 * (i % 3), 90.0 + 90 * i)) for i in range(k)]
    for i, box in enumerate(boxes):
        inner = (box[0] + 2, box[1] + 2, box[0] + 60 + 5 * i, box[1] + 20)
        image.paste((40 + 15 * i, 90, 200 - 15 * i), tuple(round(v) for v in inner))
    labels = [str(i + 1) for i in range(k)]
    image = screen.draw_numbers(image, boxes, labels, factor)
    shown = ScreenImage(data=encode(image)) if jpeg else png(image)
    slots = tuple(Slot(n, "organic_result", f"Result {n}", box) for n, box in zip(labels, boxes, strict=True))
    return Stimulus("p-1", "p", "q", shown, "Search query: q", slots)


@pytest.mark.parametrize("size", SIZES)
def test_relabelling_draws_the_very_screen_with_other_letters(size):
    given = carousel(size)
    found = relabelled(given, DIGEST, RECGAZE.labels)
    letters = [slot.label for slot in found.stimulus.slots]
    assert sorted(letters) == sorted(LETTERS) and all(a != b for a, b in zip(letters, LETTERS, strict=True))
    assert [given.slots[i].label for i in found.label] == letters
    assert found.item == found.place == tuple(range(15))
    # Nothing but the letters' lines has changed, and dealing them back gives the screen as it was, pixel by pixel.
    before, after = pixels(given.image), pixels(found.stimulus.image)
    outside = np.ones(before.shape[:2], dtype=bool)
    for x0, y0, x1, y1 in letter_areas(size):
        outside[y0:y1, x0:x1] = False
        assert (before[y0:y1, x0:x1] != after[y0:y1, x0:x1]).any()
    assert (before[outside] == after[outside]).all()
    back = found.stimulus.image.open()
    cover(back, RECGAZE.labels.areas(size, given.slots), given.slots)
    RECGAZE.labels.draw(back, given.slots)
    assert (np.asarray(back) == before).all()


def test_the_rest_of_the_stimulus_is_as_it_was():
    for given, labels in ((carousel(), RECGAZE.labels), (results(), ADSERP.labels)):
        for found in (relabelled(given, DIGEST, labels), mirrored(given, labels)):
            for part in ("session_id", "user", "screen", "profile"):
                assert getattr(found.stimulus, part) == getattr(given, part)
            assert sorted(s.text for s in found.stimulus.slots) == sorted(s.text for s in given.slots)


@pytest.mark.parametrize("width", [SCREEN_WIDTH, 640])
def test_old_numbers_are_fully_covered(width):
    given = results(width)
    found = relabelled(given, DIGEST, ADSERP.labels)
    after, size = pixels(found.stimulus.image), found.stimulus.image.open().size
    new = np.zeros(after.shape[:2], dtype=bool)
    for x0, y0, x1, y1 in ADSERP.labels.areas(size, found.stimulus.slots):
        new[y0:y1, x0:x1] = True
    ink = np.abs(after - np.array([176, 0, 96])).max(axis=2) < 60
    assert ink[new].any() and not ink[~new].any()
    # What the new numbers' areas hold is what it would be had they been drawn in the first place.
    blank = Image.new("RGB", size, "white")
    ADSERP.labels.draw(blank, found.stimulus.slots)
    left = new & (np.arange(size[0]) < min(slot.box[0] for slot in given.slots) - 1)
    # (The ground is the page's white as JPEG left it.)
    assert np.abs(np.asarray(blank)[left].astype(int) - after[left]).max() <= 3
    untouched = np.ones(after.shape[:2], dtype=bool)
    for slots in (given.slots, found.stimulus.slots):
        for x0, y0, x1, y1 in ADSERP.labels.areas(size, slots):
            untouched[y0:y1, x0:x1] = False
    assert (pixels(given.image)[untouched] == pixels(found.stimulus.image)[untouched]).all()


def test_labels_are_a_function_of_data_session_and_seed():
    one = relabelled(carousel(), DIGEST, RECGAZE.labels).label
    assert one == relabelled(carousel(), DIGEST, RECGAZE.labels).label
    others = [
        relabelled(carousel(session_id="u-2"), DIGEST, RECGAZE.labels).label,
        relabelled(carousel(), "e" * 64, RECGAZE.labels).label,
        relabelled(carousel(), DIGEST, RECGAZE.labels, seed=1).label,
    ]
    assert len({one, *others}) == 4
    # Published: a change here makes every stress prediction that was submitted void.
    assert one == (11, 3, 7, 13, 12, 8, 10, 4, 2, 6, 14, 0, 1, 5, 9)


def test_every_derangement_has_the_same_chance():
    rng = generator("test", DIGEST, "x", 0)
    found = Counter(derangement(4, rng) for _ in range(4500))
    assert len(found) == 9 and all(abs(n - 500) < 120 for n in found.values())
    with pytest.raises(ValueError, match="single"):
        derangement(1, rng)


@pytest.mark.parametrize("size", SIZES)
def test_mirroring_a_grid_exchanges_films_and_leaves_letters(size):
    given = carousel(size)
    found = mirrored(given, None)
    opposite = [5 * (i // COLUMNS) + COLUMNS - 1 - i % COLUMNS for i in range(15)]
    assert list(found.item) == opposite and found.place == found.label == tuple(range(15))
    expected = draw_screen(films(opposite), size)
    assert (pixels(found.stimulus.image) == np.asarray(expected)).all()
    for slot, old, m in zip(found.stimulus.slots, given.slots, opposite, strict=True):
        assert (slot.label, slot.box, slot.text) == (old.label, old.box, given.slots[m].text)
    twice = mirrored(found.stimulus, None)
    assert (pixels(twice.stimulus.image) == pixels(given.image)).all()


def test_mirroring_results_moves_each_with_its_number():
    given = results(jpeg=False)
    found = mirrored(given, ADSERP.labels)
    assert found.item == found.label == tuple(range(11)) and set(found.place) == {NOWHERE}
    before, after = pixels(given.image), pixels(found.stimulus.image)
    for old, new in zip(given.slots, found.stimulus.slots, strict=True):
        assert (new.label, new.text, new.kind) == (old.label, old.text, old.kind)
        assert new.box == (SCREEN_WIDTH - old.box[2], old.box[1], SCREEN_WIDTH - old.box[0], old.box[3])
        x0, y0, x1, y1 = area_of(old.box, (before.shape[1], before.shape[0]))
        moved = after[y0:y1, SCREEN_WIDTH - x1 : SCREEN_WIDTH - x0]
        assert (moved == before[y0:y1, x0:x1]).mean() > 0.99  # a neighbour's plate may lie over an edge
    # The ground that was left is white, old numbers included.
    assert (after[:, :480] == 255).all()


def test_the_decision_needs_no_drawing():
    for given, labels in ((carousel(), RECGAZE.labels), (results(), ADSERP.labels)):
        for make in (lambda s, n, **k: relabelled(s, DIGEST, n, **k), mirrored):
            drawn, not_drawn = make(given, labels), make(given, None, draw=False)
            assert not_drawn.stimulus.image is None
            assert (drawn.item, drawn.place, drawn.label) == (not_drawn.item, not_drawn.place, not_drawn.label)
            assert drawn.stimulus.slots == not_drawn.stimulus.slots


def test_without_a_screen_only_slots_are_altered():
    given = replace(carousel(), image=None)
    assert relabelled(given, DIGEST, None).stimulus.image is None
    found = mirrored(given, None)
    assert found.stimulus.image is None and found.item[0] == 4


def test_a_task_that_cannot_draw_labels_is_refused():
    with pytest.raises(InputError, match="does not say how it draws labels"):
        relabelled(carousel(), DIGEST, None)
    with pytest.raises(InputError, match="does not say how it draws labels"):
        mirrored(results(), None)


def test_ground_takes_the_colour_around_it():
    image = Image.new("RGB", (60, 40), (10, 20, 30))
    image.paste((200, 0, 0), (20, 10, 40, 30))
    image.paste((250, 250, 0), (40, 10, 60, 30))  # a slot next to it says nothing of the ground
    cover(image, [(20, 10, 40, 30)], [Slot("A", "film", "", (40.0, 10.0, 59.0, 29.0))])
    found = np.asarray(image)
    assert (found[10:30, 20:40] == (10, 20, 30)).all() and (found[10:30, 40:] == (250, 250, 0)).all()
