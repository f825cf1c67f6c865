"""The files of a submission's folder, without following anything out of it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from benchmark.files.printable import shown
from submissions.problems import Findings, Limits
from tasks.errors import InputError

_MAX_DEPTH = 6


def files(folder: Path, limits: Limits, found: Findings) -> list[str] | None:
    """Return the paths of the regular files inside ``folder``, with ``/``, sorted; None if there are too many to list.

    Symbolic links and special files (devices, pipes) are errors and are not returned; nothing is opened. InputError if
    ``folder`` is not a folder that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}. Give the folder that holds submission.yaml.")
    listed: list[str] = []
    total = 0
    try:
        for count, (name, status) in enumerate(_walk(folder, "", 0), start=1):
            if count > limits.files:
                what = f"there are more than {limits.files} files and folders."
                found.error("size", ".", None, what, "Remove what is extra.")
                return None
            if stat.S_ISLNK(status.st_mode):
                found.error("link", shown(name), None, "it is a symbolic link.", "Put the file itself there.")
            elif stat.S_ISREG(status.st_mode):
                listed.append(name)
                total += status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                found.error("link", shown(name), None, "it is not a regular file.", "Remove it.")
    except OSError as error:
        raise InputError(f"cannot read {shown(error.filename or folder)}: {error.strerror or error}.") from error
    if total > limits.total_bytes:
        what = f"the files take {total:,} bytes; {limits.total_bytes:,} are allowed."
        found.error("size", ".", None, what, "Make it smaller.")
        return None
    return sorted(listed)


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything below ``folder`` with its own status, links not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = prefix + entry.name
            yield name, entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False) and depth < _MAX_DEPTH:
                yield from _walk(Path(entry.path), name + "/", depth + 1)
