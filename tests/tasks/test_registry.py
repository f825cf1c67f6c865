from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import tasks
from tasks import registry
from tasks.definition import ReadOptions
from tasks.errors import InputError
from tasks.prepare import prepare

ROOT = Path(__file__).parents[2]


def visible(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/*"))


def test_names():
    assert tasks.names() == ["recgaze", "recgaze-visible", "adserp", "adserp-page", "snacks"]


def test_a_mistyped_name():
    with pytest.raises(InputError, match="unknown task 'recgase'. Did you mean 'recgaze'"):
        tasks.load("recgase")
    with pytest.raises(InputError, match="unknown task"):
        registry.definition("nothing")


def test_importing_is_light():
    heavy = (
        "torch",
        "datasets",
        "pyarrow",
        "pandas",
        "PIL",
        "scipy",
        "yaml",
        "tasks.recgaze",
        "tasks.adserp",
        "tasks.snacks",
    )
    code = f"import sys, tasks; tasks.names(); print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", registry.names())
def test_a_notice_is_a_phrase_that_sentences_and_lists_of_notices_end_themselves(name):
    notice = registry.definition(name).sample_notice
    assert notice == notice.strip() and notice[-1].isalnum() and "; " not in notice


def test_the_public_names_exist():
    assert [name for name in tasks.__all__ if not hasattr(tasks, name)] == []
    with pytest.raises(AttributeError, match="no attribute 'Tusk'"):
        _ = tasks.Tusk


def test_a_prepared_folder(fake, raw, tmp_path):
    prepare(fake.FAKE, raw, tmp_path / "out")
    task = tasks.load("fake", tmp_path / "out")
    assert len(task) == 7 and task.folder == tmp_path / "out" and not task.simulated
    assert isinstance(task, tasks.Task)
    assert not (tmp_path / "cache").exists()


def test_a_raw_folder_is_prepared_once(fake, raw, tmp_path):
    said = []
    first = tasks.load("fake", str(raw), report=said.append)
    assert len(first) == 7 and not first.simulated
    assert first.folder.is_relative_to(tmp_path / "cache" / "fake")
    assert said[0].startswith(f"preparing {raw} once into {first.folder}") and "\n" not in said[0]
    said.clear()
    again = tasks.load("fake", raw, report=said.append)
    assert again.folder == first.folder and again.digests == first.digests and not said


def test_a_preparation_is_logged_by_default(fake, raw, caplog):
    with caplog.at_level(logging.INFO, logger="tasks"):
        tasks.load("fake", raw)
    assert "preparing" in caplog.text


def test_a_changed_raw_folder_is_prepared_anew(fake, raw, tmp_path):
    first = tasks.load("fake", raw).folder
    os.utime(raw / "events.csv", ns=(1, 1))
    second = tasks.load("fake", raw).folder
    fake.write_rows(raw, fake.rows(users=2))
    third = tasks.load("fake", raw)
    posters = tmp_path / "posters"
    posters.mkdir()
    by_options = [
        tasks.load("fake", raw, options=options).folder
        for options in (ReadOptions(size=(9, 9)), ReadOptions(images=False), ReadOptions(posters=posters))
    ]
    assert len({first, second, third.folder, *by_options}) == 6
    assert len(third) == 5


def test_the_sample_is_built_once(fake, tmp_path):
    said = []
    task = tasks.load("fake", "sample", report=said.append)
    assert task.simulated and task.notice == "simulated sample, not Tiny" and len(task) == 9
    assert task.session(0).image.open().size == (8, 5)
    assert "simulated sample" in said[0]
    assert (task.folder.parent / "raw" / "events.csv").is_file()
    said.clear()
    assert tasks.load("fake", report=said.append).folder == task.folder and not said
    assert len(visible(tmp_path / "cache")) == 1


def test_the_raw_sample_is_known_as_simulated_wherever_it_goes(fake, tmp_path):
    raw = tasks.load("fake", "sample").folder.parent / "raw"
    shutil.copytree(raw, tmp_path / "renamed")
    assert tasks.load("fake", tmp_path / "renamed").notice == "simulated sample, not Tiny"


def test_a_changed_generator_is_built_anew(fake, tmp_path):
    first = tasks.load("fake", "sample")
    source = Path(fake.__file__)
    source.write_text(source.read_text().replace("rows(users=4)", "rows(users=12)"))
    importlib.invalidate_caches()
    shutil.rmtree(source.parent / "__pycache__", ignore_errors=True)
    del sys.modules["gazebench_fake_task"]
    second = tasks.load("fake", "sample")
    assert second.folder != first.folder and (len(first), len(second)) == (9, 25)


def test_a_package_counts_with_all_its_files(fake, tmp_path, monkeypatch):
    package = tmp_path / "modules" / "gazebench_fake_package"
    package.mkdir()
    shutil.copy(fake.__file__, package / "__init__.py")
    (package / "titles.txt").write_text("one")
    monkeypatch.setitem(registry.TASKS, "fake", "gazebench_fake_package:FAKE")
    try:
        first = tasks.load("fake", "sample").folder
        (package / "titles.txt").write_text("two")
        assert tasks.load("fake", "sample").folder != first
    finally:
        sys.modules.pop("gazebench_fake_package", None)


def test_the_configured_folder(fake, raw, tmp_path, monkeypatch):
    monkeypatch.setenv("GAZEBENCH_DATA", str(tmp_path / "data"))
    assert tasks.load("fake").simulated
    (tmp_path / "data").mkdir()
    shutil.copytree(raw, tmp_path / "data" / "fake")
    assert not tasks.load("fake").simulated and len(tasks.load("fake")) == 7
    assert tasks.load("fake", "sample").simulated


def test_a_damaged_entry_is_built_anew(fake, caplog):
    task = tasks.load("fake", "sample")
    shutil.rmtree(task.folder / "data")
    assert len(tasks.load("fake", "sample")) == 9
    assert "building" in caplog.text and "cannot read" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_build_leaves_no_entry(fake, tmp_path, monkeypatch, error):
    def stops(*_):
        raise error

    monkeypatch.setattr(fake, "FAKE", replace(fake.FAKE, read=stops))
    with pytest.raises(error):
        tasks.load("fake", "sample")
    assert visible(tmp_path / "cache") == []


def test_folders_that_are_none(fake, tmp_path):
    with pytest.raises(InputError, match="there is no folder .*nowhere"):
        tasks.load("fake", tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "x.csv").touch()
    with pytest.raises(InputError, match="is not a raw folder of fake"):
        tasks.load("fake", tmp_path / "other")
    assert visible(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written(fake, raw, monkeypatch):
    monkeypatch.setenv("GAZEBENCH_CACHE", str(raw / "events.csv"))
    with pytest.raises(InputError, match="cannot write .*events.csv"):
        tasks.load("fake", "sample")


def _load_at_once(barrier, answers, folder):
    sys.path.insert(0, folder)
    registry.TASKS["fake"] = "gazebench_fake_task:FAKE"
    found = registry.definition("fake")

    def waits(raw):
        barrier.wait(60)
        found.write_sample(raw)

    sys.modules["gazebench_fake_task"].FAKE = replace(found, write_sample=waits)
    task = tasks.load("fake", "sample")
    answers.put((str(task.folder), len(task), task.session(3).image.open().size))


@pytest.mark.slow
def test_two_processes_build_the_same_entry_at_once(fake, tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    folder = str(Path(fake.__file__).parent)
    processes = [context.Process(target=_load_at_once, args=(barrier, answers, folder)) for _ in range(2)]
    for process in processes:
        process.start()
    results = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert results[0] == results[1] and results[0][1:] == (9, (8, 5))
    assert len(visible(tmp_path / "cache")) == 1
