"""Folders that cannot be used: one line each, naming the file, the row and what to do."""

from __future__ import annotations

import re

import pytest

from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError
from tasks.recgaze import RECGAZE
from tests.tasks.recgaze.raw_folder import (
    HEADER,
    ITEM_HEADER,
    USER_HEADER,
    USERS,
    click,
    cursor,
    event,
    fixation,
    items,
    write_csv,
    write_folder,
)

PLAIN = [fixation("KINIT_1", 1, 1.0, 200, 1, 1), cursor("UvA_2", 1, 2, 0.5, 1, 1), click("KINIT_1", 1, 9.0, 1, 1)]


def refused(folder, *words: str, **options) -> str:
    """The message of the refusal, which must hold every one of ``words``."""
    with pytest.raises(InputError) as caught:
        RECGAZE.read(folder, ReadOptions(images=False, **options), quiet)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message
    return message


def test_the_plain_folder_is_read(tmp_path):
    assert len(RECGAZE.read(write_folder(tmp_path, PLAIN), ReadOptions(images=False), quiet).sessions) == 1


def test_a_folder_with_something_else(tmp_path):
    refused(tmp_path / "nowhere", "nowhere lacks summary_feedback.csv, item_features.csv, user_features.csv")


@pytest.mark.parametrize("name", ["item_features.csv", "user_features.csv"])
def test_a_missing_table(tmp_path, name):
    write_folder(tmp_path, PLAIN)
    (tmp_path / name).unlink()
    refused(tmp_path, f"lacks {name}")


@pytest.mark.parametrize("name", ["summary_feedback.csv", "item_features.csv", "user_features.csv"])
def test_an_empty_file(tmp_path, name):
    write_folder(tmp_path, PLAIN)
    (tmp_path / name).write_text("")
    refused(tmp_path, name, "is empty")


def test_events_without_a_row(tmp_path):
    refused(write_folder(tmp_path, []), "summary_feedback.csv", "no events")


def test_a_poster_folder_that_is_not_there(tmp_path):
    refused(write_folder(tmp_path, PLAIN), "poster folder", posters=tmp_path / "posters")


@pytest.mark.parametrize(
    ("name", "header", "lost"),
    [
        ("summary_feedback.csv", HEADER, ("Timestamp", "Cursor_Duration")),
        ("item_features.csv", ITEM_HEADER, ("TMDB_title", "Carousel_genre")),
        ("user_features.csv", USER_HEADER, ("Top_genre", "UserID")),
    ],
)
def test_missing_columns_are_all_named(tmp_path, name, header, lost):
    write_folder(tmp_path, PLAIN)
    write_csv(tmp_path / name, [column for column in header if column not in lost], [])
    refused(tmp_path, name, "row 1", "lacks the columns", *lost)


def test_a_column_that_occurs_twice(tmp_path):
    write_folder(tmp_path, PLAIN)
    path = tmp_path / "summary_feedback.csv"
    path.write_text(path.read_text().replace("SubjectID", "TaskID", 1))
    refused(tmp_path, "column TaskID twice")


EVENT_FIELDS = [
    ("Fixation_Duration", "long", ("is 'long'", "expected a number")),
    ("Fixation_Duration", "1_000", ("is '1_000'", "expected a number")),
    ("Cursor_Duration", "  ", ("is ' '", "expected a number")),
    ("TaskID", "1_0", ("is '1_0'", "whole number 1..40")),
    ("Timestamp", "1,5", ("is '1,5'", "expected a number")),
    ("Click_AOI_Carousel_position", "second", ("is 'second'", "expected a number")),
    ("Fixation_Duration", "-20", ("is '-20'", "no negative duration")),
    ("Cursor_Duration", "-0.5", ("is '-0.5'", "no negative duration")),
    ("Cursor_Duration", "inf", ("is 'inf'", "finite")),
    ("Timestamp", "-inf", ("is '-inf'", "finite")),
    ("Fixation_AOI_Carousel_position", "11", ("is '11'", "whole number 1..10")),
    ("Fixation_AOI_Carousel_position", "1.5", ("is '1.5'", "whole number 1..10")),
    ("Click_AOI_Movie_position_in_carousel", "0", ("is '0'", "whole number 1..15")),
    ("Cursor_AOI_Movie_position_in_carousel", "-3", ("is '-3'", "whole number 1..15")),
    ("Cursor_AOI_Movie_position_in_carousel", "1e9", ("is '1e+09'", "whole number 1..15")),
    ("TaskID", "first", ("is 'first'", "whole number 1..40")),
    ("TaskID", "41", ("is '41'", "whole number 1..40")),
    ("TaskID", "NA", ("is empty", "a value in every row")),
    ("UserID", "", ("is empty", "a value in every row")),
]


