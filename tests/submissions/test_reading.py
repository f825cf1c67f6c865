from __future__ import annotations

import dataclasses
import json
import os

import pytest

import submissions
from benchmark.files.limits import contents
from submissions.format import METADATA_FILE
from submissions.problems import Limits
from tasks.errors import InputError
from tests.submissions import builder


def kinds(folder, task, **limits):
    found = submissions.doctor(folder, {task.name: task}, Limits(**limits))
    return [(p.severity, p.kind, p.file) for p in found]


def test_what_is_read_is_what_was_written(tmp_path, mini):
    reported = [{"task": "mini", "split": "loo", "metric": "KL", "value": 1, "source": "a paper"}]
    folder = builder.write(
        tmp_path, mini, {1: builder.rows(mini, 1), 7: builder.rows(mini, 7)}, cost={"tokens": 3}, reported=reported
    )
    found = submissions.read(folder)
    assert (found.name, found.version, found.authors) == ("ours", "1.0", ("Ada Example",))
    assert found.target == "free" and found.cost == {"tokens": 3.0} and found.reported[0].value == 1.0
    assert [(e.task, e.version, e.split, e.seed) for e in found.entries] == [
        ("mini", "1", "kfold", 1),
        ("mini", "1", "kfold", 7),
    ]
    assert all(e.path.is_file() for e in found.entries) and found.entries[0].key == "mini@1/kfold"
    assert found.inputs == ("image",) and found.cost == {"tokens": 3.0}


def test_the_first_error_is_raised_with_how_many_more_there_are(tmp_path, mini):
    with pytest.raises(InputError, match=r"submission.yaml: 'licence' is missing.*\(1 more errors; 'doctor' lists"):
        submissions.read(builder.write(tmp_path, mini, licens="x", licence=None))


def test_no_folder():
    with pytest.raises(InputError, match="there is no folder nowhere"):
        submissions.read("nowhere")


def test_an_empty_folder_and_a_folder_without_predictions(tmp_path, mini):
    assert kinds(tmp_path, mini) == [("error", "schema", METADATA_FILE)]
    builder.write(tmp_path, mini, {}, seeds=[1], digests={})
    assert kinds(tmp_path, mini) == [("error", "coverage", ".")]


@pytest.mark.parametrize("target", ["/etc/hostname", "/dev/zero", "nowhere", ".", ".."])
def test_symbolic_links_are_refused_wherever_they_are(tmp_path, mini, target):
    folder = builder.write(tmp_path / "s", mini)
    os.symlink(target, folder / "predictions" / "mini@1" / "kfold" / "seed-2.parquet")
    os.symlink(target, folder / "README.md")
    os.symlink(target, folder / "predictions" / "other@1")
    found = kinds(folder, mini)
    assert [kind for _, kind, _ in found] == ["link"] * 3 and all(s == "error" for s, _, _ in found)


def test_a_linked_submission_yaml_is_not_read(tmp_path, mini):
    folder = builder.write(tmp_path / "s", mini)
    (folder / METADATA_FILE).rename(tmp_path / "outside.yaml")
    os.symlink(tmp_path / "outside.yaml", folder / METADATA_FILE)
    assert ("error", "link", METADATA_FILE) in kinds(folder, mini)


def test_special_files_are_refused_and_not_opened(tmp_path, mini):
    folder = builder.write(tmp_path / "s", mini)
    os.mkfifo(folder / "predictions" / "mini@1" / "kfold" / "seed-2.parquet")
    assert kinds(folder, mini) == [("error", "link", "predictions/mini@1/kfold/seed-2.parquet")]


def test_a_file_swapped_for_a_link_or_a_pipe_is_not_followed(tmp_path):
    os.symlink("/etc/hostname", tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe"):
        with pytest.raises(InputError, match="cannot be read|not a regular file"):
            contents(tmp_path / name, 100)


@pytest.mark.parametrize(
    "name",
    [
        "predictions/mini@1/kfold/seed-1.csv",
        "predictions/mini@1/kfold/seed-01.parquet",
        "predictions/mini@1/kfold/seed-1.PARQUET",
        "predictions/mini@1/kfold/seed-99999999999.parquet",
        "predictions/mini@1/kfold/seed-\u0661.parquet",
        "predictions/mini/kfold/seed-1.parquet",
        "predictions/mini@1/seed-1.parquet",
        "predictions/..@1/kfold/seed-1.parquet",
        "predictions/mini@1/kfold/deep/seed-1.parquet",
    ],
)
def test_a_path_that_is_not_of_the_format(tmp_path, mini, name):
    folder = builder.write(tmp_path, mini)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    ((severity, kind, file),) = kinds(folder, mini)
    assert (severity, kind) == ("error", "schema") and file.isascii()


def test_files_beside_the_format_are_named_and_ignored(tmp_path, mini):
    folder = builder.write(tmp_path, mini)
    (folder / "README.md").write_text("hello")
    (folder / "model.pkl").write_bytes(b"\x80\x04")
    assert kinds(folder, mini) == [("warning", "schema", "model.pkl")]


PATHS = "paths/mini@1/kfold.json"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"u0-0": [[0, 1, 0], [3]]}', ""),
        ('{"u9-0": [[0]]}', "'u9-0' is no test session"),
        ('{"u0-0": [[0, 4]]}', "a path of session 'u0-0' leaves its 4 slots"),
        ('{"u0-0": [[0], [2, 2]]}', "a path of session 'u0-0' visits a slot twice in a row"),
        ('{"u0-0": [[0], [1], [2]]}', "of length <= 2"),
        (json.dumps({"u0-0": [[0, 1] * 101]}), "of length <= 200"),
        ('{"u0-0": [[]]}', "of length >= 1"),
        ("{}", "of length >= 1"),
        ('{"\\u001b[2J": [["x"]]}', "must be a whole number"),
        ('{"u0-0": [[0]], "u0-0": [[1]]}', "appears twice"),
        ("[" * 100_000, "not JSON"),
        (" " * 9 * 1024**2, "it has more than 8,388,608 bytes"),
    ],
)
def test_drawn_paths_are_bounded_and_of_the_test_sessions(tmp_path, mini, given, said):
    folder = builder.write(tmp_path, mini)
    (folder / PATHS).parent.mkdir(parents=True)
    (folder / PATHS).write_text(given)
    found = submissions.doctor(folder, {"mini": mini})
    assert [(p.severity, p.file) for p in found] == [("error", PATHS)] * bool(said)
    assert all(said in p.what and p.what.isprintable() for p in found), found
    assert submissions.read(folder).paths == {"mini@1/kfold": folder / PATHS}


