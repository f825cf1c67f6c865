from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tasks import prepare as module
from tasks.definition import SIMULATED_MARK, PublicSource, Reading, ReadOptions
from tasks.errors import InputError
from tasks.hub import configurations
from tasks.prepare import prepare
from tasks.task import open_folder

COLUMNS = (
    "session_id user screen image profile slots gaze_ms cursor_ms click flags fixations "
    "split_loo split_kfold split_unseen_screen split_screen_kfold split_user_kfold"
).split()
TABLES = [*(f"kfold-{i}" for i in range(5)), "loo-test", "loo-train", "metadata"]
PICTURES = ["screens/**/*.png", "screens/**/*.jpg"]
TABLES += ["unseen-screen-test", "unseen-screen-train"]
NO_FOLD = [f"fold 3 of split {kind}-kfold has no test session: it cannot be used" for kind in ("screen", "user")]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def edited(definition, edit):
    """The definition with a reader whose reading is edited."""

    def read(raw, options, progress):
        reading = definition.read(raw, options, progress)
        return edit(reading) or reading

    return replace(definition, read=read)


def test_writes_the_folder(fake, raw, out):
    summary = prepare(fake.FAKE, raw, out)
    assert tree(out) == [
        "README.md",
        "croissant.json",
        "data/fake-00000-of-00001.parquet",
        *(f"screens/{name}.parquet" for name in TABLES if name < "s"),
        "screens/s1.png",
        "screens/s2.png",
        "screens/s3.png",
        *(f"screens/{name}.parquet" for name in TABLES if name > "s"),
        "task.json",
    ]
    assert (summary.read, summary.kept, dict(summary.dropped)) == (10, 7, {"no click": 1, "no gaze": 2})
    assert summary.counts["loo"] == {"train": 4, "test": 3}
    assert sum(summary.counts["kfold"].values()) == 7


