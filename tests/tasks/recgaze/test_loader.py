"""The session rule, dwell, the replay of swipes and the texts, on folders small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.definition import Reading, ReadOptions, quiet
from tasks.recgaze import RECGAZE, RECGAZE_VISIBLE
from tasks.recgaze.reader import published_counts_note
from tasks.types import visits
from tests.tasks.recgaze.raw_folder import (
    aoi,
    click,
    cursor,
    event,
    fixation,
    items,
    swipe,
    write_csv,
    write_folder,
)

PLAIN = [fixation("KINIT_1", 1, 1.0, 200, 1, 1), click("KINIT_1", 1, 9.0, 1, 1)]


def read(folder, events, films=None, definition=RECGAZE, **options) -> Reading:
    write_folder(folder, events, films)
    return definition.read(folder, ReadOptions(images=False, **options), quiet)


def only(reading: Reading):
    assert len(reading.sessions) == 1
    return reading.sessions[0]


def slots(**dwell: float) -> list[float]:
    """Fifteen numbers, given by letter."""
    return [dwell.get(letter, 0.0) for letter in "ABCDEFGHIJKLMNO"]


def test_one_session_in_full(tmp_path):
    session = only(
        read(
            tmp_path,
            [
                fixation("KINIT_1", 1, 1.0, 200.5, 1, 1),
                fixation("KINIT_1", 1, 1.5, 100, 3, 5),
                fixation("KINIT_1", 1, 1.7, 50, 1, 1),
                cursor("KINIT_1", 1, 2.0, 0.25, 2, 3),
                click("KINIT_1", 1, 9.0, 2, 3),
            ],
        )
    )
    assert session.session_id == "KINIT_1-1"
    assert (session.user, session.screen, session.click, session.flags) == ("KINIT_1", "1", 7, ())
    assert session.gaze_ms.tolist() == slots(A=250.5, O=100)
    assert session.cursor_ms.tolist() == slots(H=250)
    assert session.profile == "Top_genre: Drama, Preferred_genres: Action, Drama"
    assert [slot.label for slot in session.slots] == list("ABCDEFGHIJKLMNO")
    assert {slot.kind for slot in session.slots} == {"film"}
    assert session.slots[0].text == "t1c1p1 (2001). Action, Thriller"
    assert session.slots[14].text == "t1c3p5 (2005). Comedy, Thriller"
    assert session.image is None


def test_the_published_size_is_the_default_and_the_sample_is_smaller(tmp_path):
    published = only(read(tmp_path, PLAIN)).slots
    sample = only(read(tmp_path, PLAIN, simulated=True)).slots
    chosen = only(read(tmp_path, PLAIN, size=(800, 480))).slots
    assert 600 * 0.8 < published[14].box[3] <= 600 and 900 < published[14].box[2] <= 1100
    assert 288 * 0.8 < sample[14].box[3] <= 288
    assert 480 * 0.8 < chosen[14].box[3] <= 480 < chosen[14].box[2] <= 800


def test_numbers_may_be_written_as_floats_and_empty_fields_as_na_or_nothing(tmp_path):
    rows = [
        fixation("KINIT_1", "1.0", "1", "200.0", "1.0", "4.0") | {"Click_AOI_type": "", "Cursor_Duration": "nan"},
        click("KINIT_1", "1.0", "9", "2.0", "3.0"),
    ]
    session = only(
        read(tmp_path, rows, [[*row[:6], "1.0", "2.0" if row[7] == 2 else row[7], *row[8:]] for row in items()])
    )
    assert session.gaze_ms.tolist() == slots(D=200)
    assert (session.click, session.session_id, session.screen) == (7, "KINIT_1-1.0", "1")


def test_a_task_written_in_two_ways_is_one_session_named_after_its_first_row(tmp_path):
    rows = [fixation("KINIT_1", "01", 1, 200, 1, 1), click("KINIT_1", "1.0", 9, 1, 1), cursor("KINIT_1", 1, 5, 1, 1, 2)]
    reading = read(tmp_path, rows)
    assert reading.read == 1
    assert only(reading).session_id == "KINIT_1-01"
    assert only(reading).cursor_ms.tolist() == slots(B=1000)


def test_one_row_may_carry_several_kinds(tmp_path):
    row = fixation("KINIT_1", 1, 2.0, 80, 1, 2) | aoi("Click", 2, 2) | aoi("Cursor", 3, 3) | {"Cursor_Duration": 0.5}
    session = only(read(tmp_path, [row]))
    assert session.gaze_ms.tolist() == slots(B=80)
    assert session.cursor_ms.tolist() == slots(M=500)
    assert session.click == 6


def test_the_last_click_is_the_latest_not_the_lowest_row(tmp_path):
    rows = [
        click("KINIT_1", 1, 9.0, 3, 4),
        fixation("KINIT_1", 1, 1.0, 200, 1, 1),
        click("KINIT_1", 1, 4.0, 1, 2),
    ]
    session = only(read(tmp_path, rows))
    assert session.click == 13
    assert session.flags == ("several-film-clicks",)


def test_of_clicks_at_one_moment_the_later_row_is_the_last(tmp_path):
    rows = [PLAIN[0], click("KINIT_1", 1, 9.0, 3, 4), click("KINIT_1", 1, 9.0, 2, 1)]
    assert only(read(tmp_path, rows)).click == 5


def test_sessions_are_ordered_by_user_and_task_as_text(tmp_path):
    tasks = (2, 10, 1)
    rows = [row | {"UserID": user, "TaskID": task} for user in ("UvA_2", "KINIT_1") for task in tasks for row in PLAIN]
    ids = [s.session_id for s in read(tmp_path, rows, items(tasks)).sessions]
    assert ids == ["KINIT_1-1", "KINIT_1-10", "KINIT_1-2", "UvA_2-1", "UvA_2-10", "UvA_2-2"]


def test_user_ids_may_differ_in_case_between_the_files(tmp_path):
    rows = [row | {"UserID": "KInIT_1"} for row in PLAIN]
    session = only(read(tmp_path, rows))
    assert (session.user, session.profile[:16]) == ("KInIT_1", "Top_genre: Drama")


def test_what_dwell_leaves_out(tmp_path):
    rows = [
        *PLAIN,
        fixation("KINIT_1", 1, 2.0, 900, 1, 6),  # not among the first five
        fixation("KINIT_1", 1, 3.0, 900, 2, "NA") | {"Fixation_AOI_type": "Genre"},
        event("KINIT_1", 1, 4.0, Fixation_Duration=900, Fixation_AOI_type="Background"),
        fixation("KINIT_1", 1, 5.0, "NA", 1, 3),  # no duration: said in a note
    ]
    reading = read(tmp_path, rows)
    assert only(reading).gaze_ms.tolist() == slots(A=200)
    assert any(note.startswith("fixations on films without a duration: 1 ") for note in reading.notes)


GOOD = fixation("KINIT_1", 1, 1.0, 200, 1, 1)
DROPPED = {
    "a direct search task (TaskID 36 to 40)": [r | {"TaskID": 36} for r in PLAIN],
    "no fixation recorded": [PLAIN[1], cursor("KINIT_1", 1, 2, 1, 1, 1)],
    "a fixation on a carousel below the third": [*PLAIN, fixation("KINIT_1", 1, 2, 100, 4, 1)],
    "no click recorded": [GOOD],
    "the last click is not on a film": [*PLAIN, swipe("KINIT_1", 1, 10, 2)],
    "the last click is on a film without a position": [GOOD, click("KINIT_1", 1, 9, 1, "NA")],
    "no dwell on the first five films of the first three carousels": [
        fixation("KINIT_1", 1, 1, 200, 1, 6),
        fixation("KINIT_1", 1, 2, 0, 1, 1),
        PLAIN[1],
    ],
    "the clicked film is in a carousel below the third": [GOOD, click("KINIT_1", 1, 9, 4, 1)],
}


@pytest.mark.parametrize("reason", DROPPED)
def test_every_reason_to_drop_a_session_is_counted(tmp_path, reason):
    kept = [row | {"UserID": "UvA_2"} for row in PLAIN]
    reading = read(tmp_path, [*DROPPED[reason], *kept])
    assert [s.user for s in reading.sessions] == ["UvA_2"]
    assert (reading.read, reading.dropped) == (2, {reason: 1})


def test_the_first_reason_counts_and_the_sum_is_right(tmp_path):
    rows = [PLAIN[0] | {"TaskID": 38}, PLAIN[0] | {"TaskID": 2}, *PLAIN]
    reading = read(tmp_path, rows)
    assert reading.dropped == {"a direct search task (TaskID 36 to 40)": 1, "no click recorded": 1}
    assert reading.read == len(reading.sessions) + sum(reading.dropped.values()) == 3


@pytest.mark.parametrize("kind", ["Background", "Genre", "Logo"])
def test_a_last_click_beside_the_films_drops_the_session(tmp_path, kind):
    last = event("KINIT_1", 1, 10, Click_AOI_type=kind)
    reading = read(tmp_path, [*PLAIN, last, *[row | {"UserID": "UvA_2"} for row in PLAIN]])
    assert reading.dropped == {"the last click is not on a film": 1}


@pytest.mark.parametrize(
    ("swipes", "first"),
    [
        (["Forward"], 6),
        (["Forward", "Forward"], 11),
        (["Forward"] * 3, 1),
        (["Backward"], 11),
        (["Backward", "Backward"], 6),
        (["Forward", "Backward", "Forward"], 6),
    ],
)
def test_swipes_turn_the_carousel_in_a_circle(tmp_path, swipes, first):
    rows = [*PLAIN[:1], *(swipe("KINIT_1", 1, 2 + i, 2, button) for i, button in enumerate(swipes)), PLAIN[1]]
    session = only(read(tmp_path, rows[::-1]))
    assert [slot.text.split(" ")[0] for slot in session.slots[5:10]] == [f"t1c2p{first + i}" for i in range(5)]
    assert session.slots[0].text.startswith("t1c1p1 ") and session.slots[10].text.startswith("t1c3p1 ")
    assert session.flags == ("swiped",)


SWIPED = [
    fixation("KINIT_1", 1, 1.0, 100, 1, 1),  # leaves the screen
    swipe("KINIT_1", 1, 2.0, 1),
    fixation("KINIT_1", 1, 3.0, 40, 1, 6),  # stands at slot A at the click
    fixation("KINIT_1", 1, 4.0, 30, 2, 2),  # not swiped
    cursor("KINIT_1", 1, 5.0, 0.5, 1, 10),
    cursor("KINIT_1", 1, 5.5, 0.1, 1, 5),
    click("KINIT_1", 1, 6.0, 1, 8),
]


def test_recgaze_counts_the_first_five_films_and_shows_the_swiped_screen(tmp_path):
    session = only(read(tmp_path, SWIPED))
    assert session.gaze_ms.tolist() == slots(A=100, G=30)
    assert session.cursor_ms.tolist() == slots(E=100)
    assert session.click == 2
    assert session.slots[2].text == "t1c1p8 (2008). Action, Thriller"


def test_recgaze_visible_counts_the_films_on_view_at_the_click(tmp_path):
    session = only(read(tmp_path, SWIPED, definition=RECGAZE_VISIBLE))
    assert session.gaze_ms.tolist() == slots(A=40, G=30)
    assert session.cursor_ms.tolist() == slots(E=500)
    assert (session.click, session.flags) == (2, ("swiped",))


def test_recgaze_visible_drops_sessions_whose_visible_films_got_no_dwell(tmp_path):
    rows = [SWIPED[0], SWIPED[1], SWIPED[6], *[row | {"UserID": "UvA_2"} for row in PLAIN]]
    assert len(read(tmp_path, rows).sessions) == 2
    reading = read(tmp_path, rows, definition=RECGAZE_VISIBLE)
    assert reading.dropped == {"no dwell on the films visible at the click": 1}


def test_the_clicked_film_is_on_the_screen_even_if_its_swipe_is_not_on_record(tmp_path):
    rows = [GOOD, fixation("KINIT_1", 1, 2, 70, 1, 12), click("KINIT_1", 1, 9, 1, 12)]
    reading = read(tmp_path, rows, definition=RECGAZE_VISIBLE)
    session = only(reading)
    assert session.slots[session.click].text.startswith("t1c1p12 ")
    assert session.gaze_ms.tolist() == slots(B=70)
    assert session.flags == ("page-mismatch",)
    assert any("than their swipes give: 1 (flag page-mismatch" in note for note in reading.notes)


def test_films_and_profiles_are_worded_without_the_parts_that_are_missing(tmp_path):
    films = items()
    films[0][1:4] = ["None", "", ""]  # a film may be called None
    films[1][2:4] = ["['Action', 'Comedy']", "2003-05-17"]
    write_folder(tmp_path, PLAIN, films, [["KINIT_1", "", "NA", ""]])
    session = only(RECGAZE.read(tmp_path, ReadOptions(images=False), quiet))
    assert session.slots[0].text == "None"
    assert session.slots[1].text == "t1c1p2 (2003). Action, Comedy"
    assert session.profile == ""


def test_real_files_are_held_against_the_published_counts_and_simulated_ones_are_not(tmp_path):
    notes = read(tmp_path, PLAIN).notes
    assert any("differs: 1 sessions (published: 575), 1 users (published: 83)" in note for note in notes)
    assert not any("published" in note for note in read(tmp_path, PLAIN, simulated=True).notes)


def test_the_published_counts_match_when_they_do():
    # 76 users with several sessions and 7 with one: 575 in all.
    users = [f"u{i}" for i in range(76) for _ in range(7)] + [f"s{i}" for i in range(7)]
    users += ["u0"] * (575 - len(users))
    assert published_counts_note(users).endswith(": match")
    assert "differs: 574 sessions" in published_counts_note(users[:-1])


CLICK_HEADER = ["UserID", "TaskID", "Movie_Familiarity", "Why_Selected"]
ACCIDENT, NOTHING = "I selected a movie by accident", "I did not select a movie"


@pytest.mark.parametrize("said", [("I have seen it", ACCIDENT), (NOTHING, NOTHING), (ACCIDENT.upper(), "")])
def test_accidents_are_flagged_and_dropped_where_the_task_is_ours(tmp_path, said):
    second = [row | {"UserID": "UvA_2"} for row in PLAIN]
    rows = [["KINIT_1", "1.0", *said], ["UvA_2", 1, "I have seen it", "Because of the poster"]]
    write_csv(tmp_path / "click_feedback.csv", CLICK_HEADER, rows)
    reading = read(tmp_path, [*PLAIN, *second])
    assert [session.flags for session in reading.sessions] == [("accident",), ()]
    assert any("an accident by the user's word: 1 (flag accident)" in note for note in reading.notes)
    visible = read(tmp_path, [*PLAIN, *second], definition=RECGAZE_VISIBLE)
    assert [session.user for session in visible.sessions] == ["UvA_2"]
    assert visible.dropped == {"by the user's word, nothing was selected or by accident": 1}


def test_accidents_are_not_known_without_the_file(tmp_path):
    assert "selections by accident are not known: there is no click_feedback.csv" in read(tmp_path, PLAIN).notes


def test_fixations_come_in_time_order_with_those_on_no_slot(tmp_path):
    events = [
        event("KINIT_1", 1, 0.5, Fixation_AOI_type="Background", Fixation_Duration=70),
        fixation("KINIT_1", 1, 4.0, 30, 1, 7),  # on a page that was not shown at first: no slot
        fixation("KINIT_1", 1, 3.0, 0.1, 2, 3),
        fixation("KINIT_1", 1, 2.0, 0.2, 2, 3),
        fixation("KINIT_1", 1, 1.0, 200, 1, 1),
        fixation("KINIT_1", 1, "", 60, 1, 1),
        fixation("KINIT_1", 1, 5.0, 0.6, 2, 3),
        fixation("KINIT_1", 1, 6.0, 110, 1, 1),
        fixation("KINIT_1", 1, 7.0, 110, 1, 2),
        click("KINIT_1", 1, 9.0, 1, 1),
    ]
    session = only(read(tmp_path, events))
    assert [(f.slot, f.start_ms) for f in session.fixations] == [
        *((-1, 0), (0, 500), (7, 1500), (7, 2500), (-1, 3500), (7, 4500), (0, 5500), (1, 6500)),
        (0, 8500),  # without a time: last
    ]
    assert [visit.slot for visit in visits(session)] == [0, 7, 0, 1, 0]
    assert sum(visit.ms for visit in visits(session) if visit.slot == 7) == session.gaze_ms[7] == 0.1 + 0.2 + 0.6


def test_screens_are_drawn_once_per_state_and_posters_are_named_in_a_note(tmp_path):
    work, posters, raw = tmp_path / "work", tmp_path / "posters", tmp_path / "raw"
    for folder in (work, posters, raw):
        folder.mkdir()
    from PIL import Image

    Image.new("RGB", (342, 193), (10, 200, 30)).save(posters / "poster3.jpg")
    Image.new("RGB", (342, 193)).save(posters / "poster4.jpg")
    second = [row | {"UserID": "UvA_2"} for row in PLAIN]
    swiped = [row | {"UserID": "UvA_2", "TaskID": 2} for row in SWIPED]
    write_folder(raw, [*PLAIN, *second, *swiped], items((1, 2)))
    options = ReadOptions(size=(480, 288), work=work, posters=posters, workers=1)
    reading = RECGAZE.read(raw, options, quiet)
    paths = [session.image.path for session in reading.sessions]
    assert paths[0] == paths[1] != paths[2]
    assert len(list(work.iterdir())) == 2
    image = reading.sessions[0].image.open()
    assert image.size == (480, 288)
    x0, y0, x1, y1 = reading.sessions[0].slots[2].box  # position 3
    np.testing.assert_allclose(image.getpixel((int((x0 + x1) / 2), int((y0 + y1) / 2))), (10, 200, 30), atol=8)
    # task 1: films 1-5 of three carousels; task 2 adds films 6-10 of its first: ten names, two of them files.
    assert "posters: 2 of 10 shown poster files found, the other posters drawn by this project" in reading.notes
    assert reading.notes[-2:] == ["black posters: 1 (poster4.jpg)", "single-coloured posters: 1 (poster3.jpg)"]


def test_detect(tmp_path):
    assert RECGAZE.detect(tmp_path) is None
    write_folder(tmp_path, PLAIN)
    assert RECGAZE.detect(tmp_path) == RECGAZE_VISIBLE.detect(tmp_path) == "raw"