def test_drawn_paths_without_predictions_are_refused(tmp_path, mini):
    folder = builder.write(tmp_path, mini)
    (folder / "paths/mini@1").mkdir(parents=True)
    (folder / "paths/mini@1/loo.json").write_text('{"u0-0": [[1]]}')
    assert kinds(folder, mini) == [("error", "coverage", "paths/mini@1/loo.json")]


def test_the_same_seed_in_two_files(tmp_path, mini):
    builder.write(tmp_path, mini)
    builder.write(tmp_path, mini, suffix=".jsonl")
    assert kinds(tmp_path, mini) == [("error", "schema", "predictions/mini@1/kfold/seed-1.parquet")]


@pytest.mark.parametrize(
    ("limits", "file"),
    [
        ({"files": 3}, "."),
        ({"total_bytes": 1000}, "."),
        ({"file_bytes": 1000}, "predictions/mini@1/kfold/seed-1.parquet"),
    ],
)
def test_sizes_are_checked_before_anything_is_read(tmp_path, mini, limits, file, monkeypatch):
    folder = builder.write(tmp_path, mini)
    monkeypatch.setattr("benchmark.scores.parquet.read", lambda *_: pytest.fail("it was read"))
    assert kinds(folder, mini, **limits) == [("error", "size", file)]


def test_a_long_submission_yaml_is_refused(tmp_path, mini):
    folder = builder.write(tmp_path, mini)
    with (folder / METADATA_FILE).open("a") as file:
        file.write("#" * 70_000)
    ((_, kind, _),) = kinds(folder, mini)
    assert kind == "schema"


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\x07", "\ud800", "\ufeff", "\x85"])
def test_characters_that_do_not_print_as_they_read_are_refused(tmp_path, mini, character):
    folder = builder.write(tmp_path, mini)
    text = (folder / METADATA_FILE).read_text().replace("A simulator for tests.", f'"x\\u{ord(character):04x}y"')
    (folder / METADATA_FILE).write_text(text)
    found = submissions.doctor(folder, {"mini": mini})
    assert [p.kind for p in found] == ["schema"] and f"U+{ord(character):04X}" in found[0].what


def test_other_scripts_and_markup_are_text_like_any_other(tmp_path, mini):
    folder = builder.write(tmp_path, mini, authors=["\u5f20\u4f1f", "Zo\u00eb <script>"], description="a\nb & c")
    assert submissions.doctor(folder, {"mini": mini}) == []
    assert submissions.read(folder).authors == ("\u5f20\u4f1f", "Zo\u00eb <script>")


def test_seeds_must_be_those_that_are_named(tmp_path, mini):
    folder = builder.write(tmp_path, mini, {1: builder.rows(mini, 1), 2: builder.rows(mini, 2)}, seeds=[1, 3])
    found = submissions.doctor(folder, {"mini": mini})
    assert [p.kind for p in found] == ["coverage"] * 2
    assert "no file for seed 3" in found[0].what and "a file for seed 2" in found[1].what


def test_a_wrong_field_does_not_hide_what_is_wrong_in_the_rows(tmp_path, mini):
    table = builder.rows(mini)
    table[3]["answer"] = 9
    folder = builder.write(tmp_path, mini, {1: table}, seeds="one", version=None)
    assert {p.kind for p in submissions.doctor(folder, {"mini": mini})} == {"schema", "answer"}


def test_importing_the_package_loads_no_model_library():
    import subprocess
    import sys

    code = (
        "import sys, submissions; from submissions import packing, template;"
        "assert not {'torch', 'ray', 'transformers', 'datasets', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_limits_are_values_of_their_own():
    assert dataclasses.asdict(Limits())["rows"] == 50_000
