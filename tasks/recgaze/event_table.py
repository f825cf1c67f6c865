"""The event file ``summary_feedback.csv`` as typed columns, read in one vectorised pass.

Every check runs on whole columns; only when one fails is the file read record by record, at the end of this module, to
name the row, so that good input never pays for the messages of bad input.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from tasks.errors import InputError, gathers, one_line, refuse
from tasks.errors import rows as rows_in_words
from tasks.plausible import check_people
from tasks.recgaze.files import N_CAROUSELS, N_POSITIONS, N_TASKS, whole_number
from tasks.tables import EMPTY, check_swallowed, is_empty, read_header, require_columns, unreadable
from tasks.types import Floats

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TEXT_COLUMNS = ("UserID", "TaskID", "Click_AOI_type")
NUMBER_COLUMNS = ("Timestamp", "Fixation_Duration", "Cursor_Duration")
PLACES = {"Carousel_position": N_CAROUSELS, "Movie_position_in_carousel": N_POSITIONS}
KINDS = ("Fixation", "Click", "Cursor")
PLACE_COLUMNS = {f"{kind}_AOI_{place}": limit for kind in KINDS for place, limit in PLACES.items()}
COLUMNS = (*TEXT_COLUMNS, *NUMBER_COLUMNS, *PLACE_COLUMNS)


@dataclass(frozen=True, slots=True, eq=False)
class Pointings:
    """Events of a kind, a row each: duration in the file's unit or NaN; carousel 1..10, position 1..15, or 0."""

    duration: Floats
    carousel: NDArray[np.int8]
    position: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class EventTable:
    """The columns of the event file that the session rule needs; all arrays have one entry per row.

    Attributes:
        users: The users' ids; ``user`` indexes them.
        tasks: The TaskIDs as they are written (``3`` and ``3.0`` may both occur); ``task`` indexes them.
        task: Index of the row's TaskID as written.
        task_number: TaskID, 1..40.
        time: Timestamp in seconds, NaN where it is empty (refused on clicks, whose order matters).
        fixation: Fixations, duration in milliseconds.
        click_type: AOI type of the click in lower case as an index into ``click_types``, -1 where it is empty.
        cursor: Stays of the cursor, duration in seconds.
    """

    path: Path
    users: tuple[str, ...]
    user: Ints
    tasks: tuple[str, ...]
    task: Ints
    task_number: Ints
    time: Floats
    fixation: Pointings
    click: Pointings
    click_type: Ints
    click_types: tuple[str, ...]
    cursor: Pointings

    def __len__(self) -> int:
        return len(self.time)

    def click_is(self, *types: str) -> Bools:
        """Return which rows are clicks on an AOI of one of ``types`` (lower case)."""
        wanted = [code for code, name in enumerate(self.click_types) if name in types]
        return np.isin(self.click_type, wanted)


def read_events(path: Path) -> EventTable:
    """Read the event file.

    InputError for missing columns, text in a number field, a position or TaskID out of range, a negative duration, a
    row without user or task, a click without a time, a repeated row, a row with too few or too many fields; the message
    names the file and the row.
    """
    require_columns(path, read_header(path), COLUMNS)
    table = _parse(path)
    if table.num_rows == 0:
        raise InputError(f"{path} holds a header but no events. Copy the published file again.")
    user, users = _text_column(path, table, "UserID")
    check_people(users, lambda _, other: f"{path} row {row_number(path, int(np.argmax(user == users.index(other))))}")
    task, tasks = _text_column(path, table, "TaskID")
    click_type, click_types = _text_column(path, table, "Click_AOI_type", needed=False)
    number_of = np.array([whole_number(text, N_TASKS) or 0 for text in tasks] + [-1], dtype=np.int64)
    _check(path, number_of[task] == 0, "TaskID", lambda row: tasks[task[row]], f"a whole number 1..{N_TASKS}")
    types = sorted({name.lower() for name in click_types})
    type_code = np.array([types.index(name.lower()) for name in click_types] + [-1], dtype=np.int64)
    numbers = {name: _number_column(path, table, name) for name in NUMBER_COLUMNS}
    places = {name: _place_column(path, table, name, limit) for name, limit in PLACE_COLUMNS.items()}

    def pointings(kind: str) -> Pointings:
        carousel, position = (places[f"{kind}_AOI_{place}"] for place in PLACES)
        duration = numbers.get(f"{kind}_Duration", np.broadcast_to(np.nan, len(carousel)))
        return Pointings(duration, carousel, position)

    events = EventTable(
        path=path,
        users=users,
        user=user,
        tasks=tasks,
        task=task,
        task_number=number_of[task],
        time=numbers["Timestamp"],
        fixation=pointings("Fixation"),
        click=pointings("Click"),
        click_type=type_code[click_type],
        click_types=tuple(types),
        cursor=pointings("Cursor"),
    )
    clicked = (events.click_type >= 0) | (events.click.carousel > 0) | (events.click.position > 0)
    timeless = clicked & np.isnan(events.time)
    _check(path, timeless, "Timestamp", lambda row: "", "the time of the click in seconds")
    rows = _possible_repeats(user * len(tasks) + task, events.time)
    _refuse_repeated_rows(path, rows, [user, task, click_type, *places.values(), *numbers.values()])
    return events


