from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import InputError
from tasks.storage import cache_root, file_name, read_errors, staged, sweep, token, write_errors


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("text", "name"),
    [("KINIT_1-1", "KINIT_1-1"), ("../x", "%2E.%2Fx"), ("..", "%2E%2E"), ("a\nb", "a%0Ab"), ("con", "%63on")]
    + [("NUL.txt", "%4EUL.txt"), ("console", "console"), ("x.", "x%2E")],
)
def test_ids_as_names_of_files(text, name):
    assert file_name(text) == name


def test_long_ids_as_names_of_files():
    names = {file_name("x" * n) for n in (300, 301)}
    assert len(names) == 2 and all(len(name) < 200 for name in names)


def test_appears_whole(tmp_path):
    target = tmp_path / "deep" / "data"
    with staged(target, replace=False) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert (target / "a").read_text() == "1"
    assert entries(target.parent) == ["data"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("replace", [True, False])
def test_an_exception_leaves_things_as_they_were(tmp_path, error, replace):
    target = tmp_path / "data"
    target.mkdir()
    (target / "old").touch()
    with pytest.raises(error), staged(target, replace=replace) as folder:
        (folder / "new").touch()
        raise error
    assert entries(tmp_path) == ["data"] and entries(target) == ["old"]


@pytest.mark.parametrize(("replace", "expected"), [(True, ["new"]), (False, ["old"])])
def test_a_folder_that_stands_there(tmp_path, replace, expected):
    target = tmp_path / "data"
    with staged(target, replace=replace) as folder:
        (folder / "new").touch()
        target.mkdir()
        (target / "old").touch()
    assert entries(target) == expected and entries(tmp_path) == ["data"]


def test_an_empty_folder_counts_as_none(tmp_path):
    (tmp_path / "data").mkdir()
    with staged(tmp_path / "data", replace=False) as folder:
        (folder / "new").touch()
    assert entries(tmp_path / "data") == ["new"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_the_former_folder_comes_back_if_the_exchange_fails(tmp_path, monkeypatch, error):
    target = tmp_path / "data"
    target.mkdir()
    (target / "old").touch()
    rename, calls = os.rename, []

    def fails_the_second_time(a, b):
        calls.append((a, b))
        if len(calls) == 2:
            raise error
        rename(a, b)

    monkeypatch.setattr(os, "rename", fails_the_second_time)
    with pytest.raises((InputError, KeyboardInterrupt)), staged(target, replace=True) as folder:
        (folder / "new").touch()
    assert entries(tmp_path) == ["data"] and entries(target) == ["old"]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write .*file/data"), staged(tmp_path / "file" / "data", replace=True):
        pytest.fail("no folder can be made below a file")


def test_a_full_disk_says_so(tmp_path):
    with pytest.raises(InputError, match=r"cannot write .*: the disk is full") as caught, write_errors(tmp_path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "\n" not in str(caught.value)


def test_reading_and_writing_are_told_apart(tmp_path):
    written = tmp_path / "out"
    cases = {
        r"cannot read raw/x\.csv: Permission denied": PermissionError(errno.EACCES, "Permission denied", "raw/x.csv"),
        r"cannot read raw: nothing known": OSError("nothing known"),
        r"cannot write target: Permission denied": PermissionError(
            errno.EACCES, "Permission denied", str(written / "a.png")
        ),
        r"cannot write target: the disk is full": OSError(errno.ENOSPC, "No space", "elsewhere"),
    }
    for message, error in cases.items():
        with pytest.raises(InputError, match=message), read_errors(Path("raw"), written, Path("target")):
            raise error


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("GAZEBENCH_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "mine"
    monkeypatch.delenv("GAZEBENCH_CACHE")
    assert cache_root() == tmp_path / "xdg" / "gazebench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / ".cache" / "gazebench"


def test_what_killed_processes_left_is_removed_and_a_former_folder_comes_back(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine, machine, _ = token().split("-")
    left = [tmp_path / f".out.{kind}-{gone.pid}-{machine}-0123abcd" for kind in ("partial", "old")]
    kept = [tmp_path / f".out.partial-{mine}-{machine}-0123abcd", tmp_path / f".out.partial-{gone.pid}-ffffff-0123abcd"]
    for folder in (*left, *kept):
        folder.mkdir()
        (folder / "file").write_text(folder.name)
    sweep(tmp_path)
    assert (tmp_path / "out" / "file").read_text() == left[1].name
    with staged(tmp_path / "out", replace=True) as folder:
        (folder / "new").write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out", *(folder.name for folder in kept)])


def test_no_home_is_one_line(monkeypatch):
    for name in ("HOME", "XDG_CACHE_HOME", "GAZEBENCH_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(InputError, match="set GAZEBENCH_CACHE"):
        cache_root()
