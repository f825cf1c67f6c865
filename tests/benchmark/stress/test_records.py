from __future__ import annotations

import dataclasses
import json

import pytest

from benchmark import naming
from benchmark.stress import records
from benchmark.stress.records import StressResults, StressRow
from tasks.errors import InputError

ROW = StressRow("relabel", "sharp", "answer stays with the item", 0.5, 0.4, 0.6, 0.03, 21, "Half of them.")
REASON = StressRow("label-leak", "sharp", "not applicable", None, None, None, None, 0, "It has no attention.")
FOUND = StressResults("mini", "loo", "d" * 64, 0, "simulated", (ROW, REASON))


def test_what_is_written_is_read(tmp_path):
    assert records.read(tmp_path) is None
    path = records.write(tmp_path, FOUND)
    assert path == tmp_path / "stress" / "stress.json"
    assert records.read(tmp_path) == FOUND


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw.update(schema_version=2),
        lambda raw: raw.update(rows={}),
        lambda raw: raw.update(rows=[1]),
        lambda raw: raw["rows"][0].pop("reading"),
        lambda raw: raw["rows"][0].update(value="0.5"),
        lambda raw: raw["rows"][0].update(value=True),
        lambda raw: raw["rows"][0].update(value=float("nan")),
        lambda raw: raw["rows"][0].update(n=-1),
        lambda raw: raw["rows"][0].update(n=1.5),
        lambda raw: raw["rows"][0].update(test=7),
        lambda raw: raw.update(seed="0"),
    ],
)
def test_a_damaged_file_is_one_line(tmp_path, change):
    path = records.write(tmp_path, FOUND)
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError, match=r"stress\.json( is|:) .*; .*delete it and run 'stress"):
        records.read(tmp_path)


def test_no_json_at_all(tmp_path):
    path = records.write(tmp_path, FOUND)
    path.write_text("{")
    with pytest.raises(InputError, match=r"stress\.json: line 1 is not JSON"):
        records.read(tmp_path)


def test_new_rows_take_the_place_of_old_ones():
    new = StressRow(*(*("relabel", "sharp", "answer stays with the item", 0.9), *(None,) * 3, 1, "More."))
    other = StressRow(*(*("layout", "sharp", "x", 0.1), *(None,) * 3, 1, "New."))
    assert records.merged([ROW, REASON], [new, other]) == (new, REASON, other)


def test_each_row_has_its_own_notice_and_one_of_an_older_file_that_of_the_file(tmp_path):
    moved = dataclasses.replace(ROW, test="transfer other", notice="invented too")
    path = records.write(tmp_path, dataclasses.replace(FOUND, rows=(ROW, moved)))
    assert [row.notice for row in records.read(tmp_path).rows] == ["", "invented too"]
    raw = json.loads(path.read_text())
    for row in raw["rows"]:
        del row["notice"]
    path.write_text(json.dumps(raw))
    assert [row.notice for row in records.read(tmp_path).rows] == ["simulated", "simulated"]


def test_notices_are_joined_and_each_part_is_said_once():
    assert naming.joined(["a; b", "", "b; c", "a"]) == "a; b; c" and naming.joined([]) == ""


def test_older_words_for_inputs_are_read():
    old = ("train gaze", "test cursor", "gaze-train", "cursor", "item texts", "something else")
    assert tuple(map(naming.input_word, old)) == ("gaze-train", "cursor-test", *old[2:])
