"""``task.json``: what a prepared folder says about itself."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tasks.decoding import decode, load_json
from tasks.describe import Statistics
from tasks.errors import InputError

FILE = "task.json"
FORMAT = 2
"""Changes when columns or files of a prepared folder change; 1 had no fixations and no digests of files."""
_REMEDY = "prepare the folder again"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Where a prepared folder comes from and what it holds.

    Attributes:
        format: Version of the folder's layout.
        layout: Raw layout it was read from.
        notice: The line that every output on it carries; empty for recorded data.
        dropped: Reason -> sessions dropped for it.
        counts: Split -> part -> number of sessions.
        digests: Split -> SHA-256 (PROTOCOL section 4).
        files: Name below the folder -> SHA-256 of every file but this one; empty in format 1.
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
    files: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the text of ``task.json``; its last entry is a digest of the others."""
        values: dict[str, Any] = asdict(self)
        return json.dumps({**values, "digest": _digest(values)}, indent=2, ensure_ascii=False) + "\n"


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def check_files(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a prepared folder with its digest.

    Raises:
        InputError: A file is missing or is not what was written.
    """
    for name, digest in manifest.files.items():
        path = folder / name
        try:
            damaged = file_digest(path) != digest
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}. Prepare the folder again.") from error
        if damaged:
            raise InputError(f"{path} is not the file that was written (SHA-256). Prepare the folder again.")


def read_manifest(folder: Path) -> Manifest:
    """Read ``task.json`` of a prepared folder.

    Raises:
        InputError: The file is missing, is not JSON, or is not of this format.
    """
    path = folder / FILE
    values = load_json(path, _REMEDY)
    known = FORMAT
    if isinstance(values, dict):
        digest = values.pop("digest", None)
        stated = values.get("format")
        if stated in (1, FORMAT) and (digest, stated) != (None, 1) and digest != _digest(values):
            raise InputError(f"{path} is not the file that was written (SHA-256). Prepare the folder again.")
        known = 1 if values.get("format") == 1 else FORMAT
    return decode(Manifest, values, path, _REMEDY, version=("format", known))
