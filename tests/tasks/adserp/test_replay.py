from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.adserp import ADSERP, ADSERP_PAGE
from tasks.adserp.replay import read_replay
from tasks.adserp.sessions import last_pause
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError

NO_IMAGES = ReadOptions(images=False)
OLD = ReadOptions(images=False, truth=1)


def test_a_trial_by_hand(replay_folder):
    folder = replay_folder()
    (session,) = ADSERP_PAGE.read(folder, OLD, quiet).sessions
    assert (session.session_id, session.user, session.screen) == ("p001-b1-t1", "p001", "buy tea kettle")
    assert [(slot.label, slot.kind, slot.text) for slot in session.slots] == [
        ("1", "native_ad", ""),
        ("2", "organic_result", ""),
        ("3", "organic_result", ""),
        ("4", "dd_right", ""),
    ]
    assert session.slots[1].box == (162, 300, 748, 400)
    assert session.gaze_ms.tolist() == [250, 400, 0, 90]
    # the cursor rests at (200, 200) from 100 to 900: the scroll between them is no mouse position
    assert session.cursor_ms.tolist() == [800, 600, 0, 0]
    assert session.click == 1
    view = ADSERP.read(folder, OLD, quiet).sessions[0]
    assert view.slots[1].box == (162, 290, 748, 390)  # scrolled by 20 CSS pixels
    assert view.gaze_ms.tolist() == [0, 400, 0, 90]  # the last pause runs from 500 to the click
    assert view.cursor_ms.tolist() == [0, 600, 0, 0]


def test_in_version_2_the_window_ends_at_the_press(replay_folder):
    # no fixation is where a dialog would be: the press is 1500 ms before the click, but not before the move at 900
    folder = replay_folder()
    (session,) = ADSERP_PAGE.read(folder, NO_IMAGES, quiet).sessions
    assert session.gaze_ms.tolist() == [250, 100, 0, 0]
    assert session.cursor_ms.tolist() == [800, 0, 0, 0]
    assert (session.click, session.flags) == (1, ("press-estimated",))
    assert session.fixations == ((0, 50, 250), (1, 800, 100))
    view = ADSERP.read(folder, NO_IMAGES, quiet).sessions[0]
    assert view.gaze_ms.tolist() == [0, 100, 0, 0]  # the last pause runs from 500 to 900
    assert view.cursor_ms.tolist() == [400, 0, 0, 0]
    assert view.fixations == ((1, 300, 100),)


def test_y_is_scaled_but_x_is_not(replay_folder):
    folder = replay_folder()
    trial = read_replay(folder / "trials" / "p001-b1-t1.json", folder)
    assert (trial.clicks.x[0], trial.clicks.y[0], trial.scrolls.y[0]) == (200, 340, 10)


def test_titles_are_used_where_given(replay_document, replay_folder):
    replay_document["bboxes"]["organic_result"][1]["title"] = "Tea kettles"
    (session,) = ADSERP_PAGE.read(replay_folder(replay_document), NO_IMAGES, quiet).sessions
    assert [slot.text for slot in session.slots][1:3] == ["", "Tea kettles"]


def test_repeated_mouse_rows_are_left_out_and_noted(replay_document, replay_folder):
    replay_document["cursor"].append(dict(replay_document["cursor"][-1]))
    reading = ADSERP_PAGE.read(replay_folder(replay_document), OLD, quiet)
    assert reading.sessions[0].flags == ()
    assert "repeated mouse rows, left out: in 1 trial (p001-b1-t1)" in reading.notes


def drop(document, *path):
    for name in path[:-1]:
        document = document[name]
    del document[path[-1]]


