"""The formats that tables and figures are written in, and their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from benchmark.files.replacing import replace_file
from benchmark.output.latex import escape_latex
from benchmark.reproduction.provenance import NOTE, sentence
from tasks.errors import unknown_name
from tasks.storage import write_errors

T = TypeVar("T")

SUFFIXES = {"terminal": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}
"""Format -> ending of its file."""


def rendered(value: T, form: str, renderers: Mapping[str, Callable[[T], str]]) -> str:
    """Return ``value`` in the format ``form``; the text ends in a line feed.

    Raises:
        InputError: There is no such format.
    """
    if form not in renderers:
        raise unknown_name("format", form, renderers)
    return renderers[form](value).rstrip("\n") + "\n"


def write_files(out: Path, name: str, contents: Mapping[str, bytes]) -> list[Path]:
    """Write ``name.suffix`` for every suffix of ``contents``, each whole or not at all; return the files.

    Raises:
        InputError: ``out`` cannot be written.
    """
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"{name}.{suffix}" for suffix in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        replace_file(path, lambda partial, content=content: partial.write_bytes(content))  # type: ignore[misc]
    return paths


def split_captions(captions: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the captions that stand above, on stand-ins and simulated data, and those that stand below."""
    notes = [line for line in captions if line.startswith(NOTE)]
    return notes, [line for line in captions if line not in notes]


def latex_caption(title: str, captions: Sequence[str]) -> tuple[str, str]:
    """Return two LaTeX paragraphs of whole sentences: what must be known first, and how the numbers came about."""
    notes, remarks = split_captions(captions)
    parts = [sentence(title)]
    if notes:
        parts += [NOTE.strip().capitalize(), *(sentence(note.removeprefix(NOTE)) for note in notes)]
    above, below = (escape_latex(" ".join(found)) for found in (parts, list(map(sentence, remarks))))
    return above, below.replace(" - ", " $-$ ")


def label(kind: str, name: str) -> str:
    """Return what LaTeX refers to: ``tab:main``, ``fig:sensitivity``."""
    return f"{kind}:{name}"
