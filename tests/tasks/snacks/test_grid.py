"""Layout ``grid`` on folders written by hand in the published format, with its oddities."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError
from tasks.prepare import check, prepare
from tasks.snacks import SNACKS
from tasks.task import open_folder

GAZES = "subject,setsize,trial,item,dur,onset,stimulus,gaze_num,is_returning,item_value,choice"
POSITIONS = "x_left,y_top,x_right,y_lower"
NINE = [f"{100 + 400 * c},{100 + 300 * r},{304.8 + 400 * c},{233.12 + 300 * r}" for r in range(3) for c in range(3)]
VALUES = [0, 2, -2, 0, 1, -1, 2, 0, 3]


def summary_row(subject=0, trial=2, choice=8, stimuli=range(9), values=VALUES, size=9):
    items = [
        field for stimulus, value in zip(stimuli, values, strict=True) for field in (f"{value}.0", f"nr{stimulus}.png")
    ]
    return ",".join(map(str, [size, subject, trial, 2500.5, choice, *items]))


def gaze_rows(*looks, subject=0, trial=2, choice=8, size=9):
    """Rows of (item, onset, duration)."""
    return [
        f"{subject},{size},{trial},{item},{ms},{onset},nr{item}.png,{n}.0,0.0,{VALUES[item]}.0,{choice}"
        for n, (item, onset, ms) in enumerate(looks, start=1)
    ]


LOOKS = ((4, 76.0, 300.0), (1, 400.0, 200.5), (8, 700.0, 250.0), (4, 1000.0, 100.0), (8, 1200.0, 400.0))


@pytest.fixture
def folder(tmp_path):
    """Write a folder of the repository; a keyword replaces a table's rows."""

    def write(gazes=None, summary=None, positions=NINE, names=("9_data", "0_9_fixations", "9_stimulus_positions")):
        items = [f"{column}_{i}" for i in range(9) for column in ("item_value", "stimulus")]
        tables = {
            f"summary_files/{names[0]}.csv": [
                ",".join(["setsize,subject,trial,rt,choice", *items]),
                *(summary or [summary_row()]),
            ],
            f"subject_files/{names[1]}.csv": [GAZES, *(gaze_rows(*LOOKS) if gazes is None else gazes)],
            f"stimulus_positions/{names[2]}.csv": [POSITIONS, *positions],
            # As published: the column holds another number than the file's name, and is not read.
            "subject_files/0_likingRatings.csv": ["subject,trial,rt,stimulus,rating", "4,1,500.1,nr0.png,9"],
        }
        root = tmp_path / "many-item-choice"
        shutil.rmtree(root, ignore_errors=True)
        for name, lines in tables.items():
            (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "data" / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        (root / "data" / "stimuli").mkdir()
        for item, colour in ((0, "red"), (8, "blue")):
            Image.new("RGB", (205, 133), colour).save(root / "data" / "stimuli" / f"nr{item}.png")
        return root

    return write


def read(folder):
    return SNACKS.read(folder, ReadOptions(images=False), quiet)


def test_one_session_in_full(folder):
    reading = read(folder())
    [session] = reading.sessions
    assert (session.session_id, session.user, session.screen, session.click) == ("0-9-2", "0", "0-9-2", 8)
    # The first gaze is on the item in the middle, where the cross was; the later one counts.
    assert session.gaze_ms.tolist() == [0, 200.5, 0, 0, 100, 0, 0, 0, 650]
    assert [tuple(f) for f in session.fixations] == [(1, 400, 200.5), (8, 700, 250), (4, 1000, 100), (8, 1200, 400)]
    assert "first gazes on the item in the middle, where the cross was, left out: 1" in reading.notes
    assert [slot.label for slot in session.slots] == list("123456789")
    assert [slot.rating for slot in session.slots] == VALUES and session.slots[8].text == "nr8"
    assert session.slots[0].box == (50, 50, 151, 116)  # half of 100..304.8 x 100..233.12, edges included
    best = "nr8 (3), nr1 (2), nr6 (2), nr4 (1), nr0 (0), nr3 (0), nr7 (0), nr5 (-1), nr2 (-2)"
    assert session.profile == f"Own ratings of the snacks shown, best to worst: {best}"
    assert not session.cursor_ms.any() and session.flags == ()
    assert any("8c28ff4e, not tested on the whole repository" in note for note in reading.notes)


def test_files_are_known_by_their_columns_and_the_folder_of_data_will_do(folder):
    first = read(folder()).sessions[0]
    renamed = folder(names=("setsize-9_desc-data", "sub-0_setsize-9_desc-gazes", "setsize-9_desc-stimulus_positions"))
    for path in (renamed, renamed / "data"):
        assert SNACKS.detect(path) == "grid"
        again = read(path).sessions[0]
        assert (again.slots, again.fixations) == (first.slots, first.fixations)
    assert SNACKS.detect(renamed / "data" / "stimuli") is None


def test_trials_are_dropped_with_a_reason_and_ordered_by_number(folder):
    kept = [summary_row(subject=s, trial=t) for s, t in ((10, 2), (2, 10), (2, 9))]
    rows = [row for s, t in ((10, 2), (2, 10), (2, 9)) for row in gaze_rows(*LOOKS, subject=s, trial=t)]
    dropped = [
        summary_row(trial=3),
        summary_row(trial=4, choice="NA"),
        summary_row(trial=5, choice=9),
        summary_row(trial=6),
    ]
    rows += gaze_rows(*LOOKS, trial=4, choice="") + gaze_rows(*LOOKS, trial=5, choice=9) + gaze_rows(LOOKS[0], trial=6)
    reading = read(folder(rows + gaze_rows(*LOOKS, trial=99), kept + dropped))
    assert [s.session_id for s in reading.sessions] == ["2-9-9", "2-9-10", "10-9-2"]
    outside = "the choice is not one of the items"
    assert reading.dropped == {"no gaze recorded": 1, outside: 2, "no gaze on an item": 1}
    assert reading.read == 7 and "gazes of trials that no summary has, left out: 5" in reading.notes


def test_missing_times_items_shown_twice_and_missing_ratings(folder):
    rows = gaze_rows(*LOOKS[1:])
    rows[0] = rows[0].replace("200.5", "")
    rows.append("0,9,2,,120.0,2000.0,,9.0,0.0,,8")  # a look at no item
    values = ["NA" if i == 8 else value for i, value in enumerate(VALUES)]
    reading = read(folder(rows, [summary_row(stimuli=[8, *range(1, 9)], values=values).replace("NA.0", "NA")]))
    [session] = reading.sessions
    assert session.gaze_ms.tolist() == [0, 0, 0, 0, 100, 0, 0, 0, 650] and session.fixations[-1].slot == -1
    assert session.flags == ("item-repeated",) and session.slots[8].rating is None
    assert session.profile.endswith("nr2 (-2)") and session.profile.count("nr8") == 1
    assert "gazes without onset or duration, left out: 1" in reading.notes
    assert "sessions that show a snack twice (flag item-repeated): 1" in reading.notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gazes": gaze_rows(*LOOKS, LOOKS[1])}, "trial 9-2 of subject 0: a gaze is there twice"),
        ({"gazes": gaze_rows((1, -5.0, 100.0))}, "a time is negative"),
        ({"gazes": gaze_rows(*((i, o / 1e3, ms / 1e3) for i, o, ms in LOOKS))}, "dur looks like seconds instead"),
        (
            {"gazes": gaze_rows(*LOOKS, choice=1)},
            "fixations.csv row 2: choice or stimulus is not that of .*9_data.csv row 2",
        ),
        ({"gazes": [row.replace("nr1.", "nr3.") for row in gaze_rows(*LOOKS)]}, "row 3: choice or stimulus is not"),
        ({"gazes": [gaze_rows(*LOOKS)[0].replace("300.0", "long")]}, "row 2: dur is 'long', expected a number"),
        ({"gazes": ["0,9,2,1"]}, "row 2 has 4 fields, the header has 11"),
        ({"summary": [summary_row(), summary_row()]}, "row 3 repeats trial 9-2 of subject 0 .*row 2"),
        ({"summary": [summary_row(size=16)]}, "row 2: there are no positions of 16 items"),
        ({"summary": [summary_row(subject="")]}, "row 2: subject is empty"),
        ({"summary": [summary_row().replace("nr3.png", "")]}, "row 2 has an item without a stimulus"),
        ({"positions": ["1200,0,1300,100"]}, "row 2 is not a box on a screen of 1280 x 1024"),
        ({"summary": [summary_row(), summary_row(subject="a"), summary_row(subject="A")]}, "are one person"),
    ],
)
def test_bad_tables_are_refused_in_one_line(folder, change, message):
    with pytest.raises(InputError, match=message) as caught:
        read(folder(**change))
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_table(folder):
    root = folder()
    shutil.rmtree(root / "data" / "summary_files")
    assert SNACKS.detect(root) == "grid"
    with pytest.raises(InputError, match="many-item-choice has no table of summary. Give the repository's folder"):
        read(root)


