"""The files of tables and figures: one per format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.files.replacing import replace_file
from benchmark.output.document import Document
from benchmark.output.rendering import render
from benchmark.reproduction.provenance import NOTE
from tasks.storage import write_errors

SUFFIXES = {"terminal": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}
"""Format -> ending of its file."""


def write_files(out: Path, document: Document, pictures: Mapping[str, bytes] | None = None) -> list[Path]:
    """Write a document in every format, and its pictures (ending -> content), each file whole or not at all.

    Raises:
        InputError: ``out`` cannot be written.
    """
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    texts = {suffix: f"{render(document, form)}\n".encode() for form, suffix in SUFFIXES.items()}
    contents = {out / f"{document.name}.{suffix}": content for suffix, content in {**(pictures or {}), **texts}.items()}
    for path, content in contents.items():
        replace_file(path, lambda partial, content=content: partial.write_bytes(content))  # type: ignore[misc]
    return list(contents)


def captioned(captions: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what must be read before any number, and how the numbers came about."""
    notes = tuple(line.removeprefix(NOTE) for line in captions if line.startswith(NOTE))
    return notes, tuple(line for line in captions if not line.startswith(NOTE))