def put(document, value, *path):
    for name in path[:-1]:
        document = document[name]
    document[path[-1]] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: drop(d, "fixations"), r"p001-b1-t1.json: missing fixations"),
        (lambda d: drop(d, "bboxes", "organic_result"), r"bboxes.organic_result is missing or not a list"),
        (lambda d: drop(d, "fixations", 1, "duration"), r"t1.json: fixations\[1\]: missing duration"),
        (lambda d: put(d, "90", "fixations", 2, "duration"), r"fixations\[2\]: duration is '90', expected a number"),
        (lambda d: put(d, None, "cursor", 0, "x"), r"cursor\[0\]: x is None, expected a number"),
        (lambda d: put(d, True, "cursor", 0, "t"), r"cursor\[0\]: t is True, expected a number"),
        (lambda d: put(d, 7, "cursor", 0, "event"), r"cursor\[0\]: event is 7, expected a word such as mousemove"),
        (lambda d: put(d, 5, "cursor", 1), r"cursor\[1\]: is not an object"),
        (lambda d: put(d, float("nan"), "fixations", 0, "x"), r"fixations\[0\]: x is nan, expected a number"),
        (lambda d: put(d, -90, "fixations", 1, "duration"), r"fixations\[1\]: duration is -90, .* negative"),
        (lambda d: d["fixations"].append(dict(d["fixations"][0])), r"fixations\[4\]: the fixation is there twice"),
        (lambda d: put(d, "wide", "bboxes", "native_ad", 0, "size", "width"), r"native_ad\[0\]: size.width is 'wide'"),
        (lambda d: put(d, -5, "bboxes", "native_ad", 0, "size", "width"), r"native_ad\[0\]: size is -5 x 100"),
        (lambda d: put(d, {}, "bboxes", "native_ad"), r"bboxes.native_ad is missing or not a list"),
        (lambda d: put(d, [], "bboxes"), r"bboxes is not an object"),
        (lambda d: put(d, 0, "win_width"), r"win_width is 0"),
        (lambda d: put(d, "1422", "win_width"), r"win_width is '1422'"),
        (lambda d: d.update(url="", task=""), r"neither url nor task holds a search query"),
        (lambda d: put(d, "../../p.jpg", "screenshot"), r"lies outside the data folder"),
        (lambda d: put(d, None, "screenshot"), r"screenshot is None"),
        (lambda d: put(d, "../x", "trial_id"), r"trial id '../x' is not a plain name"),
        (lambda d: put(d, d["bboxes"].pop("native_ad"), "bboxes", "native_ad\ufeff"), r"key 'native_ad\\ufeff' holds"),
        (lambda d: put(d, 10**400, "cursor", 1, "t"), r"cursor\[1\]: t is 10{50,60}, expected a number"),
    ],
)
def test_bad_trials_are_refused_with_file_and_entry(replay_document, replay_folder, change, message):
    folder = replay_folder()
    change(replay_document)
    (folder / "trials" / "p001-b1-t1.json").unlink()
    (folder / "trials" / "p001-b1-t1.json").write_text(json.dumps(replay_document), encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        ADSERP_PAGE.read(folder, NO_IMAGES, quiet)
    assert "p001-b1-t1.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"trial_id": "p001-b1-t1",\n "cursor": [', r"t0.json: is not valid JSON \(line 2\)"),
        ("", r"t0.json: is not valid JSON \(line 1\)"),
        ("[1, 2]", r"t0.json: is not a trial: expected a JSON object"),
        ('{"fixations": [], "fixations": [1]}', r"t0.json: the key 'fixations' is there twice"),
        ("[" * 100_000, r"t0.json: is not valid JSON"),
    ],
)
def test_malformed_json(replay_folder, text, message):
    with pytest.raises(InputError, match=message):
        ADSERP.read(replay_folder(text), NO_IMAGES, quiet)


@pytest.mark.parametrize(
    ("change", "factor", "message"),
    [
        (["scroll"], 0.001, "cursor: scroll events are 0.017 ms apart"),
        (["scroll"], 1000, "cursor: scroll events are .* ms apart, the last 32408 s after the load"),
        (["mousemove"], 0.001, "cursor: mouse events are .* apart"),
        (["mousemove", "scroll", "click", "fixations"], 1000, "median duration is 2.03e.05, .*looks like microseconds"),
    ],
)
def test_times_of_one_kind_or_of_all_in_another_unit(real_data, tmp_path, change, factor, message):
    """A factor of 1000 on everything leaves all proportions as they were."""
    trial = json.loads((real_data / "replay" / "trials" / "p005-b5-t7.json").read_text())
    for event in trial["cursor"]:
        event["t"] *= factor if event["event"] in change else 1
    for fixation in trial["fixations"] if "fixations" in change else ():
        fixation["t"], fixation["duration"] = fixation["t"] * factor, fixation["duration"] * factor
    (tmp_path / "trials").mkdir()
    (tmp_path / "trials" / "t.json").write_text(json.dumps(trial))
    with pytest.raises(InputError, match=message):
        ADSERP.read(tmp_path, NO_IMAGES, quiet)


def test_a_file_that_is_not_utf8(replay_folder):
    folder = replay_folder()
    (folder / "trials" / "p001-b1-t1.json").write_bytes(b'{"task": "\xff"}')
    with pytest.raises(InputError, match=r"p001-b1-t1.json: is not a UTF-8 text file \(byte 10\)"):
        ADSERP.read(folder, NO_IMAGES, quiet)