@pytest.mark.parametrize(("name", "text", "words"), EVENT_FIELDS)
def test_a_field_of_an_event_that_cannot_be_used(tmp_path, name, text, words):
    rows = [dict(row) for row in [*PLAIN, *PLAIN]]
    for i, row in enumerate(rows):
        row["StimulusID"] = f"v{i}.mp4"
    rows[4][name] = text
    refused(write_folder(tmp_path, rows), "summary_feedback.csv row 6", name, *words)


def test_the_row_is_the_line_of_the_file_even_after_blank_lines(tmp_path):
    write_folder(tmp_path, PLAIN)
    path = tmp_path / "summary_feedback.csv"
    header, first, second, third = path.read_text().splitlines()
    path.write_text("\n".join([header, "", first, second, "", third.replace("9.0", "nine"), ""]))
    refused(tmp_path, "row 6", "'nine'")
    path.write_text("\n".join([header, "", first, second, "", third.replace("9.0", "inf"), ""]))
    refused(tmp_path, "row 6", "'inf'")
    path.write_text("\n".join([header, "", first, second, "", third, ""]))
    assert len(RECGAZE.read(tmp_path, ReadOptions(images=False), quiet).sessions) == 1


def test_a_click_without_a_time(tmp_path):
    rows = [*PLAIN, click("KINIT_1", 1, "NA", 1, 2)]
    refused(write_folder(tmp_path, rows), "summary_feedback.csv row 5", "Timestamp is empty", "time of the click")


def test_a_fixation_without_a_time_is_no_reason_to_refuse(tmp_path):
    rows = [*PLAIN, fixation("KINIT_1", 1, "", 50, 1, 2)]
    session = RECGAZE.read(write_folder(tmp_path, rows), ReadOptions(images=False), quiet).sessions[0]
    assert session.gaze_ms[:2].tolist() == [200, 50]


def test_a_repeated_event(tmp_path):
    rows = [*PLAIN, PLAIN[0], fixation("KINIT_1", 1, 8, 10, 1, 1)]
    refused(write_folder(tmp_path, rows), "summary_feedback.csv row 5", "repeats row 2")


def test_a_repeated_event_among_others_of_the_same_time_in_a_file_in_order(tmp_path):
    first, other = fixation("KINIT_1", 1, 5, 10, 1, 1), fixation("KINIT_1", 1, 5, 10, 1, 2)
    rows = [fixation("KINIT_1", 1, 1, 10, 1, 1), first, other, first, click("KINIT_1", 1, 9, 1, 1)]
    refused(write_folder(tmp_path, rows), "summary_feedback.csv row 5", "repeats row 3")


def test_rows_that_differ_only_in_a_column_that_is_not_read_are_not_repeated(tmp_path):
    rows = [*PLAIN, PLAIN[0] | {"StimulusID": "other.mp4"}]
    session = RECGAZE.read(write_folder(tmp_path, rows), ReadOptions(images=False), quiet).sessions[0]
    assert session.gaze_ms[0] == 400


def test_a_row_with_too_few_fields(tmp_path):
    write_folder(tmp_path, PLAIN)
    path = tmp_path / "summary_feedback.csv"
    lines = path.read_text().splitlines()
    lines[2] = "UvA_2,7,1"
    path.write_text("\n".join(lines))
    refused(tmp_path, "summary_feedback.csv row 3", f"has 3 fields, the header has {len(HEADER)}")


@pytest.mark.parametrize("name", ["summary_feedback.csv", "item_features.csv", "user_features.csv"])
def test_a_file_that_is_not_utf_8(tmp_path, name):
    write_folder(tmp_path, PLAIN, users=[*USERS, ["UvA_3", "x", "x", "x"]])
    path = tmp_path / name
    # Into a text that is read: a user, a genre, a title.
    path.write_bytes(path.read_bytes().replace(b"UvA_2", b"UvA_\xe9").replace(b"t1c1p1", b"caf\xe9"))
    refused(tmp_path, name, "UTF-8")


def test_a_byte_order_mark_is_accepted(tmp_path):
    write_folder(tmp_path, PLAIN)
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(RECGAZE.read(tmp_path, ReadOptions(images=False), quiet).sessions) == 1


def test_a_user_of_the_events_without_a_row_of_features(tmp_path):
    rows = [*PLAIN, fixation("UvA_9", 1, 1.0, 200, 1, 1)]
    refused(write_folder(tmp_path, rows), "summary_feedback.csv row 5", "user UvA_9 has no row in user_features.csv")


def test_a_repeated_user(tmp_path):
    refused(write_folder(tmp_path, PLAIN, users=[*USERS, USERS[0]]), "user_features.csv row 4", "KINIT_1", "row 2")


