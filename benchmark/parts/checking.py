"""Checks the cells of a part, all rows at once and each row once; everywhere with the same words."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from benchmark.parts import PARTS
from benchmark.parts.part import Broken, Expected, Part
from benchmark.parts.ragged import UNEVEN, Bools, Ints, Ragged

FEWEST = 2
"""Slots of a session, at least: with one there is nothing to choose."""


@dataclass(frozen=True, slots=True, eq=False)
class Fault:
    """One kind of fault, as ``doctor`` lists it, in rows counted from 0, or, without rows, in the table as a whole.

    ``words`` gives what is wrong with a row and what to do about it; asked only for the rows that are shown.
    """

    kind: str
    rows: Ints
    words: Callable[[int], tuple[str, str]]


def whole(kind: str, what: str, remedy: str) -> Fault:
    """Return a fault of a table as a whole."""
    return Fault(kind, np.zeros(0, dtype=np.int64), lambda row: (what, remedy))


def check(part: Part, cells: Ragged, usable: Bools, expected: Expected | None, most: int) -> tuple[Bools, list[Fault]]:
    """Check one part of the ``usable`` rows, those that could be read, shape (rows,).

    ``expected`` is what the rows' sessions ask of the part; where they are not known, a session has ``most`` slots.
    Returns per row whether its cell can be used, shape (rows,), and what is wrong with the others that have one.
    """
    good = cells.present & usable
    faults = []

    def refuse(rule: Broken) -> None:
        """Note the rows that break a rule and leave them out from here on."""
        nonlocal good
        chosen = np.flatnonzero(good & rule.rows)
        if len(chosen):

            def words(row: int) -> tuple[str, str]:
                return f"{part.name} {_filled(rule.what, cells, slots, row)}", rule.remedy

            faults.append(Fault(rule.kind, chosen, words))
            good = good & ~rule.rows

    if expected is None:
        slots = np.full(len(cells), most)
        if part.depth:
            few_or_many = (cells.widths < FEWEST) | (cells.widths > most) | (cells.lists == UNEVEN)
            refuse(Broken("length", few_or_many, "has {n} numbers.", "Give one number per slot."))
    else:
        slots = expected.slots
        known = slots > 0
        refuse(_length(part, cells, expected, known))
        good = good & known
    asked = expected or Expected(slots, cells.lists, cells.widths)
    for rule in part.rules(cells, asked):
        refuse(rule)
    return good, faults


def _length(part: Part, cells: Ragged, expected: Expected, known: Bools) -> Broken:
    """Return the rule that a cell has as many numbers as its session asks for."""
    if part.depth < 2:
        other = cells.lengths != expected.widths
        return Broken(
            "length", known & other, "has {n} numbers; the session has {k} slots.", "Give one number per slot."
        )
    other = (cells.lists != expected.lists) | (cells.widths != expected.widths)
    return Broken("length", known & other, "has the shape {shape}.", "Give it the shape that the session asks for.")


def _filled(what: str, cells: Ragged, slots: Ints, row: int) -> str:
    """Return a message with the row's own numbers in it."""
    numbers = cells.row(row)
    finite = numbers[np.isfinite(numbers)]
    lists = int(cells.lists[row])
    with np.errstate(over="ignore"):
        return what.format(
            n=len(numbers),
            shape="of lists that differ in length" if lists == UNEVEN else f"{lists} x {int(cells.widths[row])}",
            k=int(slots[row]),
            last=int(slots[row]) - 1,
            low=finite.min() if len(finite) else 0.0,
            sum=numbers.sum() if len(numbers) else 0.0,
            first=numbers[0] if len(numbers) else 0.0,
        )


def claimed(cells: Mapping[str, Ragged]) -> tuple[str, ...]:
    """Return the parts that at least one row has: what a table claims."""
    return tuple(part.name for part in PARTS if part.name in cells and cells[part.name].present.any())


def missing(cells: Mapping[str, Ragged], claims: Collection[str]) -> Bools:
    """Return per row whether a part is missing that the table claims, shape (rows,); ``cells`` are without blank ones.

    A part may be missing where the one is there that may stand in for it.
    """
    there = {part.name: cells[part.name].present for part in PARTS}
    found = np.zeros(len(next(iter(there.values()))), dtype=bool)
    for part in PARTS:
        if part.name in claims:
            found |= ~(there[part.name] | there[part.instead] if part.instead in claims else there[part.name])
    return found
