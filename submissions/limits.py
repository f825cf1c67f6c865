"""How large a submission may be; every limit is checked before what it bounds is read or decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one submission.

    With the defaults, checking any folder stays far below 1 GiB of memory.

    Attributes:
        metadata_bytes: Size of ``submission.yaml``.
        metadata_depth: How deep its values may be nested.
        metadata_values: How many values it may hold.
        files: Files and folders in the submission.
        file_bytes: Size of one predictions file.
        total_bytes: Size of all files together.
        rows: Rows of one predictions file.
        slots: Numbers in one cell.
        numbers: Numbers in one column of one file.
        decoded_bytes: What the pages of a parquet file unpack to, all columns together.
        text_bytes: What the pages of a column of texts unpack to.
        footer_bytes: Size of a parquet file's footer.
        row_groups: Row groups of a parquet file.
        line_bytes: Length of a line of a JSON-lines file.
        id_characters: Length of a session id.
        shown: Problems of one kind in one file that are listed row by row; the rest is counted.
    """

    metadata_bytes: int = 64 * 1024
    metadata_depth: int = 8
    metadata_values: int = 5_000
    files: int = 500
    file_bytes: int = 16 * 1024**2
    total_bytes: int = 256 * 1024**2
    rows: int = 50_000
    slots: int = 1_000
    numbers: int = 4_000_000
    decoded_bytes: int = 128 * 1024**2
    text_bytes: int = 16 * 1024**2
    footer_bytes: int = 1024**2
    row_groups: int = 1_000
    line_bytes: int = 128 * 1024
    id_characters: int = 200
    shown: int = 3


DEFAULT = Limits()
"""The limits of format version 1."""
