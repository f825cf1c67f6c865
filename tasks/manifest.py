"""``task.json``: what a prepared folder says about itself."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tasks.describe import Statistics
from tasks.errors import InputError

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
    path = folder / FILE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not valid JSON ({error}). Prepare the folder again.") from error
    if not isinstance(values, Mapping) or values.get("format") != FORMAT:
        raise InputError(f"{path} is not a task description of format {FORMAT}. Prepare the folder again.")
    known = [item.name for item in fields(Manifest)]
    missing = [name for name in known if name not in values]
    if missing:
        raise InputError(f"{path} lacks '{missing[0]}'. Prepare the folder again.")
    try:
        statistics = Statistics.from_dict(values["statistics"])
    except (TypeError, AttributeError) as error:
        raise InputError(f"{path} has incomplete statistics ({error}). Prepare the folder again.") from error
    return Manifest(**{**{name: values[name] for name in known}, "statistics": statistics})
