"""Small readers that the two layouts share: numbers and files, with messages that name file and row."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.adserp.trial import Fixations, Points, search_query
from tasks.errors import InputError, clean, recovered, refuse
from tasks.plausible import Kind, clock_fault
from tasks.types import Box, Floats

_BUTTONS = ("mousedown", "mouseup")
_USED_EVENTS = ("mousemove", "click", "scroll", *_BUTTONS)
_TRIAL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; InputError if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}). Check that the folder is complete.") from error


def read_text(path: Path) -> str:
    """Return the content of a UTF-8 file, with or without a byte order mark; InputError if it is something else."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a UTF-8 text file (byte {error.start}). Replace the file.") from error


def check_trial_id(trial_id: object, source: Path) -> str:
    """Return the trial id if it is one; it also names files, so it must be a plain name."""
    if isinstance(trial_id, str) and _TRIAL_ID.fullmatch(trial_id):
        return trial_id
    raise InputError(f"{source}: trial id {trial_id!r} is not a plain name such as p004-b2-t9.")


def query_of(url: object, task: object, source: Path) -> str:
    """Return the search query that the URL or the task of a trial holds; InputError if neither does."""
    query = search_query(str(url or ""), str(task or ""))
    if not query:
        raise InputError(f"{source}: neither url nor task holds a search query.")
    return query


def parse_number(text: str) -> float:
    """Return the number that a CSV field holds, or NaN if it holds none."""
    try:
        return float(text) if "_" not in text else math.nan
    except ValueError:
        return math.nan


def as_number(value: object) -> float:
    """Return the number that a JSON value is, or NaN; a text is not a number."""
    known = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    return float(value) if known else math.nan  # type: ignore[arg-type]


def columns(
    fields: Mapping[str, Sequence[object]], to_number: Callable[..., float], where: Callable[[int], str]
) -> list[Floats]:
    """Return the named columns as finite numbers, each of shape (n,); ``to_number`` gives NaN for what is none.

    InputError if a field is not a finite number; ``where`` gives the file and row of its index.
    """
    found = []
    for name, values in fields.items():
        numbers = np.array([to_number(value) for value in values], dtype=np.float64)
        bad = np.flatnonzero(~np.isfinite(numbers))
        if bad.size:
            refuse(f"{where(int(bad[0]))}: {name} is {values[bad[0]]!r:.60}, expected a number{_further(bad, where)}.")
        found.append(np.nan_to_num(numbers))
    return found


def _further(bad: NDArray[np.int64], where: Callable[[int], str]) -> str:
    """Return how many further rows are as bad as the first one, and which."""
    if bad.size == 1:
        return ""
    listed = ", ".join(re.split(r"[ \[]", where(int(index)).rstrip("]"))[-1] for index in bad[1:6])
    return f" (and {bad.size - 1} more: {listed}{', ...' if bad.size > 6 else ''})"


def event_names(values: Sequence[object], where: Callable[[int], str]) -> list[str]:
    """Return the names of events in lower case; one that is no word is refused."""
    names = [clean(value).lower() if isinstance(value, str) else "" for value in values]
    bad = np.flatnonzero([not (name.isascii() and name.isalpha()) for name in names])
    if bad.size:
        said = f"event is {values[bad[0]]!r:.60}, expected a word such as mousemove, click or scroll"
        refuse(f"{where(int(bad[0]))}: {said}{_further(bad, where)}.")
    return names


def refuse_duplicates(columns: Sequence[Floats], what: str, where: Callable[[int], str]) -> None:
    """Refuse rows that repeat an earlier row in every column: counted twice they would falsify dwell times."""
    seen: set[tuple[float, ...]] = set()
    again = []
    for index, row in enumerate(zip(*(values.tolist() for values in columns), strict=True)):
        if row in seen:
            again.append(index)
        seen.add(row)
    if again:
        more = _further(np.array(again), where)
        refuse(f"{where(again[0])}: {what} is there twice{more}. Remove the duplicate row.")


def fixations_of(columns: Sequence[Floats], duration: str, where: Callable[[int], str]) -> Fixations:
    """Return the fixations with these ends, x, y and durations, ms; none lasts less than 0 or is there twice."""
    bad = np.flatnonzero(columns[3] < 0)
    if bad.size:
        said = f"{duration} is {columns[3][bad[0]]:g}, a duration cannot be negative{_further(bad, where)}."
        refuse(f"{where(int(bad[0]))}: {said}")
    refuse_duplicates(columns, "the fixation", where)
    return Fixations(*columns)


def json_object(path: Path, expected: str) -> dict[str, Any]:
    """Return the content of a JSON file; InputError with ``expected`` if it is not an object."""
    text = read_text(path)

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for key, value in found:
            if key in kept or clean(key) != key:
                said = "is there twice" if key in kept else "holds what cannot be seen"
                raise InputError(f"{path}: the key {key!r:.60} {said}. Replace the file.")
            kept[key] = value
        return kept

    try:
        document = json.loads(text, object_pairs_hook=pairs)
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "too deep, or a number too long"
        raise InputError(f"{path}: is not valid JSON ({where}). Replace the file.") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: {expected}.")
    return document


