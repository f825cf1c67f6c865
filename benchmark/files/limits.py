"""How large a predictions file may be; every limit is checked before what it bounds is decoded."""

from dataclasses import dataclass


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
