"""The template of ``new-simulator``: a simulator that runs, its configuration, its test.

The files here are themselves run and tested; ``write`` copies them with another name.
"""

from __future__ import annotations

import re
from pathlib import Path

from tasks.errors import InputError
from tasks.storage import staged

FOLDER = Path(__file__).parent
NAME, CLASS = "my-simulator", "MySimulator"
"""What the template's simulator is called."""

FILES = ("simulator.py", "test_simulator.py", "config.yaml", "about.yaml", "README.md")

_NAME = re.compile(r"[a-z][a-z0-9]+(-[a-z][a-z0-9]+)*")


def class_name(name: str) -> str:
    """Return the class of a simulator's name: ``top-left`` is ``TopLeft``; InputError if it is not such a name."""
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is no name for a simulator; use small letters, digits and hyphens: top-left.")
    return "".join(word.capitalize() for word in name.split("-"))


def write(name: str, out: Path) -> list[Path]:
    """Write the template's files under another name and return them; ``out`` must not exist, or be empty.

    InputError if the name is bad, or the folder not empty or cannot be written.
    """
    cls = class_name(name)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not empty; choose another folder with --out.")
    with staged(out, replace=False) as folder:
        for file in FILES:
            text = (FOLDER / file).read_text(encoding="utf-8")
            (folder / file).write_text(text.replace(CLASS, cls).replace(NAME, name), encoding="utf-8")
    return [out / file for file in FILES]
