from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tasks.task as module
from tasks.columns import LATER
from tasks.definition import ReadOptions
from tasks.errors import InputError
from tasks.prepare import prepare
from tasks.storage import cache_root
from tasks.task import open_folder
from tasks.types import ScreenImage


@pytest.fixture
def folder(fake, raw, tmp_path):
    prepare(fake.FAKE, raw, tmp_path / "prepared")
    return tmp_path / "prepared"


@pytest.fixture(params=["in memory", "mapped"])
def task(fake, folder, request, monkeypatch):
    if request.param == "mapped":
        monkeypatch.setattr(module, "IN_MEMORY_BYTES", 0)
    return open_folder(fake.FAKE, folder)


def test_metadata(task, folder, fake):
    info = fake.INFO
    assert (task.name, task.version, task.title, task.citation) == (info.name, info.version, info.title, info.citation)
    assert (task.licence, task.source, task.answer_format) == (info.licence, info.source, "letter")
    assert not task.simulated and task.notice == "" and task.folder == folder
    assert task.statistics.users == 3 and len(task) == len(task.sessions) == 7


def test_a_session_is_what_the_reader_gave(task, fake, raw, tmp_path):
    (tmp_path / "work").mkdir()
    read = fake.read(raw, ReadOptions(work=tmp_path / "work"), lambda items, **_: items).sessions
    loaded = task.sessions_at(range(7))
    assert [s.session_id for s in loaded] == [s.session_id for s in read]
    for given, expected in zip(loaded, read, strict=True):
        assert given.stimulus().slots == expected.slots
        assert (given.user, given.screen, given.profile) == (expected.user, expected.screen, expected.profile)
        assert (given.click, given.flags) == (expected.click, expected.flags)
        np.testing.assert_array_equal(given.gaze_ms, expected.gaze_ms)
        np.testing.assert_array_equal(given.cursor_ms, expected.cursor_ms)
        assert given.image.encoded() == expected.image.encoded()


def test_images(task):
    red, green, again = (task.session(i).image for i in (0, 1, 3))
    assert red.open().getpixel((0, 0)) == (255, 0, 0) and green.open().getpixel((0, 0)) == (0, 128, 0)
    assert red is again and red != green
    assert isinstance(red.data, bytes) and red.path is None
    assert red == ScreenImage(data=red.data) and red.digest() == ScreenImage(data=red.data).digest()
    assert repr(red) == "ScreenImage(row 0)"


def test_an_image_travels_alone(task):
    image = task.session(0).image
    copy = pickle.loads(pickle.dumps(image))
    assert type(copy) is ScreenImage and copy.data == image.data
    assert len(pickle.dumps(image)) < len(image.data) + 200


def test_images_are_not_fetched_before_they_are_asked_for(task, monkeypatch):
    fetched = []
    monkeypatch.setattr(module._StoredImage, "data", property(lambda self: fetched.append(self)))
    task.sessions_at(range(7))
    assert not fetched
    task.session(0).image.encoded()
    assert len(fetched) == 1


def test_a_caller_cannot_change_the_task(task):
    task.session(0).gaze_ms[:] = 0
    assert task.session(0).gaze_ms.tolist() == [0.25, 50.0, 30.04]


def test_find(task):
    assert task.find("u1-1").session_id == "u1-1"
    with pytest.raises(InputError, match="unknown session 'u1-11'. Did you mean 'u1-1'\\? fake has 7 sessions.$"):
        task.find("u1-11")


def test_splits(task):
    train, test = task.split("loo").folds[0]
    assert train.dtype.kind == "i" and sorted([*train, *test]) == list(range(7))
    assert sorted(task.sessions_at(test)[i].user for i in range(3)) == ["u0", "u1", "u2"]
    assert len(task.split("kfold").folds) == 5
    shown = [{s.screen for s in task.sessions_at(part)} for part in task.split("unseen-screen").folds[0]]
    assert not shown[0] & shown[1]
    with pytest.raises(InputError, match="unknown split 'unseen_screen'. Did you mean 'unseen-screen'"):
        task.split("unseen_screen")


def test_without_images(fake, raw, tmp_path):
    prepare(fake.FAKE, raw, tmp_path / "bare", ReadOptions(images=False))
    assert open_folder(fake.FAKE, tmp_path / "bare").session(0).image is None


def test_several_shards_keep_their_order(fake, raw, folder, monkeypatch):
    import tasks.prepare

    whole = [s.session_id for s in open_folder(fake.FAKE, folder).sessions_at(range(7))]
    monkeypatch.setattr(tasks.prepare, "SHARD_BYTES", 1)
    prepare(fake.FAKE, raw, folder)
    assert len(list((folder / "data").iterdir())) == 7
    task = open_folder(fake.FAKE, folder)
    assert [s.session_id for s in task.sessions_at(range(7))] == whole
    assert task.session(2).image.open().getpixel((0, 0)) == (0, 0, 255)


