"""What a part of a prediction is: the one description that storing, checking, comparing and scoring loop over."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from benchmark.parts.ragged import Bools, Floats, Ints, Ragged
from tasks.types import Session

SUM_TOLERANCE = 1e-3
"""How far a sum of probabilities may lie from 1 before it is refused rather than divided out."""


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What the sessions of some rows ask of a part, shape (rows,): K, lists, numbers in each; 0 for an unknown one."""

    slots: Ints
    lists: Ints
    widths: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Broken:
    """A rule that some rows break.

    Attributes:
        kind: Kind of problem, as ``doctor`` lists it.
        rows: Whether a row breaks it, shape (rows,).
        what: What is wrong, after the part's name; ``{n}``, ``{low}``, ``{sum}``, ``{first}`` and ``{k}`` become the
            row's count of numbers, its smallest, their sum, the first of them, and the K of its session.
        remedy: What to do about it.
    """

    kind: str
    rows: Bools
    what: str
    remedy: str


def nothing(cells: Ragged) -> Bools:
    """Return that no cell is blank for what it holds."""
    return np.zeros(len(cells), dtype=bool)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a simulator may say about a session.

    Attributes:
        name: Field of ``Prediction`` and column of predictions files.
        title: In words, for messages about a missing one.
        noun: One of its numbers, in words.
        depth: How deep its cells are: 0 for one whole number, 1 for a list of numbers, one per slot, 2 for a list of
            lists of equal length.
        shape: The lists in a session's cell and the numbers in each of them; (1, 1) for depth 0.
        rules: Given cells and what is expected of them, what rows break, one rule after another: a row that breaks one
            is left out of the next. Cells whose length is wrong never get here.
        blank: Which cells count as missing for what they hold, shape (rows,).
        instead: Another part that may stand in for this one; a blank is not a failure where the other is there.
        targeted: ``Prediction.target`` says what it was computed for, and a submission says where it comes from.
        stated: It is about where the eyes go, which a model may state of itself: that is kept apart.
        later: It came after the first boards: it enters a digest, and a file, only where it is there.
        drawn: What is drawn of a cell, shape (K,), sum 1; None if nothing is.
    """

    name: str
    title: str
    noun: str
    depth: int
    shape: Callable[[Session], tuple[int, int]]
    rules: Callable[[Ragged, Expected], Iterator[Broken]] = field(repr=False)
    blank: Callable[[Ragged], Bools] = field(default=nothing, repr=False)
    instead: str = ""
    targeted: bool = False
    stated: bool = False
    later: bool = False
    drawn: Callable[[Floats], Floats] | None = field(default=None, repr=False)

    @property
    def verb(self) -> str:
        """The name with ``is`` or ``are``."""
        return f"{self.name} {'is' if self.noun == self.name else 'are'}"


def per_slot(session: Session) -> tuple[int, int]:
    """Return the shape of a part with one number per slot."""
    return 1, len(session.slots)


def amounts(cells: Ragged) -> Iterator[Broken]:
    """Yield the rules of numbers that measure how much: given, finite, not negative."""
    values = cells.values
    yield Broken("nan", cells.any(np.isnan(values)), "holds NaN or a blank.", "Give a number for every slot.")
    yield Broken("nan", cells.any(np.isinf(values)), "holds infinity.", "Give finite numbers.")
    yield Broken("negative", cells.any(values < 0), "holds a negative number, {low:g}.", "Give numbers of 0 or more.")
