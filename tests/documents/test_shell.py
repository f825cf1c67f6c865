"""Commands run apart leave nothing behind: no process, no folder, no change of the checkout's environment."""

from __future__ import annotations

import contextlib

import pytest

from tests.documents import shell as module
from tests.documents.shell import Shell


@pytest.fixture
def shell():
    with contextlib.closing(Shell()) as made:
        yield made


def test_what_a_command_leaves_running_is_not_waited_for_and_ends_with_the_shell(shell, tmp_path):
    ended = shell.run(["sh", "-c", "setsid sleep 600 & echo started"], tmp_path, {})
    assert (ended.status, ended.said) == (0, "started\n") and len(shell.processes()) == 1
    shell.close()
    assert not shell.processes() and not shell.folder.exists()


def test_a_command_that_takes_too_long_has_failed(shell, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SECONDS", 0.2)
    assert shell.run(["sleep", "600"], tmp_path, {}).status == -9 and not shell.processes()


def test_a_command_has_a_home_and_a_folder_for_temporary_files_of_its_own(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--of-these-tests")
    monkeypatch.setenv("RAY_ADDRESS", "somebody's")
    command = 'echo "$HOME $TMPDIR $RAY_ADDRESS $PYTEST_ADDOPTS $GIVEN"; pwd'
    said = shell.run(["sh", "-c", command], tmp_path, {"GIVEN": "given"}).said.split()
    assert said == [str(shell.folder / "home"), str(shell.folder), "given", str(tmp_path)]