def test_the_parquet_files_load_as_they_are(fake, raw, out, tmp_path):
    import datasets

    prepare(fake.FAKE, raw, out)
    loaded = datasets.load_dataset(
        "parquet", data_files=str(out / "data/*.parquet"), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert loaded.column_names == COLUMNS
    assert loaded.features == module.features()
    assert isinstance(loaded.features["image"], datasets.Image)
    assert loaded.features["gaze_ms"] == datasets.List(datasets.Value("float64"))
    first = loaded[0]
    assert first["image"].size == (6, 4) and first["image"].convert("RGB").getpixel((0, 0)) == (255, 0, 0)
    assert first["slots"][1] == {
        "label": "B",
        "kind": "film",
        "text": "Film 1",
        "box": [1.0, 0.0, 2.5, 4.0],
        "rating": None,
    }
    assert first["gaze_ms"] == [0.25, 50.0, 30.04] and first["cursor_ms"] == [30.04, 50.0, 0.25]
    assert (first["session_id"], first["click"], first["flags"]) == ("u0-0", 0, [])
    assert loaded["flags"][2] == ["several-clicks"]


@pytest.mark.parametrize("images", [True, False])
def test_the_folder_loads_by_configuration_and_split(fake, raw, out, tmp_path, images):
    import datasets

    prepare(fake.FAKE, raw, out, ReadOptions(images=images))
    task, given = open_folder(fake.FAKE, out), {"path": str(out), "cache_dir": str(tmp_path / "hf")}
    loaded = datasets.load_dataset(**given)
    assert list(loaded) == ["sessions"] and loaded["sessions"]["session_id"][:] == task.sessions["session_id"][:]
    assert not any("screen-kfold" in name for name in configurations(task.splits.values()))  # three screens, five folds
    for name in ("loo", "unseen-screen", "kfold-1"):
        mine = task.to_hf(name)
        assert mine["test"].info.license == task.licence
        for part in ("train", "test"):
            loaded = datasets.load_dataset(name=name, split=part, **given)
            assert set(loaded.features) | {"image"} == set(mine[part].features)
            ours = {row["session_id"]: row for row in mine[part]}
            assert sorted(loaded["session_id"]) == sorted(ours)
            for row in loaded:
                image, expected = row.pop("image", None), ours[row["session_id"]].copy()
                there = expected.pop("image")
                assert row == expected and (image is None if there is None else image.tobytes() == there.tobytes())
    stream = datasets.load_dataset(str(out), "loo", split="test", streaming=True)
    assert [row["session_id"] for row in stream] == task.to_hf("loo")["test"]["session_id"][:]
    with pytest.raises(InputError, match="Did you mean 'kfold-1'"):
        task.to_hf("kfold_1")


def test_without_images(fake, raw, out, tmp_path):
    import datasets

    with_images = prepare(fake.FAKE, raw, tmp_path / "other")
    without = prepare(fake.FAKE, raw, out, ReadOptions(images=False))
    assert without.digests == with_images.digests
    assert not (out / "screens").exists()
    loaded = datasets.load_dataset(
        "parquet", data_files=str(out / "data/*.parquet"), split="train", cache_dir=str(tmp_path / "hf")
    )
    assert loaded["image"][:] == [None] * 7 and loaded.features == module.features()


def test_images_given_as_bytes_are_embedded(fake, raw, out):
    import pyarrow.parquet as pq

    from tasks.types import ScreenImage

    def to_bytes(reading: Reading):
        reading.sessions = [replace(s, image=ScreenImage(data=s.image.encoded())) for s in reading.sessions]

    prepare(edited(fake.FAKE, to_bytes), raw, out)
    images = pq.read_table(out / "data", columns=["image"])["image"].to_pylist()
    assert {p.name for p in (out / "screens").glob("*.png")} == {image["path"] for image in images}
    assert images[0]["path"] == images[3]["path"] != images[1]["path"]
    assert images[0]["path"].endswith(".png") and images[0]["bytes"][:4] == b"\x89PNG"


def test_again_gives_the_same_files(fake, raw, out, tmp_path):
    first = prepare(fake.FAKE, raw, out)
    kept = {name: (out / name).read_bytes() for name in tree(out)}
    again = prepare(fake.FAKE, raw, out)
    assert again == first
    assert {name: (out / name).read_bytes() for name in tree(out)} == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modules", "out", "raw"]


def test_another_size_of_the_screens_is_the_same_split(fake, raw, out, tmp_path):
    small, large = prepare(fake.FAKE, raw, out), prepare(fake.FAKE, raw, tmp_path / "l", ReadOptions(size=(60, 40)))
    assert small.digests == large.digests
    assert (out / "screens/s1.png").read_bytes() != (tmp_path / "l/screens/s1.png").read_bytes()


def test_shards(fake, raw, out, monkeypatch):
    import pyarrow.parquet as pq

    prepare(fake.FAKE, raw, out)
    whole = pq.read_table(out / "data")
    monkeypatch.setattr(module, "SHARD_BYTES", 3 * max(file.stat().st_size for file in (out / "screens").glob("*.png")))
    monkeypatch.setattr(module, "GROUP_BYTES", 1)
    prepare(fake.FAKE, raw, out)
    files = sorted((out / "data").iterdir())
    assert [file.name for file in files] == [f"fake-{i:05d}-of-00003.parquet" for i in range(3)]
    assert [pq.ParquetFile(file).num_row_groups for file in files] == [3, 3, 1]
    assert pq.read_table(out / "data").equals(whole)


def test_task_json(fake, raw, out):
    summary = prepare(fake.FAKE, raw, out)
    values = json.loads((out / "task.json").read_text())
    assert (values["name"], values["version"], values["layout"], values["simulated"]) == (
        "fake",
        "1.0.0",
        "plain",
        False,
    )
    assert values["digests"] == summary.digests and set(values["digests"]) == {
        "loo",
        "kfold",
        "unseen-screen",
        "screen-kfold",
        "user-kfold",
    }
    assert values["counts"] == summary.counts and values["notes"] == ["colours were drawn", *NO_FOLD]
    assert values["statistics"]["sessions_per_user"] == {"min": 2, "median": 2, "mean": 2.333333, "max": 3}
    assert values["statistics"]["click_positions"] == [3, 3, 1]
    assert str(raw) not in (out / "task.json").read_text() + (out / "README.md").read_text()


def test_card(fake, raw, out):
    summary = prepare(fake.FAKE, raw, out)
    _, front, body = (out / "README.md").read_text().split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["license"] == "cc-by-4.0" and matter["size_categories"] == ["n<1K"]
    assert matter["configs"][0]["data_files"] == [
        {"split": "sessions", "path": ["screens/metadata.parquet", *PICTURES]}
    ]
    for text in ("The click is looked at.", "Everything is small.", "dropped, no gaze: 2", "@article{fake", "10 read"):
        assert text in body
    assert all(digest in body for digest in summary.digests.values())
    assert "simulated" not in body


def test_simulated_data_says_so_first(fake, raw, out):
    summary = prepare(fake.FAKE, raw, out, ReadOptions(simulated=True))
    _, front, body = (out / "README.md").read_text().split("---\n", 2)
    assert body.strip().startswith("> **simulated sample, not Tiny**")
    assert yaml.safe_load(front)["license"] == "mit" and "simulated" in yaml.safe_load(front)["tags"]
    assert json.loads((out / "task.json").read_text())["notice"] == "simulated sample, not Tiny"
    assert json.loads((out / "croissant.json").read_text())["description"].startswith("simulated sample, not Tiny")
    assert summary.lines()[0] == "simulated sample, not Tiny"


def test_a_simulated_raw_folder_is_known_by_its_mark(fake, raw, out):
    (raw / SIMULATED_MARK).touch()
    assert prepare(fake.FAKE, raw, out).notice == "simulated sample, not Tiny"


@pytest.mark.parametrize("licence", ["CC BY-NC 4.0", "research use only, on request"])
def test_a_licence_without_an_spdx_id(fake, raw, out, licence):
    definition = replace(fake.FAKE, info=replace(fake.INFO, licence=licence))
    prepare(definition, raw, out)
    matter = yaml.safe_load((out / "README.md").read_text().split("---\n")[1])
    assert (matter["license"], matter["license_name"]) == ("other", "see-provenance")
    assert f"- licence: {licence}" in (out / "README.md").read_text()


@pytest.mark.parametrize("images", [True, False])
def test_croissant_is_valid_and_gives_the_records(fake, raw, out, images, monkeypatch):
    monkeypatch.setattr(module, "SHARD_BYTES", 300)
    prepare(fake.FAKE, raw, out, ReadOptions(images=images))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of mlcroissant's own dependencies
        import mlcroissant

        found = mlcroissant.Dataset(jsonld=out / "croissant.json")
        records = list(found.records("sessions"))
    assert not found.metadata.issues.errors and not found.metadata.issues.warnings
    assert [record["sessions/session_id"] for record in records] == [
        row[0].encode() for row in fake.rows() if row[3] and row[4] != "0;0;0"
    ]
    assert list(records[0]["sessions/gaze_ms"]) == [0.25, 50.0, 30.04]
    assert records[2]["sessions/click"] == 2
    assert [slot["sessions/slots/label"] for slot in records[2]["sessions/slots"]] == [b"A", b"B", b"C"]
    assert list(records[2]["sessions/slots"][1]["sessions/slots/box"]) == [1.0, 0.0, 2.5, 4.0]
    if images:
        assert records[0]["sessions/image"].size == (6, 4)


def test_croissant_names_the_bytes_of_the_shards(fake, raw, out):
    prepare(fake.FAKE, raw, out)
    files = {entry["@id"]: entry for entry in json.loads((out / "croissant.json").read_text())["distribution"]}
    shard = out / "data/fake-00000-of-00001.parquet"
    assert files[shard.name]["sha256"] == hashlib.sha256(shard.read_bytes()).hexdigest()
    assert files[shard.name]["contentSize"] == f"{shard.stat().st_size} B"


def test_summary_lines(fake, raw, out):
    lines = prepare(fake.FAKE, raw, out).lines()
    assert lines[0] == "fake: 10 sessions read, 7 kept, 3 dropped"
    assert [line.split(None, 2)[1:] for line in lines[1:3]] == [["2", "no gaze"], ["1", "no click"]]
    assert lines[3] == "  note: colours were drawn"
    assert lines[4:6] == [f"  note: {note}" for note in NO_FOLD]
    assert "train: 4, test: 3" in lines[6] and lines[-1].endswith(str(out)) and len(lines) < 25


def test_progress_and_report(fake, raw, out):
    seen, said = [], []

    def progress(items, *, total=None, desc=""):
        seen.append((desc, total))
        return items

    prepare(fake.FAKE, raw, out, progress=progress, report=said.append)
    assert seen == [("reading", 10), ("writing", 1)]
    assert said == [f"reading {raw} as fake, layout plain"]


# ---- input that cannot be used


def refuses(match, *arguments, **keywords):
    with pytest.raises(InputError, match=match) as caught:
        prepare(*arguments, **keywords)
    assert "\n" not in str(caught.value)


def test_no_session_kept_lists_the_reasons(fake, raw, out):
    fake.write_rows(raw, fake.rows()[-3:])
    refuses(r"no session of .*raw .*\(3 read\): 2 no gaze; 1 no click", fake.FAKE, raw, out)
    fake.write_rows(raw, [])
    refuses("the files hold none", fake.FAKE, raw, out)
    assert not out.exists()


def test_duplicate_session_ids(fake, raw, out):
    fake.write_rows(raw, [*fake.rows(), fake.rows()[1]])
    refuses("session u0-1 occurs more than once", fake.FAKE, raw, out)
    assert not out.exists()


def test_raw_folders_that_are_none(fake, raw, out, tmp_path):
    refuses("there is no folder .*nowhere", fake.FAKE, tmp_path / "nowhere", out)
    refuses("there is no folder .*events.csv", fake.FAKE, raw / "events.csv", out)
    (tmp_path / "empty").mkdir()
    refuses("empty is empty", fake.FAKE, tmp_path / "empty", out)
    (raw / "events.csv").rename(raw / "event.csv")
    refuses(r"is not a raw folder of fake: .*\(plain\)", fake.FAKE, raw, out)


def test_layouts(fake, raw, out):
    refuses("unknown layout 'plane'. Did you mean 'plain'", fake.FAKE, raw, out, ReadOptions(layout="plane"))
    two = replace(fake.FAKE, layouts=("plain", "other"))
    refuses("has layout 'plain' of fake, not 'other'", two, raw, out, ReadOptions(layout="other"))
    assert prepare(two, raw, out, ReadOptions(layout="plain")).kept == 7


def test_a_clone_of_the_public_repository_is_known_by_its_folder(fake, raw, out, tmp_path):
    public = PublicSource("https://example.org/people/recordings", "site/data", "0a1b2c3", "1 MB, MIT")
    found, said = replace(fake.FAKE, public=public), []
    clone = tmp_path / "recordings"
    shutil.copytree(raw, clone / "site" / "data")
    prepare(found, clone, out, report=said.append)
    assert said[0] == f"{clone / 'site/data'} is part of {public.address}; prepare was tested with commit 0a1b2c3"
    prepare(found, raw, out, report=said.append)  # the folder itself is taken as before
    assert public.commands("fake") == (
        "git clone https://example.org/people/recordings && git -C recordings checkout --quiet 0a1b2c3 && "
        "python -m benchmark prepare --task fake --raw recordings --out data/fake"
    )


def test_a_folder_that_holds_something_else_is_not_touched(fake, raw, out, tmp_path):
    out.mkdir()
    (out / "thesis.tex").touch()
    refuses("it is not empty", fake.FAKE, raw, out)
    (out / "thesis.tex").unlink()
    assert prepare(fake.FAKE, raw, out).kept == 7
    other = replace(fake.FAKE, info=replace(fake.INFO, name="other"))
    refuses("it holds the prepared task fake", other, raw, out)
    (out / "notes.txt").touch()
    refuses("'notes.txt' in it would be lost", fake.FAKE, raw, out)
    refuses("it is a file", fake.FAKE, raw, out / "notes.txt")
    assert (out / "notes.txt").exists()


def test_raw_files_inside_the_target_are_not_lost(fake, raw, out):
    prepare(fake.FAKE, raw, out)
    raw.rename(out / "screens" / "raw")
    refuses("the input .*raw lies inside it", fake.FAKE, out / "screens" / "raw", out)
    assert (out / "screens" / "raw" / "events.csv").exists()


def test_an_unwritable_folder(fake, raw, tmp_path, monkeypatch):
    refuses("cannot write .*events.csv/out: Not a directory", fake.FAKE, raw, raw / "events.csv" / "out")

    def denied(self, *arguments, **keywords):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", denied)
    refuses("cannot write .*out: Permission denied", fake.FAKE, raw, tmp_path / "out")


def test_a_raw_file_that_cannot_be_read(fake, raw, out):
    def denied(reading):
        raise PermissionError(errno.EACCES, "Permission denied", str(raw / "events.csv"))

    refuses("cannot read .*events.csv: Permission denied", edited(fake.FAKE, denied), raw, out)
    assert not out.exists()


class Stop(Exception):
    """Stands for a defect of the program."""


STEPS = ("check_reading", "_keep_screens", "_write_shards", "describe", "card", "croissant", "_text", "assign")


@pytest.mark.slow
@pytest.mark.parametrize("error", [Stop, KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("before", [True, False])
def test_stopped_at_any_step_nothing_is_left(fake, raw, out, tmp_path, monkeypatch, step, error, before):
    prepare(fake.FAKE, raw, out)
    kept = {name: (out / name).read_bytes() for name in tree(out)}
    fake.write_rows(raw, fake.rows(users=5))
    done = getattr(module, step)

    def stops(*arguments, **keywords):
        if not before:
            done(*arguments, **keywords)
        raise error

    monkeypatch.setattr(module, step, stops)
    full = isinstance(error, OSError) and step not in ("check_reading", "describe", "assign")
    expected = InputError if full else (type(error) if isinstance(error, OSError) else error)
    for target in (out, tmp_path / "new"):
        with pytest.raises(expected, match="disk is full" if full else None):
            prepare(fake.FAKE, raw, target)
    assert {name: (out / name).read_bytes() for name in tree(out)} == kept
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modules", "out", "raw"]


def test_a_disk_that_fills_while_parquet_is_written(fake, raw, out, tmp_path, monkeypatch):
    import pyarrow.parquet as pq

    def full(self, *arguments, **keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    refuses("cannot write .*out: the disk is full", fake.FAKE, raw, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modules", "raw"]


def test_a_disk_that_fills_while_screens_are_drawn(fake, raw, out, tmp_path, monkeypatch):
    from PIL import Image

    def full(self, path, *arguments, **keywords):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Image.Image, "save", full)
    refuses("cannot write .*out: the disk is full", fake.FAKE, raw, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modules", "raw"]
    monkeypatch.undo()


def test_the_screens_are_the_bytes_in_the_table(fake, raw, out):
    import pyarrow.parquet as pq
    from PIL import Image

    prepare(fake.FAKE, raw, out)
    for image in pq.read_table(out / "data", columns=["image"])["image"].to_pylist():
        assert (out / "screens" / image["path"]).read_bytes() == image["bytes"]
        assert Image.open(io.BytesIO(image["bytes"])).size == (6, 4)