# ---- folders that cannot be used


def refuses(match, fake, folder):
    with pytest.raises(InputError, match=match) as caught:
        open_folder(fake.FAKE, folder)
    assert "\n" not in str(caught.value)


def without_digests(folder):
    """Make the folder one of format 1, whose ``task.json`` holds no digests of files."""
    change_task_json(folder, files={})


def rewrite(folder, change):
    """Apply ``change`` to the rows of the only shard; nothing but the digests of the splits can tell."""
    without_digests(folder)
    path = folder / "data/fake-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)


def change_task_json(folder, **values):
    """Make the folder one of format 1, which was written without a digest of itself, and change it."""
    path = folder / "task.json"
    found = json.loads(path.read_text())
    found.pop("digest", None)
    path.write_text(json.dumps(found | {"format": 1} | values))


def test_another_task_or_version(fake, folder):
    change_task_json(folder, version="0.9.0")
    refuses("holds version 0.9.0 of fake, this is 1.0.0. Prepare it again", fake, folder)
    change_task_json(folder, name="other")
    refuses("holds the prepared task other, not fake", fake, folder)
    change_task_json(folder, format=99)
    refuses("task.json is of format 99; this version reads 2", fake, folder)


def test_damaged_task_json(fake, folder):
    values = json.loads((folder / "task.json").read_text())
    (folder / "task.json").write_text(json.dumps(values | {"notice": ""} | {"notes": ["changed"]}))
    refuses("task.json is not the file that was written", fake, folder)
    (folder / "task.json").write_text(json.dumps(values | {"format": 1}))
    refuses("task.json is not the file that was written", fake, folder)
    values["format"] = 1
    del values["digest"]
    (folder / "task.json").write_text(json.dumps({k: v for k, v in values.items() if k != "digests"}))
    refuses("lacks 'digests'", fake, folder)
    (folder / "task.json").write_text(json.dumps(values | {"statistics": {"users": 3}}))
    refuses("'statistics' lacks 'sessions'", fake, folder)
    (folder / "task.json").write_text("{")
    refuses("line 1 is not JSON", fake, folder)
    (folder / "task.json").unlink()
    refuses("cannot read .*task.json: No such file", fake, folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.pop(),
        lambda rows: rows.reverse(),
        lambda rows: rows[1].update(click=0),
        lambda rows: rows[1].update(user="u1"),
        lambda rows: rows[1]["gaze_ms"].__setitem__(1, 60.0),
        lambda rows: rows[1].update(split_loo={"train": "test", "test": "train"}[rows[1]["split_loo"]]),
    ],
)
def test_rows_that_are_not_those_of_the_digest(fake, folder, change):
    rewrite(folder, change)
    refuses("not those of its digest for split", fake, folder)


def test_rows_that_do_not_bear_on_the_digest(fake, folder):
    rewrite(folder, lambda rows: rows[0].update(profile="changed", image=rows[1]["image"]))
    assert open_folder(fake.FAKE, folder).session(0).profile == "changed"


@pytest.mark.parametrize(
    "values", [{"split_loo": "valid"}, {"split_kfold": 9}, {"split_kfold": None}, {"gaze_ms": None}]
)
def test_values_that_are_none(fake, folder, values):
    rewrite(folder, lambda rows: rows[0].update(values))
    refuses("is damaged", fake, folder)


def test_missing_or_broken_data_files(fake, folder):
    without_digests(folder)
    shard = folder / "data/fake-00000-of-00001.parquet"
    shutil.copy(shard, folder / "data/fake-00000-of-00002.parquet")
    refuses("has 2 data files, which is not all", fake, folder)
    shard.unlink()
    refuses("has 1 data files, which is not all", fake, folder)
    shutil.rmtree(folder / "data")
    refuses("has 0 data files", fake, folder)


def test_a_shard_that_is_not_parquet_or_has_other_columns(fake, folder):
    without_digests(folder)
    shard = folder / "data/fake-00000-of-00001.parquet"
    pq.write_table(pq.read_table(shard).drop_columns(["slots"]), shard)
    refuses("does not have the columns", fake, folder)
    shard.write_bytes(b"PAR1 no")
    refuses("cannot read the data in", fake, folder)


