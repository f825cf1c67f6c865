"""How large a predictions file may be; every limit is checked before what it bounds is decoded."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import InputError


@dataclass(frozen=True, slots=True)
class TableLimits:
    """The bounds of one predictions file.

    Attributes:
        slots: Numbers in one list of a cell.
        numbers: Numbers in one column.
        decoded_bytes: What the pages of a parquet file unpack to, all columns together.
        text_bytes: What the pages of a column of texts unpack to.
        line_bytes: Length of a line of a JSON-lines file.
        id_characters: Length of a session id.
    """

    file_bytes: int = 16 * 1024**2
    rows: int = 50_000
    slots: int = 1_000
    numbers: int = 4_000_000
    decoded_bytes: int = 128 * 1024**2
    text_bytes: int = 16 * 1024**2
    footer_bytes: int = 1024**2
    row_groups: int = 1_000
    line_bytes: int = 128 * 1024
    id_characters: int = 200


OWN = TableLimits(
    file_bytes=8 * 1024**3,
    rows=20_000_000,
    numbers=1_000_000_000,
    decoded_bytes=16 * 1024**3,
    text_bytes=4 * 1024**3,
    footer_bytes=256 * 1024**2,
    row_groups=1_000_000,
    line_bytes=16 * 1024**2,
)
"""For files that somebody scores or runs on their own machine."""


class TooLarge(InputError):
    """A file is larger than its limit."""


def contents(path: Path, limit: int) -> bytes:
    """Return the bytes of a regular file of at most ``limit`` bytes.

    The size is taken from the opened file, so that a file replaced in the meantime cannot be larger. TooLarge if it has
    more bytes, InputError if it is a symbolic link, not a regular file, or cannot be read.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError("it is not a regular file. Remove it.")
            if status.st_size > limit:
                raise TooLarge(f"it has {status.st_size:,} bytes; {limit:,} are allowed. Make it smaller.")
            return file.read(limit)
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror or error}. Put a regular file there.") from error
