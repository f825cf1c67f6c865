"""Layout ``table`` on tables written by hand, and on the recorded three-item choices where they are present."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from baselines import registry
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError
from tasks.snacks import SNACKS

RECORDED = Path(__file__).parents[3] / ".." / "shared" / "data" / "krajbich2011"
HEADER = (
    '"","trial","rating1","rating2","rating3","rt","subject","eventduration","fix_num","choice1","choice2","choice3"'
)
HEADER += ',"leftroi","middleroi","rightroi"'
ROWS = [
    '"1",1,1,7,3,1782,1,318,1,0,1,0,0,1,0',
    '"3",1,1,7,3,1782,1,139,3,0,1,0,1,0,0',
    '"2",1,1,7,3,1782,1,160,2,0,1,0,0,0,1',
    '"4",2,5,2,9,900,1,400,1,0,0,1,0,1,0',
]


def read(folder, *rows, header=HEADER):
    (folder / "data.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return SNACKS.read(folder, ReadOptions(images=False), quiet)


def test_rows_of_one_item_each(tmp_path):
    reading = read(tmp_path, *ROWS)
    first, second = reading.sessions
    assert SNACKS.detect(tmp_path) == "table" and reading.read == 2
    assert (first.session_id, first.user, first.click, second.click) == ("1-1", "1", 1, 2)
    assert first.gaze_ms.tolist() == [139, 318, 160]
    # Without onsets fixations follow each other, in the order of fix_num.
    assert [tuple(f) for f in first.fixations] == [(1, 0, 318), (2, 318, 160), (0, 478, 139)]
    assert [slot.rating for slot in first.slots] == [1, 7, 3]
    assert first.profile == "Own ratings of the snacks shown, best to worst: snack B (7), snack C (3), snack A (1)"
    boxes = np.array([slot.box for slot in first.slots])
    assert (boxes[1:, 0] > boxes[:-1, 2]).all() and len(set(boxes[:, 1])) == 1
    assert "the table has no onsets: fixations follow each other" in reading.notes


def test_items_and_choices_may_be_numbers_with_times_of_their_own(tmp_path):
    header = "subject,trial,item,onset,offset,choice,rating1,rating2"
    rows = ["a,1,1,500,900,1,2,NA", "a,1,0,100,400,1,2,NA", "a,2,0,0,300,,1,2", "a,3,,0,300,0,1,2"]
    reading = read(tmp_path, *rows, header=header)
    [session] = reading.sessions
    assert [tuple(f) for f in session.fixations] == [(0, 100, 300), (1, 500, 400)]
    assert (session.click, [slot.rating for slot in session.slots]) == (1, [2, None])
    assert session.profile == "Own ratings of the snacks shown, best to worst: snack A (2)"
    assert reading.dropped == {"the choice is not one of the items": 1, "no gaze on an item": 1}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([*ROWS, '"5",2,5,2,8,900,1,400,2,0,0,1,0,1,0'], "row 6: ratings or choice are not those of .*row 5"),
        ([ROWS[0].replace("318", "x")], "row 2: eventduration is 'x', expected a number"),
        (
            [row.replace(",1,318", ",1,.318").replace(",139", ",.1").replace(",160", ",.2") for row in ROWS],
            "like seconds",
        ),
        (
            [ROWS[0].replace("318", "318000")],
            "row 2: trial 1 of subject 1: the fixations last 318 s in all, in 1.782 s",
        ),
    ],
)
def test_bad_tables_are_refused(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, *rows)


def test_a_header_without_items(tmp_path):
    with pytest.raises(InputError, match="row 1: expected 2 to 6 ratings and 'item' or as many columns ending in roi"):
        read(tmp_path, header="subject,trial,rating1,rating2,dur")


def test_three_item_choices():
    if not (RECORDED / "data.csv").is_file():
        pytest.skip("the recorded three-item choices (shared/data/krajbich2011) are not here")
    sessions = SNACKS.read(RECORDED, ReadOptions(images=False), quiet).sessions
    users = sorted({session.user for session in sessions})
    assert (len(sessions), len(users)) == (2966, 30)
    chosen = [session.gaze[session.click] == session.gaze.max() for session in sessions]
    ties = [(session.gaze == session.gaze.max()).sum() for session in sessions]
    assert np.mean(np.array(chosen) / ties) == pytest.approx(0.663, abs=0.001)

    def held_out(name):
        """Mean LogLoss and accuracy where every fifth of the users is predicted from the others."""
        loss, hit = [], []
        for fold in range(5):
            simulator, tested = registry.build(name, {}), set(users[fold::5])
            simulator.fit([s for s in sessions if s.user not in tested], 0)
            test = [s for s in sessions if s.user in tested]
            for session, found in zip(test, simulator.simulate([s.stimulus() for s in test]), strict=True):
                p = found.probabilities
                loss.append(-np.log(p[session.click]))
                hit.append((p[session.click] == p.max()) / (p == p.max()).sum())
        return np.mean(loss), np.mean(hit)

    assert held_out("uniform")[0] == pytest.approx(1.099, abs=0.001)
    assert held_out("position-prior")[0] == pytest.approx(1.099, abs=0.001)
    loss, accuracy = held_out("rating-prior")
    assert loss == pytest.approx(0.706, abs=0.01) and accuracy == pytest.approx(0.719, abs=0.001)