@pytest.mark.parametrize("name", ["data/fake-00000-of-00001.parquet", "screens/s1.png", "README.md", "croissant.json"])
def test_one_changed_bit_in_any_file_is_noticed(fake, folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    refuses(rf"{name} is not the file that was written \(SHA-256\). Prepare the folder again", fake, folder)
    (folder / name).unlink()
    refuses(f"cannot read .*{name}: No such file", fake, folder)


def test_one_changed_bit_of_a_page_is_noticed_without_the_digests(fake, folder):
    without_digests(folder)
    path = folder / "data/fake-00000-of-00001.parquet"
    data = path.read_bytes()
    start = data.index(b"\x89PNG")
    path.write_bytes(data[: start + 30] + bytes([data[start + 30] ^ 1]) + data[start + 31 :])
    refuses("cannot read the data in", fake, folder)


def test_a_changed_bit_of_a_mapped_copy_is_noticed(fake, folder, monkeypatch):
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", 0)
    assert open_folder(fake.FAKE, folder).session(0).click == open_folder(fake.FAKE, folder).session(0).click
    (copy,) = (path for path in cache_root().rglob("*.arrow") if path.stat().st_size)
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    refuses(r"the Arrow copy in .* is not what was written \(SHA-256\). Remove that folder", fake, folder)


def test_an_image_named_by_its_digest_is_compared_with_it(fake, raw, folder):
    name = "0123456789abcdef.png"
    rewrite(folder, lambda rows: rows[0]["image"].update(path=name))
    with pytest.raises(InputError, match=rf"the image {name} of row 0 is damaged"):
        open_folder(fake.FAKE, folder).session(0).image.open()


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_a_folder_of_an_older_version(fake, folder, lacking):
    without_digests(folder)
    now = open_folder(fake.FAKE, folder)
    shard = folder / "data/fake-00000-of-00001.parquet"
    pq.write_table(pq.read_table(shard).drop_columns(list(LATER[-lacking:])), shard)
    manifest = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    for name in ("user-kfold", "screen-kfold")[: min(lacking, 2)]:
        del manifest["digests"][name]
    (folder / "task.json").write_text(json.dumps(manifest), encoding="utf-8")
    task = open_folder(fake.FAKE, folder)
    assert lacking < 3 or task.session(3).fixations == ()
    assert task.digests == now.digests
    assert {n: s.counts() for n, s in task.splits.items()} == {n: s.counts() for n, s in now.splits.items()}


def test_ratings_are_kept_and_an_earlier_folder_has_none(fake, raw, tmp_path):
    def read(raw, options, progress):
        reading = fake.read(raw, options, progress)
        rated = [tuple(replace(slot, rating=4.5) for slot in s.slots) for s in reading.sessions]
        return replace(reading, sessions=[replace(s, slots=r) for s, r in zip(reading.sessions, rated, strict=True)])

    folder = tmp_path / "rated"
    prepare(replace(fake.FAKE, read=read), raw, folder)
    assert [slot.rating for slot in open_folder(fake.FAKE, folder).session(2).slots] == [4.5] * 3
    without_digests(folder)
    shard = folder / "data/fake-00000-of-00001.parquet"
    table = pq.read_table(shard)
    old = pa.struct([field for field in table.schema.field("slots").type.value_type if field.name != "rating"])
    slots = [[{f.name: slot[f.name] for f in old} for slot in row] for row in table["slots"].to_pylist()]
    table = table.set_column(table.column_names.index("slots"), "slots", pa.array(slots, pa.list_(old)))
    pq.write_table(table, shard)
    assert [slot.rating for slot in open_folder(fake.FAKE, folder).session(2).slots] == [None] * 3


def test_a_split_without_a_part_is_refused_where_it_is_used(fake, tmp_path):
    (tmp_path / "raw").mkdir()
    fake.write_rows(tmp_path / "raw", [(f"u{n}-0", f"u{n}", "s1", "1", "1;2;3") for n in range(2)])
    summary = prepare(fake.FAKE, tmp_path / "raw", tmp_path / "out")
    assert "split loo has no test session: it cannot be used" in summary.notes
    task = open_folder(fake.FAKE, tmp_path / "out")
    for split, reason in (
        ("loo", "test"),
        ("kfold", "test"),
        ("unseen-screen", "training"),
        ("screen-kfold", "training"),
        ("user-kfold", "test"),
    ):
        with pytest.raises(InputError, match=f"split {split} has no {reason} session"):
            task.split(split)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [0, 10**9])
def test_a_folder_prepared_anew_is_read_anew(fake, raw, folder, monkeypatch, limit):
    monkeypatch.setattr(module, "IN_MEMORY_BYTES", limit)
    assert open_folder(fake.FAKE, folder).session(0).image.open().size == (6, 4)
    prepare(fake.FAKE, raw, folder, ReadOptions(size=(30, 20)))
    assert open_folder(fake.FAKE, folder).session(0).image.open().size == (30, 20)


def test_a_task_can_be_derived(task):
    derived = replace(task, sessions=task.sessions.select([4, 2]))
    assert derived.session(1).session_id == task.session(2).session_id
    assert derived.session(1).image.data == task.session(2).image.data
