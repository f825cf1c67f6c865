from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest

import tasks
from tasks.adserp import ADSERP, ADSERP_PAGE
from tasks.adserp.sample import make_person, simulate_trial, write_sample
from tasks.adserp.sample_pages import make_page
from tasks.adserp.sessions import slot_of_points
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError
from tasks.types import visits


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample")
    write_sample(folder)
    return folder


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = b"".join(path.relative_to(folder).as_posix().encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


@pytest.mark.slow
def test_the_same_seed_writes_the_same_files(sample, tmp_path):
    write_sample(tmp_path / "again")
    assert digest(tmp_path / "again") == digest(sample)


def test_it_says_that_it_is_simulated(sample):
    assert (sample / "SIMULATED").is_file()
    assert "SIMULATED, NOT AdSERP" in (sample / "README.txt").read_text(encoding="utf-8")
    assert "not AdSERP" in ADSERP.sample_notice
    reading = ADSERP.read(sample, ReadOptions(images=False), quiet)
    assert not any("published data set" in note for note in reading.notes)


def test_it_passes_through_the_reader_with_the_oddities_of_the_recordings(sample):
    for task in (ADSERP, ADSERP_PAGE):
        reading = task.read(sample, ReadOptions(images=False), quiet)
        assert reading.read == 120
        assert len({session.user for session in reading.sessions}) == 24
        assert set(reading.dropped) == {"no click", "the click is in no slot and not within 10 px of one"}
        assert reading.read == len(reading.sessions) + sum(reading.dropped.values())
        assert sum("reconsidered" in session.flags for session in reading.sessions) >= 3
        screens = [session.screen for session in reading.sessions]
        assert len(set(screens)) == 40
        kinds = {slot.kind for session in reading.sessions for slot in session.slots}
        assert kinds == {"organic_result", "native_ad", "dd_top", "dd_right"}
        assert not any(slot.text.startswith("organic result") for s in reading.sessions for slot in s.slots)


def test_gaze_tells_of_the_click_and_relevant_titles_are_clicked_more(sample):
    sessions = ADSERP_PAGE.read(sample, ReadOptions(images=False), quiet).sessions
    expected = np.mean([1 / len(session.slots) for session in sessions])
    at_click = np.mean([session.gaze[session.click] for session in sessions])
    assert at_click > 3 * expected
    organic = [
        (slot, k == s.click) for s in sessions for k, slot in enumerate(s.slots) if slot.kind == "organic_result"
    ]
    exact = [clicked for slot, clicked in organic if " - " in slot.text and "ten best" not in slot.text]
    lists = [clicked for slot, clicked in organic if "ten best" in slot.text]
    assert np.mean(exact) > 3 * np.mean(lists)


def test_people_look_at_the_dialog_before_the_click_and_at_their_choice_before_the_press(sample):
    first, second = (
        ADSERP_PAGE.read(sample, ReadOptions(images=False, truth=truth), quiet).sessions for truth in (1, 2)
    )
    last = [np.mean([visits(s)[-1].slot == s.click for s in sessions]) for sessions in (first, second)]
    assert last[0] < 0.5 and last[1] > 0.7
    ends = [[s.fixations[-1].start_ms + s.fixations[-1].duration_ms for s in sessions] for sessions in (first, second)]
    assert np.median(np.subtract(*ends)) > 500


def test_another_height_of_the_viewport_is_taken_in_its_place_and_said(sample):
    low, own = (ADSERP.read(sample, ReadOptions(images=False, viewport=height), quiet) for height in (300, None))
    boxes = [slot.box for session in low.sessions for slot in session.slots]
    assert max(box[3] for box in boxes) <= 300 < max(s.box[3] for session in own.sessions for s in session.slots)
    slots = [np.mean([len(session.slots) for session in found.sessions]) for found in (low, own)]
    assert slots[0] < slots[1] and any("300 pixels high" in note for note in low.notes)
    assert not any("pixels high" in note for note in own.notes)
    with pytest.raises(InputError, match="recgaze has no viewport to choose"):
        tasks.load("recgaze", "sample", options=ReadOptions(viewport=922))


def test_people_who_avoid_ads_look_at_them_less():
    rng = np.random.default_rng(5)
    avoidance, looked = [], []
    for _ in range(40):
        person, shares = make_person(rng), []
        for number in range(12):
            page = make_page("page", number, rng)
            trial = simulate_trial(person, page, rng)
            ads = np.array([item.box for item in page.items if item.kind == "native_ad"]).reshape(-1, 4)
            x, y, ms = (np.array([f[name] for f in trial["fixations"]], float) for name in ("x", "y", "duration"))
            if len(ads):
                shares.append(ms[slot_of_points(ads, x, y) >= 0].sum() / ms.sum() / len(ads))
        avoidance.append(person.ad_avoidance)
        looked.append(np.mean(shares))
    assert np.corrcoef(avoidance, looked)[0, 1] < -0.5


@pytest.mark.slow
def test_the_screens_of_the_sample_have_its_size(sample, tmp_path):
    few = tmp_path / "few"
    shutil.copytree(
        sample, few, ignore=lambda folder, names: [n for n in names if n.endswith(".json") and "t5" not in n]
    )
    for task in (ADSERP, ADSERP_PAGE):
        folder = tmp_path / task.info.name
        folder.mkdir()
        reading = task.read(few, ReadOptions(size=task.sample_size, work=folder), quiet)
        width, height = task.sample_size
        for session in reading.sessions[::6]:
            image = session.image.open()
            assert image.width <= width and image.height <= height
            assert width == image.width or height == image.height
            assert all(0 <= s.box[0] < s.box[2] <= image.width for s in session.slots)
            assert all(0 <= s.box[1] < s.box[3] <= image.height + 1e-9 for s in session.slots)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="file: the sample cannot be written"):
        write_sample(tmp_path / "file")