def test_a_user_without_a_name(tmp_path):
    refused(write_folder(tmp_path, PLAIN, users=[*USERS, ["", "x", "x", "x"]]), "user_features.csv row 4", "UserID")


def test_a_film_that_was_on_the_screen_and_is_not_in_the_table(tmp_path):
    films = [row for row in items() if row[1] != "t1c2p4"]
    refused(write_folder(tmp_path, PLAIN, films), "item_features.csv", "TaskID 1, carousel 2, position 4", "KINIT_1-1")


def test_a_film_that_was_on_no_screen_may_be_missing_or_without_a_place(tmp_path):
    films = [row for row in items() if row[1] != "t1c2p14"]
    films.append([*films[0][:6], "", "", "Action", "1", "NA"])
    assert RECGAZE.read(write_folder(tmp_path, PLAIN, films), ReadOptions(images=False), quiet).read == 2


def film(**changed: object) -> list[object]:
    return list((dict(zip(ITEM_HEADER, items()[3], strict=True)) | changed).values())


# Every film's overview takes two lines: the fourth film starts in line 2 + 3 * 2 = 8, film 61 in line 122.
BAD_FILMS = {
    "repeats TaskID 1, carousel 1, position 4 of row 8": (None, film(TMDB_title="Again")),
    "TaskID is '', expected a whole number 1..40": (None, film(TaskID="")),
    "Carousel_position is 'top', expected a whole number 1..10": (None, film(Carousel_position="top")),
    "Movie_position_in_carousel is '16', expected a whole number 1..15": (None, film(Movie_position_in_carousel=16)),
    "has an empty TMDB_title": (3, film(TMDB_title="")),
    "calls carousel 1 of TaskID 1 'Sci-Fi', an earlier row 'Action'": (3, film(Carousel_genre="Sci-Fi")),
    "has 2 fields, the header has 11": (3, ["1", "x"]),
}


@pytest.mark.parametrize("problem", BAD_FILMS)
def test_a_film_that_cannot_be_used(tmp_path, problem):
    place, row = BAD_FILMS[problem]
    films = items()
    if place is None:
        films.append(row)
    else:
        films[place] = row
    refused(write_folder(tmp_path, PLAIN, films), f"item_features.csv row {122 if place is None else 8}", problem)


def test_no_film_on_any_screen(tmp_path):
    refused(write_folder(tmp_path, PLAIN, []), "item_features.csv", "no film")


def test_a_folder_without_a_usable_session_is_read_and_says_why(tmp_path):
    reading = RECGAZE.read(write_folder(tmp_path, [PLAIN[0], event("UvA_2", 1, 1)]), ReadOptions(images=False), quiet)
    assert (reading.sessions, reading.read) == ([], 2)
    assert reading.dropped == {"no fixation recorded": 1, "no click recorded": 1}


def session(user: str, scale: float = 1.0, cursor_scale: float = 1.0, clock=float) -> list[dict[str, object]]:
    """Twenty fixations of some 250 ms and ten stays of the cursor of some half a second in ten seconds."""
    rows = [fixation(user, 1, clock(i / 2), (250 + i) * scale, 1, 1 + i % 5) for i in range(20)]
    rows += [cursor(user, 1, clock(i + 0.25), (0.5 + i / 100) * cursor_scale, 1, 1) for i in range(10)]
    return [*rows, click(user, 1, clock(10.0), 1, 1)]


