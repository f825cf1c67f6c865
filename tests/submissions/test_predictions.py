from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import submissions
from benchmark.scores import scoring
from tasks.errors import InputError
from tests.submissions import builder

NAME = "predictions/mini@1/kfold/seed-1"


def loaded(folder):
    return submissions.load_predictions(submissions.read(folder).entries[0])


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_what_was_written_is_read(tmp_path, mini, suffix):
    table = builder.rows(mini)
    table[2].update(attention=None, answer=None)
    found = loaded(builder.write(tmp_path, mini, {1: table}, suffix=suffix))
    assert found.to_pylist() == table
    assert found.schema == pa.schema(
        [
            ("session_id", pa.string()),
            ("attention", pa.list_(pa.float64())),
            ("probabilities", pa.list_(pa.float64())),
            ("answer", pa.int64()),
        ]
    )


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_columns_that_are_not_there_are_blank(tmp_path, mini, suffix):
    table = [{"session_id": r["session_id"], "answer": r["answer"]} for r in builder.rows(mini)]
    found = loaded(builder.write(tmp_path, mini, {1: table}, suffix=suffix))
    assert found["attention"].null_count == found["probabilities"].null_count == 21 and found["answer"].null_count == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "numbers",
    [pa.list_(pa.float32()), pa.large_list(pa.float64()), pa.list_(pa.float64(), 4), pa.list_(pa.int32())],
)
@pytest.mark.parametrize("texts", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
@pytest.mark.parametrize("whole", [pa.int8(), pa.uint64(), pa.float32(), pa.float64()])
def test_types_that_tools_write(tmp_path, mini, numbers, texts, whole):
    table = builder.rows(mini)
    cells = [[3, 1, 2, 0], None, *[[1, 2, 3, 4]] * 19]
    folder = builder.write(tmp_path, mini)
    columns = {
        "session_id": pa.array([r["session_id"] for r in table], texts if not pa.types.is_dictionary(texts) else None),
        "attention": pa.array(cells, numbers),
        "answer": pa.array([None, *[1] * 20], whole),
    }
    if pa.types.is_dictionary(texts):
        columns["session_id"] = columns["session_id"].dictionary_encode()
    pq.write_table(pa.table(columns), folder / f"{NAME}.parquet", row_group_size=8)
    found = loaded(folder)
    assert found["session_id"].to_pylist() == [r["session_id"] for r in table]
    assert found["attention"].to_pylist() == cells and found["answer"].to_pylist() == [None, *[1] * 20]


def test_a_column_of_blanks(tmp_path, mini):
    folder = builder.write(tmp_path, mini)
    columns = {"session_id": ["u0-0"], "attention": pa.nulls(1), "probabilities": [[0.5, 0.5]], "answer": pa.nulls(1)}
    pq.write_table(pa.table(columns), folder / f"{NAME}.parquet")
    assert loaded(folder).to_pylist() == [
        {"session_id": "u0-0", "attention": None, "probabilities": [0.5, 0.5], "answer": None}
    ]


def test_a_row_that_cannot_be_read_is_named(tmp_path, mini):
    table = builder.rows(mini)
    table[4]["attention"] = "much"
    folder = builder.write(tmp_path, mini, {1: table}, suffix=".jsonl")
    with pytest.raises(InputError, match=r"seed-1.jsonl, row 5: attention is the text 'much', not a list"):
        loaded(folder)
    table[4]["attention"], table[4]["answer"] = None, 0.5
    folder = builder.write(tmp_path, mini, {1: table}, suffix=".jsonl")
    with pytest.raises(InputError, match=r"row 5: answer 0.5 is not a slot"):
        loaded(folder)


def test_the_table_scores_as_the_predictions_do(tmp_path, mini):
    table = builder.rows(mini)
    table[3]["attention"] = [0.0] * 4
    folder = builder.write(tmp_path, mini, {1: table}, attention={"source": "x", "target": "label"}, failures=1)
    found = submissions.read(folder)
    said = submissions.prediction_table(found, found.entries)
    row = said.to_pylist()[3]
    assert row["attention"] is None and row["target"] == "label" and row["simulator"] == "ours"
    scores = scoring.score(mini, "kfold", said)
    assert set(scores.simulator) == {"ours [label]"} and scores.failed.tolist().count(0) == 20
    with pytest.raises(InputError, match="has no such predictions"):
        submissions.prediction_table(found, [])
