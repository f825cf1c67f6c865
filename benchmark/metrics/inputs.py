"""Reads what callers hand to the metrics and refuses what cannot be measured, naming session and part."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmark.parts import answer, attention
from benchmark.parts.checking import FEWEST, check
from benchmark.parts.part import Broken, Expected, Part, nothing
from benchmark.parts.ragged import Bools, Ints, Ragged, as_numbers, ragged
from tasks.errors import InputError

NUMERIC = "biuf"

GAZE = replace(attention.PART, name="gaze", noun="gaze")
CLICK = replace(answer.PART, name="click", noun="click")


def _visit_rules(cells: Ragged, expected: Expected) -> Iterator[Broken]:
    """Yield what the slots of visits must be: slots, each another one than the visit before."""
    slot = (cells.values == np.floor(cells.values)) & (cells.values >= 0)
    slot &= cells.values < np.repeat(expected.slots, cells.lengths)
    yield Broken("visits", cells.any(~slot), "hold what is not a slot 0..{last}.", "Give the slot of each visit.")
    same = np.append(False, cells.values[1:] == cells.values[:-1])
    same[cells.starts[:-1][cells.lengths > 0]] = False
    yield Broken("visits", cells.any(same), "have a slot twice in a row.", "A visit is a whole run on one slot.")


VISITS = replace(attention.PART, name="visits", noun="visits", rules=_visit_rules, blank=nothing)
"""What a person did, read and checked as the part of a prediction that has the same form."""


@dataclass(frozen=True, slots=True, eq=False)
class Human:
    """What people did in some sessions.

    Attributes:
        clicks: The clicked slot, shape (sessions,).
        path: The slot of each recorded visit, in time order; no cell where none is recorded.
    """

    dwell: Ragged
    clicks: Ints
    path: Ragged

    @property
    def recorded(self) -> Bools:
        """Whether the path of a session was recorded, shape (sessions,)."""
        return self.path.lengths > 0


Names = Callable[[int], str]
"""Returns what the session at a position is called in messages."""


def read_cells(part: Part, values: Any, sessions: int | None, names: Names) -> Ragged:
    """Take in the cells of one part, of whatever length.

    ``values`` is None, an array with one row per session, or a sequence of lists and None; for a part of depth 0 a
    sequence of whole numbers, -1 or None where there is none. Without a number of ``sessions`` it decides. InputError
    if it is not a sequence, has the wrong length, or an entry is not numbers.
    """
    if values is None:
        return ragged([None] * (sessions or 0))
    values = _unwrap(values, part.name)
    if sessions is not None and len(values) != sessions:
        raise InputError(f"{part.name} has {len(values)} entries for {sessions} sessions. Give one entry per session.")
    if part.depth == 0:
        return _single(part, values, names)
    rows = list(values)
    kept = [row for row in rows if row is not None]
    matrix = as_numbers(values if len(kept) == len(rows) else kept, 1 + part.depth, NUMERIC)
    if matrix is not None and len(kept) == len(rows):
        starts = np.arange(len(rows) + 1) * (matrix.size // max(1, len(rows)))
        lists = np.full(len(rows), 1 if part.depth == 1 else matrix.shape[1])
        return Ragged(matrix.ravel(), starts, np.ones(len(rows), dtype=bool), lists)
    found = [None if row is None else as_numbers(row, part.depth, NUMERIC) for row in rows]
    for position, (row, cell) in enumerate(zip(rows, found, strict=True)):
        if row is not None and cell is None:
            raise InputError(f"{names(position)}: {part.name} is not a flat list of numbers. Give one number per slot.")
    return ragged(found)


def _single(part: Part, values: Any, names: Names) -> Ragged:
    """Return one number per session; what is not a number is refused."""
    numbers = np.empty(len(values), dtype=np.float64)
    for i, value in enumerate(values.tolist() if isinstance(values, np.ndarray) else values):
        if value is None:
            numbers[i] = -1
        elif isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
            numbers[i] = min(max(value, -(2**53)), 2**53)  # beyond any slot, but never beyond a float
        else:
            raise InputError(f"{names(i)}: {part.name} {value!r} is not a slot number. Give a slot number.")
    return Ragged(numbers, np.arange(len(numbers) + 1), numbers != -1, np.ones(len(numbers), dtype=np.int64))


def require(part: Part, cells: Ragged, slots: Ints, names: Names, shape: tuple[Ints, Ints] | None = None) -> None:
    """Refuse the first session whose cell cannot be measured.

    ``slots`` is K of every session, shape (n,), ``shape`` lists in each session's cell and numbers in each list; by
    default one list of K numbers, and what is there for deeper cells. InputError if a cell breaks a rule of the part,
    or counts as missing for what it holds.
    """
    ones = np.ones_like(slots)
    if shape is None:
        shape = (cells.lists, cells.widths) if part.depth > 1 else (ones, ones if part.depth == 0 else slots)
    _, faults = check(part, cells, np.ones(len(cells), dtype=bool), Expected(slots, *shape), 0)
    for fault in faults:
        raise InputError(f"{names(int(fault.rows[0]))}: {' '.join(fault.words(int(fault.rows[0])))}")
    blank = part.blank(cells)
    if blank.any():
        raise InputError(
            f"{names(int(np.argmax(blank)))}: {part.name} is 0 on every slot. Give a positive sum, or None."
        )


def human(gaze: Any, click: Any, visits: Any, names: Names) -> Human:
    """Take in what people did in each session: gaze on two slots or more, the slot clicked, visits where recorded.

    InputError names the first session in which one of them is missing or cannot be.
    """
    dwell = read_cells(GAZE, gaze, None, names)
    missing, few = ~dwell.present, dwell.lengths < FEWEST
    if missing.any():
        raise InputError(f"{names(int(np.argmax(missing)))}: gaze is missing. Every session needs it.")
    if few.any():
        first = int(np.argmax(few))
        raise InputError(
            f"{names(first)}: gaze has {dwell.lengths[first]} slot(s), at least 2 are needed. Drop the session."
        )
    require(GAZE, dwell, dwell.lengths, names)
    clicks = read_cells(CLICK, click, len(dwell), names)
    if not clicks.present.all():
        raise InputError(f"{names(int(np.argmin(clicks.present)))}: click is missing. Every session has one.")
    require(CLICK, clicks, dwell.lengths, names)
    path = read_cells(VISITS, visits, len(dwell), names)
    require(VISITS, path, dwell.lengths, names, (np.ones(len(path), dtype=np.int64), path.lengths))
    return Human(dwell, clicks.values.astype(np.int64), path)


def _unwrap(values: Any, name: str) -> Any:
    if hasattr(values, "to_numpy"):  # a pandas column: iterate over values, never over labels
        values = values.to_numpy()
    if isinstance(values, np.ndarray) and values.ndim > 0:
        return values
    if isinstance(values, (str, bytes, dict, np.ndarray)) or not isinstance(values, Iterable):
        raise InputError(f"{name} is not a sequence. Give one entry per session.")
    return list(values)