def test_a_trial_without_click_is_dropped_with_its_reason(replay_document, replay_folder):
    replay_document["cursor"].pop()
    reading = ADSERP.read(replay_folder(replay_document), NO_IMAGES, quiet)
    assert (reading.sessions, reading.read, reading.dropped) == ([], 1, {"no click": 1})


@pytest.mark.parametrize("content", [None, b"not an image", "truncated"])
def test_a_screenshot_that_is_missing_or_does_not_open(replay_folder, content):
    folder = replay_folder()
    image = folder / "png" / "p001-b1-t1.jpg"
    whole = image.read_bytes()
    image.unlink()
    if content is not None:
        image.write_bytes(whole[: len(whole) // 2] if content == "truncated" else content)
    with pytest.raises(InputError, match=r"png.p001-b1-t1.jpg") as caught:
        ADSERP.read(folder, ReadOptions(), quiet)
    assert "\n" not in str(caught.value)
    assert len(ADSERP.read(folder, NO_IMAGES, quiet).sessions) == 1


@pytest.fixture(scope="module")
def slots(real_data):
    import pandas as pd

    return {key: rows for key, rows in pd.read_parquet(real_data / "replay" / "slots.parquet").groupby("trial_id")}


@pytest.fixture(scope="module")
def page(real_data):
    return ADSERP_PAGE.read(real_data / "replay", OLD, quiet)


def test_version_1_of_the_page_task_reproduces_the_published_slots_exactly(page, slots):
    by_id = {session.session_id: session for session in page.sessions}
    single = {trial: rows for trial, rows in slots.items() if rows.n_clicks.iloc[0] == 1}
    assert len(single) == 78
    for trial, rows in single.items():
        session = by_id[trial]
        assert [slot.kind for slot in session.slots] == rows.kind.tolist(), trial
        assert [slot.box for slot in session.slots] == [
            tuple(box) for box in rows[["x1", "y1", "x2", "y2"]].to_numpy().tolist()
        ], trial
        assert session.gaze_ms.tolist() == rows.dwell_ms.tolist(), trial
        assert session.cursor_ms.tolist() == rows.cursor_dwell_ms.tolist(), trial
        assert [k == session.click for k in range(len(rows))] == rows.clicked.tolist(), trial
        assert session.flags == (), trial


def test_in_version_1_trials_with_several_clicks_are_flagged_and_their_first_click_counts(page, slots):
    several = {trial: rows for trial, rows in slots.items() if rows.n_clicks.iloc[0] > 1}
    kept = [session for session in page.sessions if session.session_id in several]
    assert (len(several), len(kept)) == (16, 15)
    assert page.dropped == {"the click is in no slot and not within 10 px of one": 1}
    for session in kept:
        rows = several[session.session_id]
        assert session.flags == ("several-clicks",)
        assert session.gaze_ms.tolist() == rows.dwell_ms.tolist()
        assert session.cursor_ms.tolist() == rows.cursor_dwell_ms.tolist()
        assert bool(rows.clicked.iloc[session.click])


def test_version_1_of_the_view_task_agrees_with_the_published_last_pause(real_data, slots):
    reading = ADSERP.read(real_data / "replay", OLD, quiet)
    assert (reading.read, len(reading.sessions)) == (94, 93)
    for session in reading.sessions:
        rows = slots[session.session_id]
        trial = read_replay(real_data / "replay" / "trials" / f"{session.session_id}.json", real_data / "replay")
        click = trial.clicks.t[0]
        assert last_pause(trial.scrolls.until(click).t, click) == rows.last_stop_start_ms.iloc[0]
        top = rows.scroll_y_at_click.iloc[0]
        shown = np.minimum(rows.y2, top + 1023) - np.maximum(rows.y1, top)
        kept = ((shown >= (rows.y2 - rows.y1) / 2) | rows.clicked).to_numpy()
        assert kept[rows.visible_at_click.to_numpy() == 0].sum() == 0
        assert [slot.kind for slot in session.slots] == rows.kind[kept].tolist()
        assert session.gaze_ms.tolist() == rows.dwell_laststop_ms[kept].tolist()
        assert session.cursor_ms.tolist() == rows.cursor_laststop_ms[kept].tolist()
        assert session.click == int(np.flatnonzero(rows.clicked[kept])[0])
