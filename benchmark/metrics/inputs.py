"""Reads what callers hand to the metrics and refuses what cannot be measured, naming session and part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.block import Floats, Ints, Scores
from benchmark.parts.part import SUM_TOLERANCE
from tasks.errors import InputError

NUMERIC = "biuf"


@dataclass(frozen=True, eq=False)
class Names:
    """What sessions are called in messages: their id, or their position where there are no ids."""

    ids: Sequence[Any] = ()

    def __call__(self, position: int) -> str:
        """Return ``session <id>`` for the session at ``position``."""
        return f"session {self.ids[position] if position < len(self.ids) else position}"


@dataclass(frozen=True, eq=False)
class Part:
    """Numbers per slot for every session, as supplied: gaze, attention or probabilities.

    Attributes:
        name: ``gaze``, ``attention`` or ``probabilities``.
        present: Whether a session has the part, shape (n,).
        lengths: How many numbers each session has, 0 where the part is missing, shape (n,).
        rows: A numeric array of shape (n, K), or one array (or None) per session.
        names: How to name a session.
    """

    name: str
    present: NDArray[np.bool_]
    lengths: Ints
    rows: NDArray[Any] | list[Any]
    names: Names

    def scores(self, sessions: Ints, slots: int) -> Scores:
        """Return the checked numbers of some sessions that all have ``slots`` slots.

        Sessions without the part get the constant 1, which is measured and then blanked.

        Raises:
            InputError: A number is NaN, infinite or negative, or the sum is 0 or, for probabilities, not 1.
        """
        if not self.present[sessions].any():
            values: NDArray[Any] = np.ones((len(sessions), slots))
        elif isinstance(self.rows, np.ndarray):
            values = self.rows[sessions]
        else:
            values = self._stack(self.rows, sessions, slots)
        given: Floats = np.ascontiguousarray(values.T, dtype=np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            total = given.sum(axis=0)
            usable = np.isfinite(total) & (total > 0)
        # one comparison over everything is the whole price of checking good input; NaN compares as false
        if not ((given >= 0).all() and usable.all()):
            self._refuse(given, total, sessions)
        if self.name == "probabilities":
            missing = ~self.present[sessions]
            off = ~missing & (np.abs(total - 1.0) > SUM_TOLERANCE)
            if off.any():
                first = int(np.argmax(off))
                raise InputError(
                    f"{self.names(int(sessions[first]))}: probabilities sum to {total[first]:.6g}, "
                    f"expected 1 within {SUM_TOLERANCE}. Normalise them over the session's slots."
                )
        return Scores(given, given / total)

    def _stack(self, rows: list[Any], sessions: Ints, slots: int) -> NDArray[Any]:
        filler = np.ones(slots)
        chosen = [rows[i] if self.present[i] else filler for i in sessions.tolist()]
        try:
            stacked = np.asarray(chosen)
        except (ValueError, TypeError):
            stacked = np.asarray(None)
        if stacked.shape == (len(chosen), slots) and stacked.dtype.kind in NUMERIC:
            return stacked
        for i, row in zip(sessions.tolist(), chosen, strict=True):
            try:
                array = np.asarray(row)
            except (ValueError, TypeError):
                array = np.asarray(None)
            if array.ndim != 1 or array.dtype.kind not in NUMERIC:
                raise InputError(
                    f"{self.names(i)}: {self.name} is not a flat list of numbers. Give {slots} numbers, one per slot."
                )
        return np.stack([np.asarray(row, dtype=np.float64) for row in chosen])

    def _refuse(self, given: Floats, total: Floats, sessions: Ints) -> None:
        for column, position in enumerate(sessions.tolist()):
            values, where = given[:, column], f"{self.names(position)}: {self.name}"
            if not np.isfinite(values).all():
                raise InputError(f"{where} holds NaN or an infinite number. Give finite numbers, or None for no part.")
            if (values < 0).any():
                raise InputError(f"{where} holds the negative number {values.min():.6g}. Give numbers of 0 or more.")
            if not total[column] > 0:
                raise InputError(f"{where} is 0 on every slot. Give a positive sum, or drop the session.")
            if not np.isfinite(total[column]):
                raise InputError(f"{where} has a sum too large for a float. Scale the numbers down.")


def read_part(name: str, values: Any, sessions: int | None, names: Names) -> Part:
    """Take in one part.

    Args:
        name: What to call it in messages.
        values: None, a 2-D array, or a sequence of 1-D arrays and None.
        sessions: How many sessions there must be; None means that ``values`` decides.
        names: How to name a session.

    Raises:
        InputError: It is no sequence, has the wrong length, or an entry is no array.
    """
    if values is None:
        count = sessions or 0
        return Part(name, np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64), [None] * count, names)
    values = _unwrap(values, name)
    _check_count(name, len(values), sessions)
    if isinstance(values, np.ndarray) and values.ndim == 2 and values.dtype.kind in NUMERIC:
        lengths = np.full(len(values), values.shape[1], dtype=np.int64)
        return Part(name, np.ones(len(values), dtype=bool), lengths, values, names)
    rows = list(values)
    present = np.fromiter((row is not None for row in rows), dtype=bool, count=len(rows))
    try:
        lengths = np.fromiter((0 if row is None else len(row) for row in rows), dtype=np.int64, count=len(rows))
    except TypeError:
        first = next(i for i, row in enumerate(rows) if row is not None and not _has_length(row))
        raise InputError(f"{names(first)}: {name} is not a list of numbers. Give one number per slot.") from None
    return Part(name, present, lengths, rows, names)


def check_slots(gaze: Part, others: Iterable[Part]) -> None:
    """Check that every session has gaze on two slots or more, and as many numbers in every other part.

    Raises:
        InputError: Naming the first session that does not fit.
    """
    if not gaze.present.all():
        raise InputError(f"{gaze.names(int(np.argmin(gaze.present)))}: gaze is missing. Every session needs it.")
    few = gaze.lengths < 2
    if few.any():
        first = int(np.argmax(few))
        raise InputError(
            f"{gaze.names(first)}: gaze has {gaze.lengths[first]} slot(s), at least 2 are needed. Drop the session."
        )
    for part in others:
        wrong = part.present & (part.lengths != gaze.lengths)
        if wrong.any():
            first = int(np.argmax(wrong))
            raise InputError(
                f"{part.names(first)}: {part.name} has {part.lengths[first]} numbers, gaze has {gaze.lengths[first]}. "
                "Give one number per slot."
            )


def read_indices(name: str, values: Any, slots: Ints, names: Names, *, optional: bool) -> Ints:
    """Take in one slot number per session.

    Args:
        name: ``click`` or ``answer``.
        values: None, or a sequence of integers; whole floats pass.
        slots: K of every session, shape (n,).
        names: How to name a session.
        optional: Whether an entry may be missing: None or -1.

    Returns:
        Shape (n,); -1 where missing.

    Raises:
        InputError: The length is wrong, or an entry is no whole number or no slot of its session.
    """
    if values is None and optional:
        return np.full(len(slots), -1, dtype=np.int64)
    values = _unwrap(values, name)
    _check_count(name, len(values), len(slots))
    advice = "Give a slot number" + (", or -1 or None for no answer." if optional else ".")
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iuf":
        numbers = values
    else:
        numbers = np.empty(len(slots), dtype=np.float64)
        for i, value in enumerate(values):
            if value is None and optional:
                numbers[i] = -1
            elif isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
                numbers[i] = min(max(value, -2), 2**53)  # beyond any slot, but never beyond a float
            else:
                raise InputError(f"{names(i)}: {name} {value!r} is not a slot number. {advice}")
    with np.errstate(invalid="ignore"):
        good = (numbers >= (-1 if optional else 0)) & (numbers < slots) & (numbers == np.floor(numbers))
    if not good.all():
        first = int(np.argmin(good))
        raise InputError(
            f"{names(first)}: {name} {values[first]!s:.40} is not one of its slots 0..{slots[first] - 1}. {advice}"
        )
    return numbers.astype(np.int64)


def _unwrap(values: Any, name: str) -> Any:
    if hasattr(values, "to_numpy"):  # a pandas column: iterate over values, never over labels
        values = values.to_numpy()
    if isinstance(values, np.ndarray) and values.ndim > 0:
        return values
    if isinstance(values, (str, bytes, dict, np.ndarray)) or not isinstance(values, Iterable):
        raise InputError(f"{name} is not a sequence. Give one entry per session.")
    return list(values)


def _check_count(name: str, count: int, sessions: int | None) -> None:
    if sessions is not None and count != sessions:
        raise InputError(f"{name} has {count} entries for {sessions} sessions. Give one entry per session.")


def _has_length(row: Any) -> bool:
    try:
        len(row)
    except TypeError:
        return False
    return True
