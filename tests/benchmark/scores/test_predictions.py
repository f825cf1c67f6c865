from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.scores.predictions import checked, read, to_frame, write
from benchmark.simulator import Prediction
from tasks.errors import InputError

SLOTS = {"a": 3, "b": 2}


def lines(tmp_path, *records):
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return path


GOOD = {"session_id": "a", "attention": [1, 2, 3], "probabilities": [0.2, 0.3, 0.5], "answer": 2}


def test_what_is_written_is_read_back_the_same(tmp_path):
    given = [
        Prediction("a", np.array([0.1, 0.2, 0.7]), np.array([0.2, 0.3, 0.5]), 2, "free"),
        Prediction("b", None, None, None),
    ]
    frame = to_frame(given, "sim", 5)
    write(frame, tmp_path / "p.parquet")
    found = read(tmp_path / "p.parquet", SLOTS)
    assert found.session_id.tolist() == ["a", "b"] and found.seed.tolist() == [5, 5]
    assert found.attention[0].tolist() == [0.1, 0.2, 0.7] and found.attention[1] is None
    assert found.answer[0] == 2 and pd.isna(found.answer[1]) and found.target.tolist() == ["free", "none"]


def test_json_lines_need_no_simulator_and_no_seed(tmp_path):
    found = read(lines(tmp_path, GOOD, "", {"session_id": "b", "answer": 0}), SLOTS)
    assert found.simulator.tolist() == ["mine", "mine"] and found.seed.tolist() == [0, 0]


def test_answers_may_be_floats_as_a_column_with_blanks_is(tmp_path):
    pd.DataFrame({"session_id": ["a", "b"], "answer": [2.0, None]}).to_parquet(tmp_path / "p.parquet")
    found = read(tmp_path / "p.parquet", SLOTS)
    assert found.answer[0] == 2 and pd.isna(found.answer[1])


def test_the_index_that_pandas_stores_with_a_filtered_table_is_not_a_column(tmp_path):
    table = pa.table({"session_id": ["b"], "answer": [1], "__index_level_0__": [7]})
    pq.write_table(table, tmp_path / "p.parquet")
    assert read(tmp_path / "p.parquet", SLOTS).answer.tolist() == [1]


def test_attention_without_mass_is_missing():
    assert checked(Prediction("a", np.zeros(3)), 3, "x").attention is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": [1, 2]}, r"row 1, session 'a': attention has shape \(2,\); the session has 3 slots"),
        ({"attention": [1, 2, -1]}, "attention holds a negative number"),
        ({"attention": [1, 2, float("nan")]}, "attention holds NaN or infinity"),
        ({"attention": [1, 2, float("inf")]}, "attention holds NaN or infinity"),
        ({"attention": "abc"}, "attention is not a list of numbers"),
        ({"attention": [[1, 2, 3]]}, r"attention has shape \(1, 3\)"),
        ({"attention": [1, 2, "x"]}, "attention is not a list of numbers"),
        ({"probabilities": [0.2, 0.3, 0.6]}, "probabilities sum to 1.1; normalise them"),
        ({"answer": 3}, r"answer 3 is not a slot index 0\.\.2"),
        ({"answer": 1.5}, "answer is not a whole number"),
        ({"answer": True}, "answer is not a whole number"),
        ({"session_id": "z"}, "session 'z' is not among the test sessions"),
        ({"session_id": 7}, "session_id is missing or not text"),
        ({"target": "true"}, "target 'true' is none of none, free, label"),
        ({"seed": "x"}, "seed is not a whole number"),
        ({"simulator": 3}, "simulator is not text"),
        ({"atention": [1, 2, 3]}, "unknown column 'atention'"),
    ],
)
def test_a_bad_row_is_named(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read(lines(tmp_path, {**GOOD, **change}), SLOTS)


def test_a_session_predicted_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="mine.jsonl, row 2: session 'a' is predicted twice by 'mine' with seed 0"):
        read(lines(tmp_path, GOOD, GOOD), SLOTS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.jsonl", b"{not json", "row 1: not JSON"),
        ("p.jsonl", b"[1, 2]", "row 1: not a JSON object"),
        ("p.jsonl", b"", "holds no predictions"),
        ("p.jsonl", b"\xff\xfe", "not a readable text file"),
        ("p.jsonl", b"[" * 100_000, "row 1: not JSON"),
        ("p.parquet", b"PAR1xxxx", "not a readable parquet file"),
        ("p.pkl", b"", r"ends in \.parquet or \.jsonl"),
    ],
)
def test_a_file_that_is_no_predictions_file_is_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(tmp_path / name, SLOTS)


def test_a_missing_file_and_a_missing_column_are_named(tmp_path):
    with pytest.raises(InputError, match="there is no predictions file"):
        read(tmp_path / "none.parquet", SLOTS)
    pd.DataFrame({"session": ["a"]}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(InputError, match="has no column 'session_id'. Columns: session"):
        read(tmp_path / "p.parquet", SLOTS)
