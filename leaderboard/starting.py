"""Starts a board as a git repository: an empty board, how to submit to it, and the workflow that keeps it."""

import shutil
import subprocess
from pathlib import Path

from leaderboard.board_files import MARKER, Board
from tasks.errors import InputError
from tasks.storage import staged

FOLDER = Path(__file__).parent / "template"
FILES = {
    "README.md": "README.md",
    "SUBMITTING.md": "SUBMITTING.md",
    "gitattributes": ".gitattributes",
    "board.yml": ".github/workflows/board.yml",
}
"""File of the template -> where it is in a board's repository."""


def start(out: Path) -> list[Path]:
    """Write the files of a new board and return them; ``out`` must not exist, or be empty.

    Where git is installed the folder becomes a repository that keeps either copy of a file which two branches added.
    InputError if the folder is not empty, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty; name a new folder.")
    places = [*FILES.values(), f"board/{MARKER}", "incoming/.gitkeep"]
    with staged(out, replace=False) as folder:
        for place in places:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
        for name, place in FILES.items():
            shutil.copyfile(FOLDER / name, folder / place)
        Board.create(folder / "board")
        (folder / "incoming" / ".gitkeep").touch()
        if shutil.which("git"):
            for command in (["init", "--quiet", "--initial-branch", "main"], ["config", "merge.either.driver", "true"]):
                if subprocess.run(["git", "-C", str(folder), *command], capture_output=True).returncode:
                    raise InputError(
                        f"cannot write {out}: git failed to start a repository there. Look for room and rights."
                    )
    return [out / place for place in places]
