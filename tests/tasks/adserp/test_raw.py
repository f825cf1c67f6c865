from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tasks.adserp.raw import raw_trials, read_raw
from tasks.adserp.reader import read
from tasks.adserp.replay import read_replay
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError

RESULTS = [(162.0, 300.0, 748.0, 400.0), (162.0, 450.0, 748.0, 550.0)]


def find(image, ads):
    """Stand in for the finder of organic results; it must be handed the page and the ads in page order."""
    assert image.size == (1280, 2000)
    assert list(ads) == [(162, 150, 702, 250), (802, 100, 1023, 500)]
    return list(RESULTS)


def read_folder(folder, whole_page=True, truth=1):
    return read(folder, ReadOptions(images=False, truth=truth), quiet, whole_page=whole_page, find=find)


def test_in_version_2_the_window_ends_at_the_release(raw_folder):
    (session,) = read_folder(raw_folder, truth=2).sessions
    # without a release, the push at 1490 is the press
    assert session.gaze_ms.tolist() == [250, 400, 0, 80]
    assert session.flags == ("press-estimated",)
    edit(raw_folder, MOUSE, "1001490,400,680.0,mousedown", "1001000,400,680.0,mouseup")
    (session,) = read_folder(raw_folder, truth=2).sessions
    assert session.gaze_ms.tolist() == [250, 200, 0, 0]
    assert session.cursor_ms.tolist() == [800, 100, 0, 0]
    assert (session.click, session.flags) == (1, ())


def test_a_trial_by_hand(raw_folder):
    (session,) = read_folder(raw_folder).sessions
    assert (session.session_id, session.user, session.screen) == ("p001-b1-t1", "p001", "buy tea kettle")
    assert [slot.kind for slot in session.slots] == ["native_ad", "organic_result", "organic_result", "dd_right"]
    assert session.gaze_ms.tolist() == [250, 400, 0, 90]
    assert session.cursor_ms.tolist() == [800, 600, 0, 0]
    assert session.click == 1


def test_both_layouts_of_one_trial_give_the_same_session(raw_folder, replay_folder):
    folder = replay_folder()
    for whole_page in (True, False):
        (raw,) = read_folder(raw_folder, whole_page).sessions
        (replay,) = read(folder, ReadOptions(images=False, truth=1), quiet, whole_page=whole_page).sessions
        assert raw.slots == replay.slots
        assert raw.gaze_ms.tolist() == replay.gaze_ms.tolist()
        assert raw.cursor_ms.tolist() == replay.cursor_ms.tolist()
        assert (raw.click, raw.profile, raw.flags) == (replay.click, replay.profile, replay.flags)


def test_x_and_y_are_scaled_and_the_window_gives_the_viewport(raw_folder):
    trial = read_raw("p001-b1-t1", raw_folder, find)
    assert (trial.clicks.x[0], trial.clicks.y[0], trial.scrolls.y[0]) == (200, 340, 10)
    assert trial.viewport == (1280, 1023)
    assert trial.cursor.t.tolist() == [100, 900, 1500]


def edit(folder, name, old, new):
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


FIXATIONS = "fixation-data/p001-b1-t1.csv"
MOUSE = "mouse-movement-data/p001-b1-t1.csv"
ADS = "ad-boundary-data/p001-b1-t1.json"
META = "trial-metadata/p001-b1-t1.xml"
BOMB = '<!DOCTYPE data [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>\n<data>'


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (FIXATIONS, "FPOGD", "DURATION", r"missing column FPOGD. Found: timestamp, FPOGX, FPOGY, DURATION"),
        (MOUSE, "event,", "kind,", r"missing column event"),
        (FIXATIONS, "1001200,200,340,400", "1001200,200,340,long", r"row 3: FPOGD is 'long', expected a number"),
        (FIXATIONS, "1001200,200,340,400", "1001200,,340,400", r"row 3: FPOGX is '', expected a number"),
        (FIXATIONS, "1001200,200,340,400", "1001200,2_00,340,400", r"row 3: FPOGX is '2_00', expected a number"),
        (FIXATIONS, "1001200,200,340,400", "1001200,inf,340,400", r"row 3: FPOGX is 'inf', expected a number"),
        (FIXATIONS, "1001200,200,340,400", "1001200,200,340,-400", r"row 3: FPOGD is -400, .* cannot be negative"),
        (FIXATIONS, "1001500,900", "1001200,200,340,400\n1001500,900", r"row 4: the fixation is there twice"),
        (FIXATIONS, "1001200,200,340,400", "1001200,200", r"row 3 has 2 fields, expected 4"),
        (MOUSE, "1000900,400,680.0", "1000900,left,680.0", r"row 6: xpos is 'left', expected a number"),
        (ADS, "[", "", r"is not valid JSON \(line 1\)"),
        (ADS, '"dd_top": [], ', "", r"dd_top is missing or not a list of boxes"),
        (MOUSE, ",click,", ",cl\u3000ick,", r"row 8: event is 'cl\\u3000ick', expected a word such as mousemove"),
        (META, "</data>", "", r"line 7 is not valid XML"),
        (META, "<window>", "<window>1x1</window><window>", r"line 4: window is there twice"),
        (META, "<data>", BOMB, r"holds a DOCTYPE"),
        (META, "2560x2046", "wide", r"window is 'wide', expected a size such as 1422x1137"),
        (META, "page.php?q=buy-tea-kettle", "page.php?z=", None),
    ],
)
def test_bad_files_are_refused_with_file_and_row(raw_folder, name, old, new, message):
    edit(raw_folder, name, old, new)
    if message is None:  # the task still holds the query
        assert read_folder(raw_folder).sessions[0].screen == "buy tea kettle"
        edit(raw_folder, name, "batch_1_trial_1 | buy-tea-kettle", " ")
        message = "neither url nor task holds a search query"
    with pytest.raises(InputError, match=message) as caught:
        read_folder(raw_folder)
    assert name.rpartition("/")[2] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [FIXATIONS, MOUSE, ADS, META, "full-page-screenshots/p001-b1-t1.png"])
