"""Predictions under stress conditions in a submission: packed, read, checked."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import submissions
from submissions.facts import Facts
from submissions.packing import pack, under_stress
from tasks.errors import InputError
from tests.benchmark.stress.conftest import finished, study
from tests.submissions.builder import rows, write, write_rows

NAMES = ("by-item", "listing", "leaking")


@pytest.fixture(scope="module")
def tested(mini, tmp_path_factory):
    out = finished(mini, tmp_path_factory.mktemp("packed") / "run", NAMES)
    study(mini, out).test(("relabel", "label-leak"))
    return out


def complaints(folder, mini):
    return [str(p) for p in submissions.errors(submissions.doctor(folder, {"mini": mini}))]


@pytest.mark.slow
def test_pack_takes_the_published_conditions_along(tested, mini, tmp_path):
    pack(tested, "leaking", tmp_path / "s", Facts("a toy", ("image",)))
    found = submissions.read(tmp_path / "s")
    assert [e.condition for e in found.entries] == [""]
    assert [e.condition for e in found.stress] == ["relabel", "true-label", "wrong-label"]
    assert found.stress[0].name == "stress/relabel/mini@1/kfold/seed-1.parquet" and found.stress[0].path.is_file()
    assert complaints(tmp_path / "s", mini) == []
    # A condition that does not apply leaves no file.
    pack(tested, "by-item", tmp_path / "plain", Facts("a toy", ("image",)))
    assert [e.condition for e in submissions.read(tmp_path / "plain").stress] == ["relabel"]
    # Neither does relabelling what names slots by labels of its own, which a board does not know.
    pack(tested, "listing", tmp_path / "list", Facts("a toy", ("text",), own_labels=True))
    assert submissions.read(tmp_path / "list").stress == ()


def test_other_seeds_and_other_trials_are_not_packed(tested, mini, tmp_path):
    from benchmark.scores import results

    shutil.copytree(tested, tmp_path / "run")
    study(mini, tmp_path / "run", ("by-item",), seed=3).test(("relabel",))
    found = results.read(tmp_path / "run")
    assert set(under_stress(tmp_path / "run", found, "leaking")) == {"true-label", "wrong-label"}
    path = tmp_path / "run" / "stress" / "true-label" / "predictions.parquet"
    table = pq.read_table(path)
    about = {**table.schema.metadata, b"trials": json.dumps({"leaking": ["0" * 24] * 5}).encode()}
    pq.write_table(table.replace_schema_metadata(about), path)
    with pytest.raises(InputError, match="about other trials of leaking"):
        under_stress(tmp_path / "run", found, "leaking")
    path.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="damaged"):
        under_stress(tmp_path / "run", found, "leaking")


def test_a_condition_under_which_it_failed_is_not_packed(tested, tmp_path):
    from benchmark.scores import results

    shutil.copytree(tested, tmp_path / "run")
    path = tmp_path / "run" / "stress" / "relabel" / "predictions.parquet"
    table = pq.read_table(path)
    frame = table.to_pandas()
    first = frame.index[frame["simulator"] == "leaking"][0]
    frame.at[first, "attention"] = None
    gaps = pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False)
    pq.write_table(gaps.replace_schema_metadata(table.schema.metadata), path)
    found = results.read(tmp_path / "run")
    assert set(under_stress(tmp_path / "run", found, "leaking")) == {"true-label", "wrong-label"}


def stressed(folder, mini, table, name="stress/layout/mini@1/kfold/seed-1.jsonl"):
    write(folder, mini)
    write_rows(folder / name, table)
    return folder


def test_good_rows_pass(mini, tmp_path):
    assert complaints(stressed(tmp_path, mini, rows(mini, 2)), mini) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t[:-1], "1 of 21 test sessions are missing"),
        (lambda t: [*t, t[0]], "is in row 1 already"),
        (lambda t: [{**t[0], "session_id": "nobody"}, *t[1:]], "is not among the test sessions"),
        (lambda t: [{**t[0], "attention": [0.5, 0.5]}, *t[1:]], "has 2 numbers; the session has 4 slots"),
        (lambda t: [{**t[0], "probabilities": [1.0, 1.0, 1.0, 1.0]}, *t[1:]], "sum to 4"),
        (lambda t: [{**t[0], "answer": 9}, *t[1:]], "answer"),
        (lambda t: [{**t[0], "attention": None}, *t[1:]], "a part is blank here and in 0 other rows"),
        (lambda t: [{**t[0], "attention": [0, 0, 0, 0]}, *t[1:]], "a part is blank here and in 0 other rows"),
        (lambda t: [{"session_id": r["session_id"]} for r in t], "neither attention nor probabilities nor answers"),
    ],
)
def test_bad_rows_are_errors(mini, tmp_path, change, told):
    found = complaints(stressed(tmp_path, mini, change(rows(mini, 2))), mini)
    assert found and all("stress/layout" in line for line in found) and any(told in line for line in found)


def test_seeds_under_a_condition_have_the_same_columns(mini, tmp_path):
    write(tmp_path, mini, {seed: rows(mini, seed) for seed in (1, 2)}, seeds=[1, 2])
    for seed in (1, 2):
        table = rows(mini, seed)
        write_rows(tmp_path / f"stress/layout/mini@1/kfold/seed-{seed}.jsonl", table)
    assert complaints(tmp_path, mini) == []
    for row in table:
        del row["attention"]
    write_rows(tmp_path / "stress/layout/mini@1/kfold/seed-2.jsonl", table)
    (line,) = complaints(tmp_path, mini)
    assert "seed-2.jsonl" in line and "has no attention, which another seed under layout has" in line


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stress/mirrored/mini@1/kfold/seed-1.jsonl", "its path is not of the format"),
        ("stress/layout.jsonl", "its path is not of the format"),
        ("stress/layout/mini@1/kfold/seed-2.jsonl", "its seeds are not those of predictions/mini@1/kfold"),
        ("stress/layout/mini@1/loo/seed-1.jsonl", "its seeds are not those of predictions/mini@1/loo"),
    ],
)
def test_paths_must_be_of_the_format_and_fit_the_predictions(mini, tmp_path, name, told):
    found = complaints(stressed(tmp_path, mini, rows(mini, 2), name), mini)
    assert any(told in line for line in found)


def test_transfers_of_older_versions_are_ignored_with_a_note(mini, tmp_path):
    write(tmp_path, mini)
    write_rows(tmp_path / "stress/transfer-minor@2/mini@1/kfold/seed-1.jsonl", rows(mini))
    (line,) = map(str, submissions.doctor(tmp_path, {"mini": mini}))
    assert line.startswith("warning: stress/transfer-minor@2: boards no longer score predictions of another task's")
    assert submissions.read(tmp_path).stress == ()
