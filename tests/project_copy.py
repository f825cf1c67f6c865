"""A copy of the project's packages, to which a test adds what a contributor would add."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("tasks", "benchmark", "baselines", "leaderboard", "submissions", "configs")


class ProjectCopy:
    """The copy.

    Args:
        folder: Where it is made; commands run in ``folder/work``.
    """

    def __init__(self, folder: Path) -> None:
        self.code, self.work = folder / "code", folder / "work"
        self.work.mkdir()
        for name in COPIED:
            shutil.copytree(ROOT / name, self.code / name, ignore=shutil.ignore_patterns("__pycache__"))

    def add(self, file: str, text: str) -> None:
        """Write a new file of the copy."""
        path = self.code / file
        assert not path.exists()
        path.write_text(text, encoding="utf-8")

    def add_line(self, file: str, after: str, line: str) -> None:
        """Add one line to a file of the copy, after the line that is exactly ``after``."""
        path = self.code / file
        text = path.read_text(encoding="utf-8")
        assert text.count(f"\n{after}\n") == 1, after
        path.write_text(text.replace(f"\n{after}\n", f"\n{after}\n{line}\n"), encoding="utf-8")

    def call(self, *arguments: str, status: int = 0) -> str:
        """Run a command of the copy; return what it prints, messages last."""
        environment = {**os.environ, "PYTHONPATH": str(self.code), "COLUMNS": "200"}
        ended = subprocess.run(
            [sys.executable, "-m", "benchmark", *arguments],
            cwd=self.work,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr
