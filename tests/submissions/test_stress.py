"""Predictions under stress conditions in a submission: packed, read, checked."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import submissions
from submissions.packing import Facts, pack, under_stress
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
    pack(tested, "listing", tmp_path / "list", Facts("a toy", ("text",)))
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
        (lambda t: [*t, t[0]], "stands in row 1 already"),
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


# Transfers to another task


@pytest.fixture(scope="module")
def moved(mini, minor, tmp_path_factory):
    out = finished(mini, tmp_path_factory.mktemp("moved") / "run", ("tuned", "by-item"), seeds=(1, 2))
    study(mini, out, ("tuned",)).test((), other=minor)
    return out


def of_both(folder, mini, minor):
    return [str(p) for p in submissions.doctor(folder, {"mini": mini, "minor": minor}) if p.kind != "placeholder"]


def test_pack_takes_a_transfer_along_with_the_digest_and_the_notice_of_the_other_task(moved, mini, minor, tmp_path):
    pack(moved, "tuned", tmp_path / "s", Facts("a toy", ("image",)))
    found = submissions.read(tmp_path / "s")
    assert [e.name for e in found.stress] == [
        f"stress/transfer-minor@2/mini@1/kfold/seed-{seed}.parquet" for seed in (1, 2)
    ]
    assert found.stress[0].target == ("minor", "2") and found.stress[0].predicted == "minor@2/kfold"
    assert found.digests == {"mini@1/kfold": mini.digests["kfold"], "minor@2/kfold": minor.digests["kfold"]}
    assert found.notice == f"{mini.notice}; {minor.notice}"
    table = submissions.load_predictions(found.stress[0])
    assert len(table) == 15 and len(table["attention"][0]) == 3
    assert pq.read_schema(found.stress[0].path).metadata[b"notice"].decode() == f"{minor.notice}; {mini.notice}"
    assert not [line for line in of_both(tmp_path / "s", mini, minor) if "stress/" in line or "digest" in line]
    # What was not taken there has none, and is told nothing of the other task.
    pack(moved, "by-item", tmp_path / "plain", Facts("a toy", ("image",)))
    plain = submissions.read(tmp_path / "plain")
    assert plain.stress == () and plain.notice == mini.notice and set(plain.digests) == {"mini@1/kfold"}


def test_a_transfer_of_other_trials_is_not_packed(moved, tmp_path):
    shutil.copytree(moved, tmp_path / "run")
    path = tmp_path / "run" / "stress" / "transfer-minor" / "predictions.parquet"
    table = pq.read_table(path)
    for change, message in (
        ({b"trials": json.dumps({"tuned": ["0" * 24]}).encode()}, "about other trials of tuned.*--transfer minor"),
        ({b"trials": b"[1]"}, "damaged"),
    ):
        pq.write_table(table.replace_schema_metadata({**table.schema.metadata, **change}), path)
        with pytest.raises(InputError, match=message):
            pack(tmp_path / "run", "tuned", tmp_path / "s", Facts())
    # One that an earlier version wrote does not say what it was made from, and is left out.
    pq.write_table(table.replace_schema_metadata({"task": "minor"}), path)
    pack(tmp_path / "run", "tuned", tmp_path / "s", Facts())
    assert submissions.read(tmp_path / "s").stress == ()


def transferring(folder, mini, minor, change=lambda table: table, *, name="transfer-minor@2", digests=None, **more):
    """A submission for the one task with rows of the other task's sessions."""
    said = {"mini@1/kfold": mini.digests["kfold"], "minor@2/kfold": minor.digests["kfold"]}
    write(folder, mini, digests=said if digests is None else digests, **{"notice": "both are invented", **more})
    write_rows(folder / f"stress/{name}/mini@1/kfold/seed-1.jsonl", change(rows(minor)))
    return folder