IMPLAUSIBLE = {
    "fixations in seconds": ({"scale": 0.001}, "the median Fixation_Duration is 0.2595, .*looks like seconds"),
    "fixations in microseconds": ({"scale": 1000}, "last 5190 s in all, in 10 s .*looks like microseconds"),
    "cursor in milliseconds": ({"cursor_scale": 1000}, "stays of the cursor last 5450 s.*looks like milliseconds"),
    "cursor too small": ({"cursor_scale": 0.001}, "the median Cursor_Duration is 0.000545, .*thousands of seconds"),
    "all times in thousandths": (
        {"scale": 1000, "cursor_scale": 1000, "clock": lambda t: t * 1000},
        r"the median Fixation_Duration is 2.595e\+05, read in milliseconds: .*looks like microseconds",
    ),
    "clock in thousands of seconds": ({"clock": lambda t: t / 1000}, "in 0.01 s .*Timestamp looks like thousands"),
    "clock in milliseconds": ({"clock": lambda t: t * 1000}, "in 20000 s .*Timestamp looks like milliseconds"),
    "whole seconds": ({"clock": lambda t: t // 1}, "20 of 20 fixations share their timestamps, of which 10 differ"),
    "a clock that stands still": ({"clock": lambda t: 1.6e12}, "share their timestamps, of which 1 differ"),
}


@pytest.mark.parametrize("problem", IMPLAUSIBLE)
def test_times_that_cannot_be_true(tmp_path, problem):
    change, message = IMPLAUSIBLE[problem]
    write_folder(tmp_path, [*session("KINIT_1"), *session("UvA_2")])
    assert len(RECGAZE.read(tmp_path, ReadOptions(images=False), quiet).sessions) == 2
    write_folder(tmp_path, [*session("KINIT_1", **change), *session("UvA_2", **change)])
    assert re.search(message, refused(tmp_path, "summary_feedback.csv"))


def test_one_session_in_another_unit_is_enough(tmp_path):
    write_folder(tmp_path, [*session("KINIT_1"), *session("UvA_2", scale=0.001)])
    refused(tmp_path, "summary_feedback.csv row 33: session UvA_2-1: the median Fixation_Duration is 0.2595")


@pytest.mark.parametrize(
    ("first", "other"), [("KINIT_1", "KInIT_1"), ("Z\u00f6_1", "Zo\u0308_1"), ("Ma\u00df", "MASS")]
)
def test_one_person_under_two_spellings(tmp_path, first, other):
    users = [[first, "x", "x", "x"], ["UvA_2", "x", "x", "x"]]
    rows = [PLAIN[0] | {"UserID": first}, PLAIN[1], PLAIN[2] | {"UserID": other}]
    refused(write_folder(tmp_path, rows, users=users), "summary_feedback.csv row 4", first, other, "one person")
    folder = write_folder(tmp_path, rows[:2], users=[*users, [other, "x", "x", "x"]])
    refused(folder, "user_features.csv rows 2 and 4", first, other, "one person")


def test_invisible_characters_in_ids_are_dropped_and_in_messages_shown(tmp_path):
    rows = [*PLAIN[:2], PLAIN[2] | {"UserID": "\ufeffKINIT_1\u200b"}]
    session = RECGAZE.read(write_folder(tmp_path, rows), ReadOptions(images=False), quiet).sessions[0]
    assert session.session_id == "KINIT_1-1"
    users = [["KINIT\n 1", "x", "x", "x"], ["UvA_2", "x", "x", "x"]]
    broken = [row | {"UserID": row["UserID"].replace("KINIT_", "KINIT\n\u00a0")} for row in PLAIN]
    folder = write_folder(tmp_path, broken, users=users)
    assert RECGAZE.read(folder, ReadOptions(images=False), quiet).sessions[0].user == "KINIT 1"
    rows[0] = rows[0] | {"Fixation_Duration": "\ufeff200"}
    refused(write_folder(tmp_path, rows), "summary_feedback.csv row 2", r"Fixation_Duration is '\ufeff200'")
    path = tmp_path / "summary_feedback.csv"
    write_folder(tmp_path, PLAIN)
    path.write_text(path.read_text().replace("Timestamp", "Time\u200bstamp", 1))
    refused(tmp_path, "lacks the column Timestamp", r"It has 'Time\u200bstamp'")


def test_a_record_may_take_several_lines_and_rows_are_counted_by_lines(tmp_path):
    rows = [row | {"StimulusID": "one\ntwo"} for row in (*PLAIN, PLAIN[0] | {"Timestamp": 3.0})]
    many = [fixation("KINIT_1", 1, 10 + i, 200, 1, 1) | {"StimulusID": "one\ntwo"} for i in range(30_000)]
    write_folder(tmp_path, [*rows, *many])
    assert len(RECGAZE.read(tmp_path, ReadOptions(images=False), quiet).sessions) == 1
    refused(write_folder(tmp_path, [*rows, rows[0]]), "summary_feedback.csv row 10 repeats row 2")
    refused(write_folder(tmp_path, [*rows, rows[0] | {"Timestamp": "x"}]), "summary_feedback.csv row 10", "'x'")


@pytest.mark.parametrize("closing", [3, None])
def test_rows_that_a_quote_swallows(tmp_path, closing):
    """A quote before a field of row 2, closed in a row below it or nowhere."""
    write_folder(tmp_path, [*PLAIN, *session("UvA_2")])
    path = tmp_path / "summary_feedback.csv"
    lines = path.read_text().splitlines()
    lines[1] = lines[1].replace("v.mp4", '"v.mp4')
    if closing is not None:
        lines[closing] = lines[closing].replace("v.mp4", 'v.mp4"')
    path.write_text("\n".join(lines) + "\n")
    refused(
        tmp_path, "summary_feedback.csv row 2", "quote" if closing is None else "a quote joins it with the rows below"
    )
