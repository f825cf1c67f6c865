"""Parts: cells by hand, what is refused, columns there and back; also for the one that depends on a session's path."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmark.parts import PARTS, part, part_names
from benchmark.parts.checking import check, claimed, missing
from benchmark.parts.columns import column_type, fits, from_column, to_column
from benchmark.parts.part import Expected
from benchmark.parts.ragged import UNEVEN, apart, ragged
from benchmark.simulator import Prediction
from tasks.errors import InputError

NEXT_VISIT = part("next_visit")
ROOT = Path(__file__).parents[3]


def cells(*rows):
    return ragged([None if row is None else np.asarray(row, dtype=np.float64) for row in rows])


def expected(name, slots):
    k = np.array(slots)
    return Expected(k, np.ones_like(k), np.ones_like(k) if name == "answer" else k)


def refused(name, slots, *rows, most=1000):
    found = cells(*rows)
    asked = None if slots is None else expected(name, slots)
    good, faults = check(part(name), found, np.ones(len(found), dtype=bool), asked, most)
    return good.tolist(), [(f.kind, f.rows.tolist(), f.words(int(f.rows[0]))[0]) for f in faults]


def test_every_part_is_a_field_of_a_prediction():
    fields = [field.name for field in dataclasses.fields(Prediction)]
    assert list(part_names()) == ["attention", "probabilities", "answer", "next_visit"]
    assert [name for name in fields if name not in ("session_id", "target")] == list(part_names())
    with pytest.raises(InputError, match="unknown part 'atention'. Did you mean 'attention'"):
        part("atention")


def test_nothing_lists_parts_but_the_registry():
    names = "|".join(part_names())
    listed = re.compile(rf"[\"']({names})[\"'],\s*[\"']({names})[\"']")
    for folder in ("benchmark", "leaderboard", "submissions"):
        for path in (ROOT / folder).rglob("*.py"):
            # A metric and a family name the parts that they are computed from.
            if "metrics" not in path.parts:
                assert not listed.search(path.read_text(encoding="utf-8")), path


def test_ragged_rows_by_hand():
    found = cells([1.0, 3.0], None, [], [2.0, 2.0, 0.5])
    assert found.lengths.tolist() == [2, 0, 0, 3] and found.present.tolist() == [True, False, True, True]
    assert found.sums().tolist() == [4.0, 0.0, 0.0, 4.5]
    np.testing.assert_array_equal(found.maxima(), [3.0, np.nan, np.nan, 2.0])
    assert found.any(found.values > 2.5).tolist() == [True, False, False, False]
    assert found.row(3).tolist() == [2.0, 2.0, 0.5]
    assert found.matrix(np.array([3, -1, 1, 3]), 3, 9.0).tolist() == [[2, 2, 0.5], [9, 9, 9], [9, 9, 9], [2, 2, 0.5]]
    empty = cells(None, None)
    assert empty.sums().tolist() == [0.0, 0.0] and empty.any(empty.values > 0).tolist() == [False, False]
    assert empty.matrix(np.array([0, -1]), 2, 1.0).tolist() == [[1, 1], [1, 1]]


def test_cells_are_compared_row_by_row():
    a = cells([1, 2], None, [3], [], [1, 2], None)
    b = cells([1, 2.5], None, [3, 4], [], None, [1.0])
    assert apart(a, b).tolist() == [0.5, 0, np.inf, 0, np.inf, np.inf]
    assert apart(cells([[1, 2], [3, 4]]), cells([1, 2, 3, 4])).tolist() == [np.inf]


@pytest.mark.parametrize("name", ["attention", "probabilities"])
def test_numbers_per_slot(name):
    rows = [[0.5, 0.5], None, [0.2, 0.3, 0.5], [np.nan, 1], [np.inf, 0], [1.5, -0.5], [0.5, 0.5], [0.25, 0.75]]
    good, faults = refused(name, [2, 2, 2, 2, 2, 2, 0, 2], *rows)
    assert good == [True, False, False, False, False, False, False, True]
    assert faults == [
        ("length", [2], f"{name} has 3 numbers; the session has 2 slots."),
        ("nan", [3], f"{name} holds NaN or a blank."),
        ("nan", [4], f"{name} holds infinity."),
        ("negative", [5], f"{name} holds a negative number, -0.5."),
    ]


def test_sums():
    assert refused("attention", [2, 2, 2], [0, 0], [3, 4], [1e308, 1e308]) == (
        [True, True, False],
        [("normalised", [2], "attention has a sum too large for a float.")],
    )
    assert refused("probabilities", [2, 2], [0.5, 0.5009], [0.5, 0.6])[1] == [
        ("normalised", [1], "probabilities sum to 1.1.")
    ]
    assert part("attention").blank(cells([0, 0], [0, 1], None)).tolist() == [True, False, False]


def test_answers_are_slots():
    assert refused("answer", [3] * 6, [0], [2], [3], [-1], [1.5], None) == (
        [True, True, False, False, False, False],
        [("answer", [2, 3, 4], "answer 3 is not a slot 0..2.")],
    )


def test_sessions_that_are_not_known_bound_lengths_only():
    assert refused("attention", None, [1], [1, 2], [1] * 9, most=8) == (
        [False, True, False],
        [("length", [0, 2], "attention has 1 numbers.")],
    )
    assert refused("answer", None, [7], [8], most=8)[0] == [True, False]


def test_an_answer_may_be_missing_where_there_are_probabilities():
    table = {
        "attention": cells([1], None, [1]),
        "probabilities": cells([1], [1], None),
        "answer": cells([0], None, None),
        "next_visit": cells(None, None, None),
    }
    assert claimed(table) == ("attention", "probabilities", "answer")
    assert missing(table, claimed(table)).tolist() == [False, True, True]
    assert missing(table, ("answer", "probabilities")).tolist() == [False, False, True]
    assert missing(table, ("answer",)).tolist() == [False, True, True]


@pytest.mark.parametrize("one", PARTS, ids=lambda one: one.name)
def test_columns_there_and_back(one):
    rows = [[[0.5, 0.5]], None, [[0.1, 0.2, 0.7], [1.0, 0.0, 0.0]], [[1.0]]]
    flat = {0: [[2], None, [0], [1]], 1: [row and row[0] for row in rows], 2: rows}[one.depth]
    given = cells(*flat)
    column = to_column(one, given)
    assert column.type == column_type(one) and column.to_pylist()[1] is None
    again = from_column(one, pa.chunked_array([column.slice(0, 1), column.slice(1)]))
    assert apart(given, again).tolist() == [0.0] * 4 and again.present.tolist() == [True, False, True, True]


def test_columns_of_the_types_that_tools_write():
    attention, answer = part("attention"), part("answer")
    for kind in (pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.int32(), 2)):
        found = from_column(attention, pa.array([[3, 1], None, [0, 2]], kind))
        assert fits(attention, kind) and found.sums().tolist() == [4, 0, 2] and not found.present[1]
    for kind in (pa.int8(), pa.uint64(), pa.float32(), pa.float64()):
        found = from_column(answer, pa.array([None, 1], kind))
        assert fits(answer, kind) and found.present.tolist() == [False, True] and found.row(1).tolist() == [1]
    assert fits(answer, pa.null()) and not from_column(attention, pa.nulls(2)).present.any()
    assert (
        not fits(attention, pa.string())
        and not fits(answer, pa.list_(pa.int64()))
        and not fits(NEXT_VISIT, pa.list_(pa.int8()))
    )


def test_lists_that_differ_in_length_are_refused():
    found = from_column(
        NEXT_VISIT, pa.array([[[0.5, 0.5], [1.0]], [[0.5, 0.5], [0.0, 1.0]], None, [], [[0.9, 0.3], [0.5, 0.5]]])
    )
    assert found.lists.tolist() == [UNEVEN, 2, 1, 1, 2]
    k = np.full(5, 1)
    good, faults = check(NEXT_VISIT, found, np.ones(5, dtype=bool), Expected(k, k * 2, k * 2), 1000)
    assert good.tolist() == [False, True, False, False, False]
    assert [(f.kind, f.rows.tolist()) for f in faults] == [("length", [0, 3]), ("normalised", [4])]
    assert faults[0].words(0)[0] == "next_visit has the shape of lists that differ in length."


def test_rows_of_next_visits_are_distributions_with_one_row_more_than_visits():
    found = cells(
        [[0.5, 0.5, 0], [0, 0.5005, 0.5]], [[1, 0, 0]], None, [[0.5, 0.5, 0], [1, 1, -1]], [[0, 0, 1], [1, 1, 0]]
    )
    asked = Expected(np.full(5, 2), np.full(5, 2), np.full(5, 3))
    good, faults = check(NEXT_VISIT, found, np.ones(5, dtype=bool), asked, 1000)
    assert good.tolist() == [True, False, False, False, False]
    assert [(f.kind, f.rows.tolist()) for f in faults] == [("length", [1]), ("negative", [3]), ("normalised", [4])]
