"""Files that appear whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from tasks.storage import sweep, token, write_errors


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file next to ``path``, then put it in place in one step; its folder is made.

    InputError if the file cannot be written; what was at ``path`` before is untouched.
    """
    with write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{token()}")
    try:
        with write_errors(path):
            sweep(path.parent)
            write(partial)
            settle(partial)
            os.replace(partial, path)
            settle(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def settle(path: Path) -> None:
    """Have a file's content or a folder's names reach the disk, where the system can be asked to."""
    if path.is_dir() and not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one step; see :func:`replace_file`."""
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8", newline="\n"))
