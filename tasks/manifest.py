"""``task.json``: what a prepared folder says about itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tasks.decoding import read_json
from tasks.describe import Statistics

FILE = "task.json"
FORMAT = 1
"""Changes when columns or files of a prepared folder change."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a prepared folder comes from and what it holds.

    Attributes:
        format: Version of the folder's layout.
        name: Task.
        version: Version of the task.
        layout: Raw layout it was read from.
        simulated: The raw files were a simulation of this project.
        notice: The line that every output on it carries; empty for recorded data.
        read: Candidate sessions in the raw files.
        kept: Sessions kept.
        dropped: Reason -> sessions dropped for it.
        notes: What the reader had to say.
        counts: Split -> part -> number of sessions.
        digests: Split -> SHA-256 (PROTOCOL section 4).
        statistics: Descriptive statistics.
    """

    format: int
    name: str
    version: str
    layout: str
    simulated: bool
    notice: str
    read: int
    kept: int
    dropped: dict[str, int]
    notes: list[str]
    counts: dict[str, dict[str, int]]
    digests: dict[str, str]
    statistics: Statistics

    def to_json(self) -> str:
        """Return the text of ``task.json``."""
        values: dict[str, Any] = asdict(self)
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read ``task.json`` of a prepared folder.

    Raises:
        InputError: The file is missing, is not JSON, or is not of this format.
    """
    return read_json(Manifest, folder / FILE, "prepare the folder again", version=("format", FORMAT))
