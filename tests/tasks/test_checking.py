from __future__ import annotations

import json

import pytest

from tasks.errors import InputError, gathering, refuse, rows
from tasks.prepare import check
from tasks.recgaze import RECGAZE
from tests.tasks.recgaze.raw_folder import USERS, click, cursor, fixation, write_folder

PLAIN = [fixation("KINIT_1", 1, 1.0, 200, 1, 1), cursor("UvA_2", 1, 2, 0.5, 1, 1), click("KINIT_1", 1, 9.0, 1, 1)]


def test_findings_are_raised_or_gathered():
    with pytest.raises(InputError, match="^one$"):
        refuse("one")
    with gathering() as found:
        refuse("one")
        refuse("two\ufeff")
    assert found == ["one", r"two\ufeff"]
    with pytest.raises(InputError):
        refuse("again")


def test_rows_in_words():
    assert rows([7], 1) == "row 7"
    assert rows([7, 9], 2) == "row 7 (and 1 more: 9)"
    assert rows(range(1, 20), 19) == "row 1 (and 18 more: 2, 3, 4, 5, 6, ...)"


def test_everything_that_is_wrong_with_a_recgaze_folder_at_once(tmp_path):
    events = [dict(row) for row in PLAIN * 3]
    for number, row in enumerate(events):
        row["StimulusID"] = f"v{number}.mp4"
    for row in (1, 4):
        events[row]["Cursor_Duration"] = -1
    events[3]["TaskID"] = 41
    events[5]["Timestamp"] = "NA"
    events[6]["UserID"] = "UvA_9"
    write_folder(tmp_path, [*events, events[0]], users=[*USERS, USERS[0]])
    (tmp_path / "click_feedback.csv").write_text("UserID,TaskID\nKINIT_1,1\n")
    before = sorted(path.name for path in tmp_path.iterdir())
    found = check(RECGAZE, tmp_path)
    said = "\n".join(found.refused)
    for words in (
        "user_features.csv row 4 repeats user KINIT_1",
        "click_feedback.csv row 1 lacks the columns Movie_Familiarity, Why_Selected",
        "summary_feedback.csv row 3 (and 1 more: 6): Cursor_Duration is '-1'",
        "summary_feedback.csv row 5: TaskID is '41'",
        "summary_feedback.csv row 7: Timestamp is empty",
        "summary_feedback.csv row 11 repeats row 2",
        "summary_feedback.csv row 8: user UvA_9 has no row in user_features.csv",
    ):
        assert words in said
    assert len(found.refused) == 7
    assert found.lines()[-1] == "  checked only: 7 findings would be refused"
    assert before == sorted(path.name for path in tmp_path.iterdir())


def test_a_folder_whose_users_are_all_empty(tmp_path):
    rows = [row | {"UserID": "", "TaskID": "NA"} for row in PLAIN]
    found = check(RECGAZE, write_folder(tmp_path, rows))
    assert ["UserID is empty" in found.refused[0], "TaskID is empty" in found.refused[1]] == [True, True]


def test_text_in_numbers_is_found_in_every_row_and_column(tmp_path):
    events = [dict(row) for row in PLAIN]
    events[0]["Fixation_Duration"], events[1]["Timestamp"], events[2]["Timestamp"] = "long", "early", "late"
    found = check(RECGAZE, write_folder(tmp_path, events))
    assert [line.partition("summary_feedback.csv ")[2] for line in found.refused] == [
        "row 2: Fixation_Duration is 'long', expected a number. Correct it.",
        "row 3 (and 1 more: 4): Timestamp is 'early', expected a number. Correct it.",
    ]


def test_a_good_folder(tmp_path):
    found = check(RECGAZE, write_folder(tmp_path, PLAIN))
    assert (found.refused, found.read, found.kept) == ((), 2, 1)
    assert "split loo has no test session: it cannot be used" in found.notes
    assert json.loads(json.dumps(found.record()))["dropped"] == {"no fixation recorded": 1}
    with pytest.raises(InputError, match="there is no folder"):
        check(RECGAZE, tmp_path / "nowhere")