def boxes_of(entries: object, name: str, source: Path) -> list[Box]:
    """Return the boxes of a list of ``{"location": {"x", "y"}, "size": {"width", "height"}}``.

    InputError if the list or one of its entries is not of that form, or a size is negative.
    """
    if not isinstance(entries, list):
        raise InputError(f"{source}: {name} is missing or not a list of boxes.")
    found = [recovered(partial(_box, entry, f"{source}: {name}[{index}]")) for index, entry in enumerate(entries)]
    return [box for box in found if box is not None]


def _box(entry: object, where: str) -> Box:
    numbers: list[float] = []
    for part, names in (("location", ("x", "y")), ("size", ("width", "height"))):
        inner = entry.get(part) if isinstance(entry, Mapping) else None
        for name in names:
            value = inner.get(name) if isinstance(inner, Mapping) else None
            numbers.append(as_number(value))
            if not math.isfinite(numbers[-1]):
                raise InputError(f"{where}: {part}.{name} is {value!r}, expected a number.")
    x, y, width, height = numbers
    if width < 0 or height < 0:
        raise InputError(f"{where}: size is {width:g} x {height:g}, a size cannot be negative.")
    return (x, y, x + width, y + height)


@dataclass(frozen=True, slots=True, eq=False)
class MouseEvents:
    """The mouse events of a trial, each part in time order; ``notes`` says what was left out."""

    cursor: Points
    scrolls: Points
    clicks: Points
    buttons: tuple[Floats, Floats]
    notes: tuple[str, ...] = ()


def split_events(t: Floats, x: Floats, y: Floats, events: Sequence[str]) -> MouseEvents:
    """Sort mouse events by time and part them into pointer positions, scrolls, clicks and button events.

    Only ``mousemove`` and ``click`` count as pointer positions, in both layouts: the replay layout keeps no
    others, and the mouseover, mouseout, mousedown and mouseup rows of the raw one repeat their positions.
    Rows that repeat an earlier row exactly add nothing to any dwell time; they are left out and noted.
    ``t`` is in milliseconds since the load, ``x`` and ``y`` in screenshot pixels, each of shape (n,).
    """
    used = [row for row in zip(t.tolist(), x.tolist(), y.tolist(), events, strict=True) if row[3] in _USED_EVENTS]
    rows = sorted(dict.fromkeys(used), key=lambda row: row[0])

    def points(*kinds: str) -> Points:
        chosen = [row[:3] for row in rows if row[3] in kinds]
        values = np.array(chosen, dtype=np.float64).reshape(len(chosen), 3)
        return Points(values[:, 0], values[:, 1], values[:, 2])

    moved = [row for row in used if row[3] not in _BUTTONS]  # a button event that is there twice changes nothing
    notes = ("repeated mouse rows, left out",) if len(set(moved)) < len(moved) else ()
    buttons = (points("mousedown").t, points("mouseup").t)
    return MouseEvents(points("mousemove", "click"), points("scroll"), points("click"), buttons, notes)


_FIXATIONS = Kind(
    "fixations", ("duration", "milliseconds"), ("timestamp", "milliseconds"), shortest_ms=10.0, longest_ms=5e3
)
_FEW = 5
_APART = 50.0
"""Both clocks run from the load to the end of the trial: one that is this many times as far is in another unit."""


def check_times(fixations: Fixations, mouse: MouseEvents, gaze_file: object, mouse_file: object) -> None:
    """Refuse times that cannot be true: clocks without resolution or that differ, and durations that do not fit."""
    moved, scrolled = mouse.cursor.t, mouse.scrolls.t
    still = {}
    if fault := clock_fault(fixations.end, "fixations"):
        still[gaze_file] = fault
    if fault := clock_fault(moved, "mouse events") or clock_fault(scrolled, "scroll events"):
        still[mouse_file] = fault
    if still:
        refuse(f"{'; '.join(f'{file}: {fault}' for file, fault in still.items())}. Use the published files.")
        return
    for times, name, latest in ((moved, "mouse", np.inf), (scrolled, "scroll", _APART * moved.max(initial=1.0))):
        gaps = np.diff(np.unique(times))
        if len(gaps) >= _FEW and (np.median(gaps) < 1.0 or times[-1] > latest):
            told = f"{np.median(gaps):.4g} ms apart, the last {times[-1] / 1000:.6g} s after the load"
            refuse(f"{mouse_file}: {name} events are {told}; their clock is in another unit. Use the published file.")
            return
    if not len(fixations):
        return
    first, last = float(fixations.end.min()), float(fixations.end.max())
    fault = _FIXATIONS.fault(fixations.end, fixations.duration, first, last)
    if not fault and len(fixations) >= _FEW:
        total = float(fixations.duration.sum())
        fault = _FIXATIONS.fault_of_all(fixations.duration, np.array([total]), np.array([last - first]))
    if fault:
        refuse(f"{gaze_file}: {fault}. Use the published file.")
    elif min(len(moved), len(fixations)) >= _FEW and not 1 / _APART < last / max(float(moved.max()), 1.0) < _APART:
        refuse(
            f"{gaze_file} and {mouse_file}: the last fixation is {last / 1000:.6g} s and the last mouse event "
            f"{float(moved.max()) / 1000:.6g} s after the load; one clock is in another unit or of another trial. "
            "Use the published files."
        )
