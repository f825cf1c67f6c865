"""``leaderboard init``: a new board as a git repository, and what its workflow runs."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import yaml

from baselines import registry
from benchmark.cli import main
from leaderboard import starting, submitting
from leaderboard.board_files import Board
from tasks.errors import InputError
from tests.leaderboard.boards import AT, candidate

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]


def git(folder, *argv):
    return subprocess.run([*GIT, *argv], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_a_new_board_is_whole_and_nothing_is_overwritten(tmp_path, capsys):
    assert main(["leaderboard", "init", str(tmp_path / "new")]) == 0
    named = capsys.readouterr().out.split()
    assert all((tmp_path / "new").joinpath(path).exists() for path in named)
    assert main(["leaderboard", "verify", "--board", str(tmp_path / "new" / "board")]) == 0
    with pytest.raises(InputError, match="not empty"):
        starting.start(tmp_path / "new")
    assert main(["leaderboard", "init"]) == 2


def test_the_workflow_runs_commands_that_exist(tmp_path):
    starting.start(tmp_path / "new")
    flow = yaml.safe_load((tmp_path / "new/.github/workflows/board.yml").read_text())
    scripts = [step["run"] for job in flow["jobs"].values() for step in job["steps"] if "run" in step]
    verbs = {line.split()[3] for script in scripts for line in script.splitlines() if "python -m benchmark" in line}
    assert verbs == {"doctor", "submit", "leaderboard"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_two_branches_merge_by_taking_the_files_of_both(tmp_path, mini):
    """Both branches score the baselines; where their files differ, either copy is right."""
    root = tmp_path / "new"
    starting.start(root)
    git(root, "add", ".")
    git(root, "commit", "-qm", "start")
    for name in ("first", "second"):
        git(root, "switch", "-qc", name, "main")
        submitting.submit(root / "board", [candidate(name, mini)], registry, now=AT)
        context = next((root / "board" / "tasks").glob("*.json"))
        context.write_text(context.read_text() + " " * len(name))  # the same facts in other bytes
        git(root, "add", ".")
        git(root, "commit", "-qm", name)
    git(root, "switch", "-q", "main")
    git(root, "merge", "-q", "first")
    git(root, "merge", "-q", "--no-edit", "second")
    names = {
        Board.open(root / "board").result(one).metadata.name for one in Board.open(root / "board").names("results")
    }
    assert {"first", "second"} <= names
