"""Tables as CSV files, UTF-8 with or without a byte order mark: header, records, and what cannot be one."""

import csv
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tasks.errors import InputError, clean, one_line, refuse

EMPTY = frozenset({"", "NA", "N/A", "NaN", "nan", "None", "null", "<NA>"})
_ROW_START = re.compile(r"[\r\n][^\s,]{1,40},[^\s]")
"""A line that begins like a row and not like prose: no blank before or after its first comma."""


def read_header(path: Path) -> list[str]:
    """Return the column names of a CSV file; InputError if the file is empty, cannot be read, or is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, error) from error
    if not any(name.strip() for name in header):
        raise InputError(f"{path} is empty. Copy the published file again.")
    return header


def require_columns(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    """Check that every needed column is in the header, once.

    InputError names every column that is missing, or one that occurs twice.
    """
    if missing := [name for name in needed if name not in header]:
        hidden = [name for name in header if name not in needed and clean(name) in missing]
        hint = f" It has '{hidden[0]}': remove what is not visible in it." if hidden else ""
        raise InputError(
            f"{path} row 1 lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}."
            f"{hint or ' Use the published file with its header line.'}"
        )
    if twice := [name for name in needed if list(header).count(name) > 1]:
        raise InputError(f"{path} row 1 has the column {twice[0]} twice. Use the published file.")


def unreadable(path: Path, error: Exception) -> InputError:
    """Return the error for a file that cannot be read as UTF-8 CSV."""
    reason = error.strerror if isinstance(error, OSError) else str(error)
    if isinstance(error, UnicodeDecodeError):
        reason = f"it is not UTF-8 text (byte {error.start})"
    return InputError(f"cannot read {path}: {reason}. Copy the published file again.")


def is_empty(text: str) -> bool:
    """Say whether a field holds nothing: blank or one of the usual marks such as NA."""
    return text.strip() in EMPTY


def check_swallowed(path: Path, row: int, fields: Sequence[str], columns: int) -> None:
    """Refuse a field that holds line breaks and as many commas as a whole row: a quote has swallowed rows."""
    for field in fields:
        if ("\n" in field or "\r" in field) and field.count(",") >= columns - 1 and _ROW_START.search(field):
            raise InputError(
                f"{path} row {row}: a quote joins it with the rows below it ({field.splitlines()[0]!r:.60}...). "
                "Remove the quote."
            )


def records(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line number of the record's start, column -> text) for every record that is not blank."""
    header = read_header(path)
    require_columns(path, header, needed)
    start = 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            next(reader)
            start = reader.line_num + 1
            for record in reader:
                if record and len(record) != len(header):
                    said = f"has {len(record)} fields, the header has {len(header)}"
                    refuse(f"{path} row {start} {said}. Correct the row.")
                elif record:
                    check_swallowed(path, start, record, len(header))
                    yield start, dict(zip(header, record, strict=True))
                start = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path} row {start} is not valid CSV ({error}). Correct its quotes.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(path, error) from error


def number(path: Path, row: int, name: str, text: str) -> float:
    """Return the number that a field writes, NaN if it is empty; anything else is refused."""
    if is_empty(text):
        return math.nan
    try:
        value = float("" if "_" in text else text)  # Python alone reads 1_0 as a number
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        refuse(f"{path} row {row}: {name} is '{text}', expected a number.")
        return math.nan
    return value


def identifier(path: Path, row: int, name: str, text: str) -> str:
    """Return an id as a field writes it, without the ``.0`` of tables with gaps; an empty one is refused."""
    if is_empty(text):
        refuse(f"{path} row {row}: {name} is empty. Fill it in.")
    return one_line(text).removesuffix(".0")
