"""The event file record by record: only where a check on whole columns has failed, to name the rows."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tasks.errors import InputError, gathers, refuse, rows
from tasks.tables import EMPTY, check_swallowed, read_header

# What the CSV parser takes for a number; Python's float would also take 1_000 and digits of other scripts.
_NUMBER = re.compile(r"[ \t]*[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|nan|inf(inity)?)[ \t]*", re.IGNORECASE)


def row_number(path: Path, index: int) -> int:
    """Return the line in the file (the header is line 1) in which the event with this index begins."""
    return next(iter(row_numbers(path, [index])))


def row_numbers(path: Path, indices: Iterable[int]) -> Iterator[int]:
    """Yield the lines in which the events with these ascending indices begin."""
    events = enumerate(event_records(path))
    for wanted in indices:
        yield next(line for event, (line, _) in events if event == wanted)


def explain(path: Path, number_columns: Iterable[str]) -> None:
    """Find the rows that stopped the parser and raise the error that names them."""
    header = read_header(path)
    numbers = [(name, header.index(name)) for name in number_columns]
    found: dict[str, tuple[str, list[int]]] = {}
    for line, content in event_records(path):
        for kind, said in _faults(content, header, numbers):
            found.setdefault(kind, (said, []))[1].append(line)
            if not gathers():
                raise InputError(f"{path} row {line}{said} Correct it.")
    *others, last = [f"{path} {rows(at, len(at))}{said} Correct it." for said, at in found.values()] or [""]
    for message in others:
        refuse(message)
    if last:
        raise InputError(last)


def _faults(content: bytes, header: Sequence[str], numbers: Sequence[tuple[str, int]]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an event: what kind of fault it is, and how a message goes on after the row."""
    try:
        fields = next(csv.reader([content.decode()], strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        yield "csv", f" is not UTF-8 CSV text: {error}."
        return
    if len(fields) != len(header):
        yield "fields", f" has {len(fields)} fields, the header has {len(header)}."
        return
    for name, column in numbers:
        if fields[column] not in EMPTY and not _NUMBER.fullmatch(fields[column]):
            yield name, f": {name} is '{fields[column]}', expected a number."


def refuse_swallowed_rows(path: Path) -> None:
    """Refuse a quote that was never meant: the rows up to the next one would become part of its field."""
    with path.open("rb") as file:
        if not any(b'"' in block for block in iter(partial(file.read, 1 << 20), b"")):
            return
    columns = len(read_header(path))
    for line, content in event_records(path):
        if b"\n" in content or b"\r" in content:
            text = content.decode(errors="replace")
            try:
                fields = next(csv.reader([text], strict=True))
            except csv.Error as error:
                raise InputError(f"{path} row {line} has a quote that is not closed in it. Correct it.") from error
            check_swallowed(path, line, fields, columns)


def event_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (first line, content) of every event: the records after the header that are not blank.

    A line break inside quotes belongs to its record.
    """
    with path.open("rb") as file:
        header_seen = False
        record, start = b"", 0
        for number, line in enumerate(file, start=1):
            record, start = record + line, start or number
            if record.count(b'"') % 2:
                continue
            if content := record.rstrip(b"\r\n"):
                if header_seen:
                    yield start, content
                header_seen = True
            record, start = b"", 0
        if record:
            yield start, record