def test_a_missing_file_of_a_trial_is_named(raw_folder, name):
    (raw_folder / name).unlink()
    with pytest.raises(InputError, match=f"{name}: is missing, though trial p001-b1-t1 has other files"):
        read_folder(raw_folder)


def test_an_empty_file_has_no_columns(raw_folder):
    (raw_folder / MOUSE).write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="missing column timestamp, xpos, ypos, event. Found: nothing"):
        read_folder(raw_folder)


def test_a_screenshot_that_does_not_open(raw_folder):
    (raw_folder / "full-page-screenshots" / "p001-b1-t1.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with pytest.raises(InputError, match="p001-b1-t1.png does not open"):
        read_folder(raw_folder)


def test_a_missing_folder_is_named(raw_folder):
    for path in (raw_folder / "trial-metadata").iterdir():
        path.unlink()
    (raw_folder / "trial-metadata").rmdir()
    with pytest.raises(InputError, match="missing the folder trial-metadata of the raw layout"):
        read_folder(raw_folder)


def test_a_trial_without_click_is_dropped_with_its_reason(raw_folder):
    edit(raw_folder, MOUSE, ",click,", ",mouseup,")
    reading = read_folder(raw_folder)
    assert (reading.sessions, reading.dropped) == ([], {"no click": 1})
    (raw_folder / MOUSE).write_text("timestamp,xpos,ypos,event,xpath\n", encoding="utf-8")
    assert read_folder(raw_folder).dropped == {"no click": 1}


def test_a_page_in_which_nothing_can_be_found_says_why(raw_folder):
    edit(raw_folder, MOUSE, "400,680.0,click", "400,3000.0,click")
    reason = "the click is in no slot and not within 10 px of one, blank screenshot"
    assert read_folder(raw_folder).dropped == {reason: 1}


def test_a_trial_without_fixations_is_dropped_with_its_reason(raw_folder):
    (raw_folder / FIXATIONS).write_text("timestamp,FPOGX,FPOGY,FPOGD\n", encoding="utf-8")
    assert read_folder(raw_folder).dropped == {"no gaze on the slots": 1}


@pytest.fixture
def recorded(real_data, tmp_path):
    """A folder with one recorded trial of the raw layout."""

    def copy(trial):
        for path in (real_data / "raw").glob(f"*/{trial}.*"):
            (tmp_path / "one" / path.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, tmp_path / "one" / path.parent.name / path.name)
        return tmp_path / "one"

    return copy


CASES = Path(__file__).parents[3] / ".." / "shared" / "cases"


@pytest.mark.parametrize("case", ["one-quote", "two-quotes"])
def test_a_stray_quote_swallows_no_rows(recorded, case):
    folder = recorded("p004-b1-t3")
    shutil.copyfile(CASES / "10" / f"{case}.csv", folder / "mouse-movement-data" / "p004-b1-t3.csv")
    with pytest.raises(InputError, match=r"p004-b1-t3.csv: row 11 is not valid CSV .* Correct its quotes"):
        read(folder, ReadOptions(images=False), quiet)


def test_a_clock_as_a_spreadsheet_saves_it(recorded):
    folder = recorded("p014-b4-t5")
    for name, file in (("fixation-data", "fixations"), ("mouse-movement-data", "mouse")):
        shutil.copyfile(CASES / "11" / f"{file}.csv", folder / name / "p014-b4-t5.csv")
    with pytest.raises(InputError, match="share their timestamps, of which 1 differ: the clock lost its") as caught:
        read(folder, ReadOptions(images=False), quiet)
    assert "fixation-data/p014-b4-t5.csv" in str(caught.value) and "mouse-movement-data/p014" in str(caught.value)


def test_equal_boxes_are_one_slot(recorded):
    folder = recorded("p014-b4-t5")
    before = read(folder, ReadOptions(images=False), quiet, whole_page=True)
    path = folder / "ad-boundary-data" / "p014-b4-t5.json"
    ads = json.loads(path.read_text())
    path.write_text(json.dumps({kind: [*boxes, *boxes] for kind, boxes in ads.items()}))
    after = read(folder, ReadOptions(images=False), quiet, whole_page=True)
    assert after.sessions[0].slots == before.sessions[0].slots
    assert "repeated boxes, left out: in 1 trial (p014-b4-t5)" in after.notes


def rescaled(folder, name, column, factor):
    """Multiply a column of a recorded file."""
    path = folder / name / "p014-b4-t5.csv"
    header, *lines = path.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[column] = repr(float(row[column]) * factor)
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")


@pytest.mark.parametrize(
    ("name", "column", "factor", "message"),
    [
        ("fixation-data", 3, 0.001, "the median duration is 0.*looks like seconds"),
        ("fixation-data", 3, 1000, "s in all, in .* looks like microseconds"),
        ("fixation-data", 0, 0.001, "timestamp looks like seconds"),
        ("fixation-data", 0, 1000, "timestamp looks like microseconds"),
        ("mouse-movement-data", 0, 0.001, "mouse events are 0.017 ms apart.*in another unit"),
        ("mouse-movement-data", 0, 1000, "one clock is in another unit"),
        ("mouse-movement-data", 0, 1e-5, "mouse events share their timestamps"),
    ],
)
def test_times_in_another_unit(recorded, name, column, factor, message):
    folder = recorded("p014-b4-t5")
    if factor == 1e-5:  # a clock in steps of 100 s
        for step in (1e-5, 1e5):
            rescaled(folder, name, column, step)
            path = folder / name / "p014-b4-t5.csv"
            header, *lines = path.read_text().splitlines()
            rows = [line.split(",") for line in lines]
            path.write_text("\n".join([header, *(",".join([str(int(float(t))), *rest]) for t, *rest in rows)]) + "\n")
    else:
        rescaled(folder, name, column, factor)
    with pytest.raises(InputError, match=message) as caught:
        read(folder, ReadOptions(images=False), quiet)
    assert name in str(caught.value)


def test_raw_and_replay_agree_on_the_trial_that_both_hold(real_data):
    raw = read_raw("p007-b3-t8", real_data / "raw", lambda image, ads: [])
    replay = read_replay(real_data / "replay" / "trials" / "p007-b3-t8.json", real_data / "replay")
    for name in ("end", "x", "y", "duration"):
        assert getattr(raw.fixations, name).tolist() == getattr(replay.fixations, name).tolist()
    for part in ("cursor", "scrolls", "clicks"):
        ours, theirs = getattr(raw, part), getattr(replay, part)
        assert ours.t.tolist() == theirs.t.tolist()
        assert np.abs(ours.x - theirs.x).max() <= 0.51  # the replay layout rounds x to whole pixels
        assert np.abs(ours.y - theirs.y).max() < 1280 / 1422  # and cuts scroll positions to whole CSS pixels
    assert raw.clicks.y.tolist() == replay.clicks.y.tolist()
    assert list(raw.areas) == [area for area in replay.areas if area.kind != "organic_result"]
    assert (raw.query, raw.user, raw.viewport) == (replay.query, replay.user, replay.viewport)


def test_the_recorded_trials_of_the_raw_layout_are_read_whole(real_data):
    pytest.importorskip("tasks.adserp.organic")
    assert len(raw_trials(real_data / "raw")) == 7
    for whole_page in (True, False):
        reading = read(real_data / "raw", ReadOptions(images=False), quiet, whole_page=whole_page)
        clicked = {session.session_id: session.slots[session.click].kind for session in reading.sessions}
        assert (reading.read, len(clicked), reading.dropped) == (7, 7, {})
        assert clicked.pop("p007-b3-t8") == "native_ad"  # its page element is in #tads, the others' in #rso
        assert set(clicked.values()) == {"organic_result"}
