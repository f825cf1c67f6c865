"""Checks predictions against the sessions they are about, whether a simulator or a file gave them."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.files.limits import OWN, TableLimits
from benchmark.files.printable import look_alike, shown
from benchmark.parts import PARTS
from benchmark.parts.checking import Fault, check
from benchmark.parts.part import Part
from benchmark.parts.ragged import Bools, Ints, Ragged, as_numbers, ragged
from benchmark.scores import predictions
from benchmark.scores.predictions import KEYS, TARGETS
from benchmark.scores.raw import RawPredictions
from benchmark.scores.tested import Tested
from benchmark.simulator import Prediction
from tasks.errors import InputError
from tasks.types import Session

NUMERIC = "iuf"


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """Predictions that were checked; ``faults`` is what is wrong, what could not be read included.

    ``places`` are of the rows' sessions among the tested ones, -1 for another, shape (rows,); ``usable`` is part -> per
    row whether its cell can be used; ``cells`` lack those that count as missing for what they hold.
    """

    places: Ints
    usable: Mapping[str, Bools]
    cells: Mapping[str, Ragged]
    faults: Sequence[Fault] = field(default_factory=list)


def checked(
    raw: RawPredictions, tested: Tested | None, limits: TableLimits = OWN, once: Sequence[str] = KEYS
) -> Checked:
    """Check predictions of the ``tested`` sessions; where these are None, ``limits`` bound what a session may hold.

    No two rows may have the same values in all columns of ``once``.
    """
    ids = raw.keys["session_id"]
    faults = [*raw.faults, *_nameless(raw), *_targets(raw), *_twice(raw, once), *_unknown(ids, tested, limits)]
    places = np.full(len(raw), -1, dtype=np.int64) if tested is None else tested.places(ids)
    usable, cells = {}, {}
    for part in PARTS:
        given = raw.cells[part.name]
        expected = None if tested is None else tested.expected(part, places)
        usable[part.name], wrong = check(part, given, ~raw.broken, expected, limits.slots)
        faults += wrong
        cells[part.name] = given.without(part.blank(given) & usable[part.name])
    return Checked(places, usable, cells, faults)


def _nameless(raw: RawPredictions) -> Iterator[Fault]:
    """Yield rows without a session id, where that was not reported yet."""
    rows = np.flatnonzero(raw.keys["session_id"].is_null().to_numpy(zero_copy_only=False) & ~raw.broken)
    if len(rows):
        words = ("session_id is blank, not text or too long.", "Give the id as the task has it.")
        yield Fault("coverage", rows, lambda row: words)


def _targets(raw: RawPredictions) -> Iterator[Fault]:
    """Yield targets that attention cannot have been computed for."""
    targets = raw.keys.get("target")
    if targets is not None:
        known = pc.or_kleene(pc.is_null(targets), pc.is_in(targets, value_set=pa.array(TARGETS)))
        wrong = np.flatnonzero(~known.to_numpy(zero_copy_only=False))
        if len(wrong):
            said = f"is not one of {', '.join(TARGETS)}."
            words = _worded(lambda row: f"target '{shown(targets[row])}' {said}", "Name one of them.")
            yield Fault("target", wrong, words)


def _worded(what: Callable[[int], str], remedy: str) -> Callable[[int], tuple[str, str]]:
    return lambda row: (what(row), remedy)


def _twice(raw: RawPredictions, once: Sequence[str]) -> Iterator[Fault]:
    """Yield rows that are about the same session of the same simulator and seed as an earlier one."""
    ids, same = raw.keys["session_id"], codes(raw.keys[name] for name in once if name in raw.keys)
    if pc.count_distinct(pa.array(same)).as_py() == len(raw):
        return
    _, first, which = np.unique(same, return_index=True, return_inverse=True)
    earlier = first[which]
    again = np.flatnonzero((earlier < np.arange(len(raw))) & ids.is_valid().to_numpy(zero_copy_only=False))
    if len(again):

        def what(row: int) -> str:
            return f"session '{shown(ids[row])}' is in row {raw.numbers[earlier[row]]} already."

        yield Fault("twice", again, _worded(what, "Keep one row per session."))


def codes(columns: Iterable[pa.Array]) -> Ints:
    """Return a number per row, the same for rows that are the same in all columns, shape (rows,)."""
    found: Any = 0
    for column in columns:
        encoded = column.dictionary_encode()
        found = found * (len(encoded.dictionary) + 1) + pc.fill_null(encoded.indices, -1).to_numpy() + 1
    return np.asarray(found, dtype=np.int64)


def _unknown(ids: pa.Array, tested: Tested | None, limits: TableLimits) -> Iterator[Fault]:
    """Yield rows whose session is not among the tested ones; if those are not known, what cannot be an id."""
    there = ids.is_valid().to_numpy(zero_copy_only=False)
    if tested is None:
        texts = ids.dictionary_encode()
        good = np.array([text.isprintable() for text in texts.dictionary.to_pylist()], dtype=bool)
        odd = np.flatnonzero(there)
        odd = odd[~good[texts.indices.to_numpy(zero_copy_only=False)[there].astype(np.int64)]]
        if len(odd):
            remedy = f"Give 1 to {limits.id_characters} characters that print."
            yield Fault(
                "unknown", odd, _worded(lambda row: f"'{shown(ids[row])}' cannot be the id of a session.", remedy)
            )
        return
    unknown = np.flatnonzero((tested.places(ids) < 0) & there)
    if len(unknown):
        yield Fault("unknown", unknown, lambda row: _no_session(str(ids[row]), tested.ids))


def _no_session(session_id: str, known: list[str]) -> tuple[str, str]:
    """Return what is wrong with an id that no test session has, and what to do."""
    what = f"session '{shown(session_id)}' is not among the test sessions."
    twin = look_alike(session_id, known)
    if twin is not None:
        return what, f"It only looks like '{shown(twin)}': write that id in its own characters."
    near = difflib.get_close_matches(session_id, known, n=1, cutoff=0.8)
    return what, f"Did you mean '{shown(near[0])}'?" if near else "Remove the row, or give the split it belongs to."


def require(faults: Sequence[Fault], place: Callable[[int], str]) -> None:
    """Refuse predictions that have a fault; ``place`` names a row, counted from 0.

    InputError with the first row's, and how many more there are.
    """
    if faults:
        first = min(faults, key=lambda fault: int(fault.rows[0]))
        row = int(first.rows[0])
        more = sum(len(fault.rows) for fault in faults) - 1
        rest = f" ({more} more problem{'s' if more > 1 else ''} in other rows.)" if more else ""
        raise InputError(f"{place(row)}: {' '.join(first.words(row)).strip()}{rest}")


def table(raw: RawPredictions, tested: Tested, where: str, once: Sequence[str] = KEYS) -> pa.Table:
    """Return predictions from the file ``where`` as a table, columns of ``predictions.schema``.

    InputError if they have a fault; the row is named.
    """
    if not len(raw):
        raise InputError(f"{where} holds no predictions.")
    found = checked(raw, tested, once=once)
    require(found.faults, lambda row: f"{where}, row {raw.numbers[row]}")
    return predictions.table(raw.keys, found.cells)


def simulated(
    found: Sequence[Prediction], sessions: Sequence[Session], simulator: str, seed: int, where: str
) -> pa.Table:
    """Return what a simulator, called ``where`` in messages, predicted for each of the sessions as a table.

    InputError if a prediction has a fault; the session is named.
    """
    ids = [p.session_id for p in found]

    def place(row: int) -> str:
        return f"{where}, session '{ids[row]}'"

    raw = RawPredictions(
        numbers=np.arange(1, len(found) + 1),
        keys={"session_id": pa.array(ids, pa.string()), "target": pa.array([p.target for p in found], pa.string())},
        cells={
            part.name: ragged(_given(part, getattr(p, part.name), place(i)) for i, p in enumerate(found))
            for part in PARTS
        },
        broken=np.zeros(len(found), dtype=bool),
        faults=(),
    )
    good = checked(raw, Tested(sessions, np.zeros(len(sessions), dtype=np.int64)))
    require(good.faults, place)
    return predictions.table({"simulator": simulator, "seed": seed, **raw.keys}, good.cells)


def _given(part: Part, value: Any, place: str) -> np.ndarray[Any, Any] | None:
    """Return a part as a simulator gave it, as numbers; whether they are right is checked later."""
    if value is None:
        return None
    found = as_numbers(value, part.depth, NUMERIC)
    if found is None:
        shape = ("a whole number", "a flat list of numbers", "a list of lists of equal length")[part.depth]
        raise InputError(f"{place}: {part.name} is not {shape}.")
    return np.atleast_1d(found)