def _parse(path: Path) -> pa.Table:
    types: dict[str, Any] = {name: pa.dictionary(pa.int32(), pa.string()) for name in TEXT_COLUMNS}
    types |= dict.fromkeys(NUMBER_COLUMNS, pa.float64())
    types |= dict.fromkeys(PLACE_COLUMNS, pa.float32())  # small whole numbers that may be written "3.0"
    convert = arrow_csv.ConvertOptions(include_columns=list(COLUMNS), column_types=types, null_values=sorted(EMPTY))
    refuse_swallowed_rows(path)
    try:
        # A field may hold a line break, and a record then several lines.
        return arrow_csv.read_csv(path, None, arrow_csv.ParseOptions(newlines_in_values=True), convert)
    except OSError as error:
        raise unreadable(path, error) from error
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        explain(path, (*NUMBER_COLUMNS, *PLACE_COLUMNS))
        raise unreadable(path, error) from error


def _check(path: Path, wrong: Bools, name: str, shown: Callable[[int], str], expected: str) -> None:
    """Refuse the rows of a column that are wrong, naming the first one's value."""
    if not wrong.any():
        return
    indices = np.flatnonzero(wrong)
    value = shown(int(indices[0]))
    few = row_numbers(path, indices.tolist()) if gathers() else [row_number(path, int(indices[0]))]
    said = f"is '{value}'" if value else "is empty"
    refuse(f"{path} {rows_in_words(few, len(indices))}: {name} {said}, expected {expected}. Correct it.")


def _text_column(path: Path, table: pa.Table, name: str, needed: bool = True) -> tuple[Ints, tuple[str, ...]]:
    """Return (index per row, values without invisible characters) of a text column; index -1 is empty."""
    column = table.column(name).unify_dictionaries()
    codes = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
    written = [one_line(value) for value in column.chunk(0).dictionary.to_pylist()]
    values = tuple(dict.fromkeys(value for value in written if not is_empty(value)))
    place = {value: index for index, value in enumerate(values)}
    index = np.array([place.get(value, -1) for value in written], dtype=np.int64)[codes]
    if needed:
        _check(path, index < 0, name, lambda row: "", "a value in every row")
        return np.maximum(index, 0), values or ("",)  # what is refused counts as the first while findings are gathered
    return index, values


def _place_column(path: Path, table: pa.Table, name: str, limit: int) -> NDArray[np.int8]:
    """Return a column of positions 1..limit, 0 where it is empty."""
    column = table.column(name)
    try:
        places: NDArray[np.int8] = pc.fill_null(pc.cast(column, pa.int8()), 0).to_numpy()
        fits = places.max() <= limit and np.count_nonzero(places > 0) == len(places) - column.null_count
    except pa.ArrowInvalid:  # a fraction, or far out of range
        fits = False
    if not fits:
        values: Floats = column.to_numpy()
        empty = pc.is_null(column).to_numpy()
        wrong = ~empty & ~np.isin(values, np.arange(1, limit + 1))
        _check(path, wrong, name, lambda row: f"{values[row]:g}", f"a whole number 1..{limit}")
        places = np.where(empty | wrong, 0, values).astype(np.int8)
    return places


def _number_column(path: Path, table: pa.Table, name: str) -> Floats:
    """Return a number column, NaN where it is empty; durations are checked."""
    values: Floats = table.column(name).to_numpy()
    infinite = np.isinf(values)
    _check(path, infinite, name, lambda row: str(values[row]), "a finite number")
    negative = (values < 0) & ~infinite if name.endswith("_Duration") else np.zeros_like(infinite)
    _check(path, negative, name, lambda row: f"{values[row]:g}", "no negative duration")
    return np.where(infinite | negative, np.nan, values)


def _possible_repeats(session: Ints, time: Floats) -> Ints:
    """Return the rows that can repeat another one; in sessions in one piece and in order, only neighbours can."""
    same = session[1:] == session[:-1]
    in_one_piece = len(same) - np.count_nonzero(same) + 1 == np.count_nonzero(np.bincount(session))
    in_order = not (same & ~(time[1:] >= time[:-1])).any()
    if not (in_one_piece and in_order):
        return np.arange(len(session))
    pair = same & (time[1:] == time[:-1])
    return np.flatnonzero(np.append(pair, False) | np.insert(pair, 0, False))


def _refuse_repeated_rows(path: Path, rows: Ints, columns: Iterable[NDArray[Any]]) -> None:
    """Refuse a row that repeats an earlier one in all its fields: rows equal in what is read are compared whole."""
    import pandas as pd

    equal = pd.DataFrame({number: column[rows] for number, column in enumerate(columns)}).duplicated(keep=False)
    suspects = set(rows[equal.to_numpy()].tolist())
    if not suspects:
        return
    first: dict[bytes, int] = {}
    repeats = []
    for row, (line, content) in enumerate(event_records(path)):
        if row in suspects and first.setdefault(content, line) != line:
            repeats.append((line, first[content]))
            if not gathers():
                break
    if repeats:
        where = rows_in_words((line for line, _ in repeats), len(repeats))
        refuse(f"{path} {where} repeats row {repeats[0][1]} in every field. Remove one of them.")


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
    *others, last = [f"{path} {rows_in_words(at, len(at))}{said} Correct it." for said, at in found.values()] or [""]
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
