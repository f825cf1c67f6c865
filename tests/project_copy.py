"""A copy of the project's packages, to which a test adds what a contributor would add."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.documents.shell import Warm

ROOT = Path(__file__).parents[1]
COPIED = ("tasks", "benchmark", "baselines", "leaderboard", "submissions", "configs")


class ProjectCopy:
    """The copy, a context: commands run one after another in a process that ends with it, or when a file is added.

    Args:
        folder: Where it is made; commands run in ``folder/work``.
    """

    def __init__(self, folder: Path) -> None:
        self.code, self.work = folder / "code", folder / "work"
        self.work.mkdir()
        self._process: Warm | None = None
        for name in COPIED:
            shutil.copytree(ROOT / name, self.code / name, ignore=shutil.ignore_patterns("__pycache__"))

    def __enter__(self) -> ProjectCopy:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process that runs commands; the next command reads the files as they are then."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def add(self, file: str, text: str) -> None:
        """Write a new file of the copy."""
        path = self.code / file
        assert not path.exists()
        self.stop()
        path.write_text(text, encoding="utf-8")

    def replace(self, file: str, old: str, new: str) -> None:
        """Change a text that occurs once in a file of the copy."""
        path = self.code / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, old
        self.stop()
        path.write_text(text.replace(old, new), encoding="utf-8")

    def add_line(self, file: str, after: str, line: str) -> None:
        """Add one line to a file of the copy, after the line that is exactly ``after``."""
        self.replace(file, f"\n{after}\n", f"\n{after}\n{line}\n")

    def call(self, *arguments: str, status: int = 0) -> str:
        """Run a command of the copy; return what it says."""
        if self._process is None:
            environment = {**os.environ, "PYTHONPATH": str(self.code), "COLUMNS": "200"}
            self._process = Warm(environment, self.work.parent / "log")
        ended = self._process.carry_out(arguments, self.work)
        assert ended.status == status, ended.said
        return ended.said
