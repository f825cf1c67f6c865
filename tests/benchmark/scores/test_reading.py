"""Predictions from files: what is read, what is refused and in which words; parquet and JSON lines alike."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.scores import checking, predictions, reading, tested
from benchmark.simulator import Prediction
from tasks.errors import InputError

EQUAL = [0.25] * 4
GOOD = {"session_id": "u0-0", "attention": [1, 2, 3, 0], "probabilities": EQUAL, "answer": 2}


def read(path, task):
    return checking.table(reading.read_file(path), tested.of_task(task, "kfold"), path.name)


def lines(tmp_path, *records):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return path


def test_what_is_written_is_read_back_the_same(tmp_path, mini):
    given = [
        Prediction("u0-0", np.array([0.1, 0.2, 0.7, 0.0]), np.array(EQUAL), 2, "free"),
        Prediction("u1-0", None, None, None),
    ]
    table = predictions.of_rows(given, "sim", 5)
    predictions.write(table, tmp_path / "p.parquet", {"notice": "drawn"})
    assert read(tmp_path / "p.parquet", mini).equals(table) and reading.stored(tmp_path / "p.parquet").equals(table)
    assert reading.about(tmp_path / "p.parquet") == {"notice": "drawn"}
    first, second = predictions.rows_of(table)
    assert first.attention.tolist() == [0.1, 0.2, 0.7, 0.0] and first.answer == 2 and first.target == "free"
    assert second.attention is None and second.answer is None and second.session_id == "u1-0"


def test_json_lines_need_no_simulator_and_no_seed(tmp_path, mini):
    found = read(lines(tmp_path, GOOD, "", {"session_id": "u1-0", "answer": 0}), mini).to_pylist()
    assert [(row["simulator"], row["seed"], row["target"]) for row in found] == [("mine", 0, "none")] * 2
    assert found[0]["attention"] == [1, 2, 3, 0] and found[1]["attention"] is None and found[1]["answer"] == 0


def test_a_byte_order_mark_is_skipped_and_only_line_feeds_end_lines(tmp_path, mini):
    rows = [{**GOOD, "simulator": "my\u2028sim"}, {**GOOD, "simulator": "my\u2028sim", "session_id": "u1-0"}]
    path = tmp_path / "p.jsonl"
    text = "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(path, mini)["simulator"].to_pylist() == ["my\u2028sim"] * 2


def test_answers_may_be_floats_as_a_column_with_blanks_is(tmp_path, mini):
    pd.DataFrame({"session_id": ["u0-0", "u1-0"], "answer": [2.0, None]}).to_parquet(tmp_path / "p.parquet")
    assert read(tmp_path / "p.parquet", mini)["answer"].to_pylist() == [2, None]


def test_the_index_that_pandas_stores_with_a_filtered_table_is_not_a_column(tmp_path, mini):
    table = pa.table({"session_id": ["u0-0"], "answer": [1], "__index_level_0__": [7]})
    pq.write_table(table, tmp_path / "p.parquet")
    assert read(tmp_path / "p.parquet", mini)["answer"].to_pylist() == [1]


def test_attention_without_mass_is_missing(tmp_path, mini):
    found = read(lines(tmp_path, {**GOOD, "attention": [0, 0, 0, 0]}), mini)
    assert found["attention"].to_pylist() == [None] and found["answer"].to_pylist() == [2]


BAD = [
    ({"attention": [1, 2]}, "attention has 2 numbers; the session has 4 slots. Give one number per slot."),
    ({"attention": [1, 2, 3, -1]}, "attention holds a negative number, -1."),
    ({"attention": [1, 2, 3, float("nan")]}, "attention holds NaN or a blank."),
    ({"attention": [1, 2, 3, float("inf")]}, "attention holds infinity."),
    ({"probabilities": [0.2, 0.3, 0.6, 0.0]}, "probabilities sum to 1.1. Normalise them"),
    ({"answer": 4}, r"answer 4 is not a slot 0\.\.3"),
    ({"answer": 1.5}, "answer 1.5 is not a slot"),
    ({"session_id": "u0-9"}, "session 'u0-9' is not among the test sessions"),
    ({"target": "true"}, "target 'true' is not one of none, free, label"),
]
BAD_JSON = [
    ({"attention": "abc"}, "attention is the text 'abc', not a list"),
    ({"attention": [[1, 2, 3]]}, "attention holds a list, which is not a number"),
    ({"attention": [1, 2, "x", 0]}, "attention holds the text 'x', which is not a number"),
    ({"answer": True}, "answer is a truth value, which is not a number"),
    ({"session_id": 7}, "session_id is blank, not text"),
    ({"session_id": "\ud800"}, "session_id is blank, not text"),
    ({"seed": "x"}, "seed is not a whole number"),
    ({"simulator": 3}, "simulator is not text"),
    ({"atention": [1, 2, 3]}, "the field 'atention' is not of the format. Keep only simulator, seed, session_id"),
]


@pytest.mark.parametrize(("change", "message"), [*BAD, *BAD_JSON])
def test_a_bad_line_is_named(tmp_path, mini, change, message):
    with pytest.raises(InputError, match=rf"^mine.jsonl, row 2: {message}"):
        read(lines(tmp_path, {**GOOD, "session_id": "u1-0"}, {**GOOD, **change}), mini)


@pytest.mark.parametrize(("change", "message"), BAD)
def test_a_bad_row_of_a_parquet_file_is_named_in_the_same_words(tmp_path, mini, change, message):
    rows = [{**GOOD, "session_id": "u1-0", "target": "none"}, {**GOOD, "target": "none", **change}]
    pd.DataFrame(rows).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match=rf"^p.parquet, row 2: {message}"):
        read(tmp_path / "p.parquet", mini)


def test_the_first_row_is_named_and_the_others_are_counted(tmp_path, mini):
    rows = [{**GOOD, "answer": 9}, {**GOOD, "session_id": "u1-0", "attention": [1]}, {**GOOD, "session_id": "no"}]
    with pytest.raises(InputError, match=r"row 1: answer 9 .* \(2 more problems in other rows\.\)$"):
        read(lines(tmp_path, *rows), mini)


def test_a_session_predicted_twice_is_refused(tmp_path, mini):
    with pytest.raises(InputError, match="mine.jsonl, row 3: session 'u0-0' is in row 1 already"):
        read(lines(tmp_path, GOOD, {**GOOD, "seed": 1}, GOOD), mini)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.jsonl", b"{not json", "row 1: the line is not JSON"),
        ("p.jsonl", b"[1, 2]", "row 1: the line is not a JSON object"),
        ("p.jsonl", b"", "holds no predictions"),
        ("p.jsonl", b"\xff\xfe", "row 1: the line is not UTF-8"),
        ("p.jsonl", b"[" * 100_000, "row 1: the line is not JSON"),
        ("p.jsonl", b'{"answer": 1, "answer": 2}', "row 1: a field is in the line twice"),
        ("p.parquet", b"PAR1xxxx", "not a sound parquet file"),
        ("p.pkl", b"", r"ends in \.parquet or \.jsonl"),
    ],
)
def test_a_file_that_is_no_predictions_file_is_refused(tmp_path, mini, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / name, mini)


def test_a_missing_file_and_a_missing_column_are_named(tmp_path, mini):
    with pytest.raises(InputError, match="there is no predictions file"):
        read(tmp_path / "none.parquet", mini)
    pd.DataFrame({"session": ["a"]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="p.parquet: the column 'session' is not of the format"):
        read(tmp_path / "p.parquet", mini)
    pd.DataFrame({"answer": [1]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="there is no column 'session_id'"):
        read(tmp_path / "p.parquet", mini)


def simulated(task, **parts):
    sessions = tested.of_task(task, "loo").sessions[:2]
    rows = [Prediction(sessions[0].session_id), Prediction(sessions[1].session_id, **parts)]
    return checking.simulated(rows, sessions, "sim", 1, "simulator 'sim'")


def test_what_a_simulator_returns_is_checked_in_the_same_words(mini):
    table = simulated(mini, attention=[1, 2, 3, 4], answer=np.int64(3))
    assert table["attention"].to_pylist() == [None, [1, 2, 3, 4]] and table["answer"].to_pylist() == [None, 3]
    assert table["simulator"].to_pylist() == ["sim"] * 2 and table["seed"].to_pylist() == [1, 1]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"attention": [1, 2]}, "attention has 2 numbers; the session has 4 slots"),
        ({"attention": [1, 2, 3, np.nan]}, "attention holds NaN"),
        ({"attention": [[1, 2, 3, 4]]}, "attention is not a flat list of numbers"),
        ({"attention": "abcd"}, "attention is not a flat list of numbers"),
        ({"probabilities": [0.5, 0.2, 0.2, 0.2]}, "probabilities sum to 1.1"),
        ({"answer": True}, "answer is not a whole number"),
        ({"answer": 1.5}, "answer 1.5 is not a slot"),
        ({"target": "best"}, "target 'best' is not one of"),
    ],
)
def test_a_session_of_a_simulator_is_named(mini, parts, message):
    second = tested.of_task(mini, "loo").ids[1]
    with pytest.raises(InputError, match=f"^simulator 'sim', session '{second}': {message}"):
        simulated(mini, **parts)
