"""The simulated sample: it says so, reads as the published layout, and its people have tastes and habits."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from tasks.altered import mirrored, relabelled
from tasks.definition import ReadOptions, quiet
from tasks.pictures import encode
from tasks.snacks import SNACKS
from tasks.snacks.sample import TRIALS, USERS, simulate_looks, write_sample
from tasks.snacks.screen import SIZE, draw_screen
from tasks.types import ScreenImage


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("snacks")
    write_sample(folder)
    return folder


@pytest.fixture(scope="module")
def sessions(raw):
    return SNACKS.read(raw, ReadOptions(images=False, simulated=True), quiet).sessions


def test_the_sample_reads_as_the_published_layout(raw, sessions):
    assert SNACKS.detect(raw) == "grid" and "simulated people" in SNACKS.sample_notice
    reading = SNACKS.read(raw, ReadOptions(images=False, simulated=True), quiet)
    assert reading.read == 2 * USERS * TRIALS and reading.dropped == {"no gaze recorded": 2}
    assert not any("many-item-choice" in note for note in reading.notes)
    assert {len(session.slots) for session in sessions} == {9, 16}
    assert len({session.screen for session in sessions}) == len(sessions)


@pytest.mark.slow
def test_the_same_seed_writes_the_same_files(raw, tmp_path):
    write_sample(tmp_path / "again")

    def digest(folder):
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        content = b"".join(path.relative_to(folder).as_posix().encode() + path.read_bytes() for path in files)
        return hashlib.sha256(content).hexdigest()

    assert digest(tmp_path / "again") == digest(raw)


def test_ratings_decide_on_choice_and_gaze_and_the_profile_lists_them(sessions):
    best = [max(slot.rating for slot in s.slots) == s.slots[s.click].rating for s in sessions]
    assert np.mean(best) > 0.5
    liked = [np.corrcoef([slot.rating for slot in s.slots], s.gaze)[0, 1] for s in sessions]
    assert np.nanmean(liked) > 0.2
    first = sessions[0]
    listed = [word.rsplit(" (", 1) for word in first.profile.split(": ")[1].split(", ")]
    assert [(name, float(value[:-1])) for name, value in listed] == sorted(
        ((slot.text, slot.rating) for slot in first.slots), key=lambda pair: -pair[1]
    )


def test_a_person_starts_at_the_cross_reads_along_rows_and_looks_where_it_is_used_to():
    rng = np.random.default_rng(3)
    habit = np.array([-3.0] * 6 + [3.0] * 3)
    looked = np.zeros(9)
    for _ in range(100):
        looks, choice = simulate_looks(np.zeros(9), habit, rng)
        assert looks[0] == 4 and choice in {*looks, 0}
        assert all(a != b for a, b in zip(looks, looks[1:], strict=False))
        looked += np.bincount(looks[1:], minlength=9)
    assert looked[6:].sum() > 5 * looked[:6].sum()


def test_numbers_are_dealt_again_and_columns_mirrored(sessions):
    session = sessions[0]
    image = ScreenImage(data=encode(draw_screen(session.slots, {}, SIZE)))
    session = replace(session, image=image)
    before = np.asarray(session.image.open()).astype(int)
    again = relabelled(session.stimulus(), "d" * 64, SNACKS.labels)
    after = np.asarray(again.stimulus.image.open()).astype(int)
    changed = np.abs(after - before).max(axis=2) > 60
    inside = np.zeros_like(changed)
    for x0, y0, x1, y1 in SNACKS.labels.areas(before.shape[1::-1], session.slots):
        inside[y0:y1, x0:x1] = True
    assert changed.any() and not (changed & ~inside).any()
    # Names and ratings stay with the items; the profile names items, not numbers.
    assert [(s.text, s.rating) for s in again.stimulus.slots] == [(s.text, s.rating) for s in session.slots]
    turned = mirrored(session.stimulus(), SNACKS.labels).stimulus
    assert [s.rating for s in turned.slots[:3]] == [s.rating for s in session.slots[2::-1]]