def test_check_lists_everything_at_once(folder):
    bad = gaze_rows(*LOOKS[1:], trial=7, choice=1)
    root = folder([*gaze_rows(*LOOKS), *bad], [summary_row(), summary_row(trial=7), summary_row(size=4)])
    (root / "data" / "stimuli" / "nr0.png").write_bytes(b"no")
    found = check(SNACKS, root)
    assert found.kept == 2 and len(found.refused) == 1 + len(bad) + 1
    assert "nr0.png does not open" in found.refused[-1]


def test_screens_show_the_pictures_at_their_places_with_numbers_and_names(folder, tmp_path):
    prepare(SNACKS, folder(), tmp_path / "out", ReadOptions(workers=1))
    task = open_folder(SNACKS, tmp_path / "out")
    session = task.session(0)
    assert [slot.rating for slot in session.slots] == VALUES
    screen = np.asarray(session.image.open()).astype(int)
    assert screen.shape == (512, 640, 3)

    def middle(slot):
        x0, y0, x1, y1 = session.slots[slot].box
        return screen[round((y0 + y1) / 2), round((x0 + x1) / 2)]

    assert np.abs(middle(0) - (254, 0, 0)).max() < 6 and np.abs(middle(8) - (0, 0, 254)).max() < 6
    assert middle(4).min() < 250  # no file: a tile
    for x0, y0, x1, y1 in SNACKS.labels.areas((640, 512), session.slots):
        plate = screen[y0:y1, x0:x1].reshape(-1, 3)
        assert (np.abs(plate - (176, 0, 96)).max(axis=1) < 60).mean() > 0.3
    assert "pictures: 2 of 9" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