def test_a_good_transfer_passes(mini, minor, tmp_path):
    assert of_both(transferring(tmp_path, mini, minor), mini, minor) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t[:-1], "1 of 15 test sessions are missing"),
        (lambda t: [{**t[0], "session_id": "u0-0"}, *t[1:]], "'u0-0' is not among the test sessions"),
        (lambda t: [{**t[0], "attention": [0.25] * 4}, *t[1:]], "has 4 numbers; the session has 3 slots"),
        (lambda t: [{**t[0], "answer": 3}, *t[1:]], "answer 3 is not a slot 0..2"),
        (lambda t: [{**t[0], "attention": None}, *t[1:]], "a part is blank here"),
    ],
)
def test_a_transfer_is_held_to_the_sessions_of_the_other_task(mini, minor, tmp_path, change, told):
    found = of_both(transferring(tmp_path, mini, minor, change), mini, minor)
    assert found and all("error: stress/transfer-minor@2/mini@1/kfold" in line for line in found)
    assert any(told in line for line in found)


def test_seeds_of_a_transfer_have_the_same_columns(mini, minor, tmp_path):
    transferring(tmp_path, mini, minor, runs={seed: rows(mini, seed) for seed in (1, 2)}, seeds=[1, 2])
    (line,) = of_both(tmp_path, mini, minor)
    assert "its seeds are not those of predictions/mini@1/kfold" in line
    bare = [{k: v for k, v in row.items() if k != "attention"} for row in rows(minor, 2)]
    write_rows(tmp_path / "stress/transfer-minor@2/mini@1/kfold/seed-2.jsonl", bare)
    (line,) = of_both(tmp_path, mini, minor)
    assert "has no attention, which another seed under transfer-minor@2 has" in line


def test_a_transfer_needs_a_digest_and_another_task(mini, minor, tmp_path):
    alone = {"mini@1/kfold": mini.digests["kfold"]}
    (line,) = of_both(transferring(tmp_path / "a", mini, minor, digests=alone), mini, minor)
    assert line.startswith("error: submission.yaml: 'digests' has no good entry for minor@2/kfold")
    found = of_both(transferring(tmp_path / "b", mini, minor, name="transfer-mini@1"), mini, minor)
    assert any("a transfer to the task that the simulator was fitted on" in line for line in found)
    found = of_both(transferring(tmp_path / "c", mini, minor, name="transfer-minor"), mini, minor)
    assert any("its path is not of the format" in line and "transfer-<other task>@<version>" in line for line in found)


def test_data_of_the_other_task_that_is_not_at_hand_is_no_fault_of_the_submission(mini, minor, tmp_path):
    other = {"mini@1/kfold": mini.digests["kfold"], "minor@2/kfold": "0" * 64}
    for folder, data in (
        (transferring(tmp_path / "a", mini, minor), {"mini": mini}),
        (transferring(tmp_path / "b", mini, minor, digests=other), {"mini": mini, "minor": minor}),
    ):
        problems = submissions.doctor(folder, data)
        assert [p.severity for p in problems] == ["warning"]
        assert "neither checked nor measured" in str(problems[0]) and "minor" in str(problems[0])


def test_simulated_data_of_the_other_task_asks_for_a_notice(mini, minor, tmp_path):
    found = of_both(transferring(tmp_path, mini, minor, notice=None), mini, minor)
    assert any("minor@2/kfold is simulated data, but 'notice' is blank" in line for line in found)


@pytest.mark.parametrize("odd", ["\ud800", "a\u2028b", "tab\there"])
def test_sessions_that_cannot_be_looked_up_need_ids_that_print(mini, minor, tmp_path, odd):
    changed = transferring(tmp_path, mini, minor, lambda t: [{**t[0], "session_id": odd}, *t[1:]])
    found = submissions.errors(submissions.doctor(changed, {"mini": mini, "minor": minor.folder / "nowhere"}))
    assert len(found) == 1 and "cannot be the id of a session" in str(found[0]) and str(found[0]).isprintable()
