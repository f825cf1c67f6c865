"""The order in which the simulated people look: F-shaped, with revisits, and personal.

How often and how long a film is looked at is drawn elsewhere; here the looks are only put in order, with a generator of
their own, so that dwell, cursor and clicks do not depend on the order.

1. A first pass goes through the carousels from the top. A row is read from the left, or from the right: which of the
   two is a person's habit.
2. After each film of the first pass the eyes go back to a film that has been seen, now and then: how often is a habit.
3. What is left to look at again follows after the first pass.

Where eyes go back to depends on where they are: a film ``d`` columns and ``r`` rows away has the weight
``exp(-|d| / across - |r| / down + right * sign(d) + up * [r < 0])``, all four being habits. How often they stay on the
film that they are on, where there is more to look at, is one too; else that film comes last.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

COLUMNS = 5
SAMPLE_ORDER = (
    "order of looking: simulated; rows from the top, each from the left or, as a habit, from the right; revisits to "
    "films nearby, upwards more often than down; how far, where to and how often is a habit"
)
"""What the card says of it."""

Place = tuple[int, int]
"""(carousel, position 1..15): position 6 is the first film of the second page."""


@dataclass(frozen=True, slots=True)
class Looking:
    """Habits of one person's order.

    Attributes:
        from_right: Chance that a row is read from the right.
        returning: Chance, after each film of the first pass and each return, to go back to a film that was seen.
        staying: Chance to look again at the film that the eyes are on.
        across: How far the eyes go within a row, columns.
        down: How far they go between rows.
        right: Log odds of going to the right rather than staying in the column.
        up: Log odds of going up.
    """

    from_right: float
    returning: float
    staying: float
    across: float
    down: float
    right: float
    up: float


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a film: its events, ``first`` to ``last`` (exclusive) of the session's."""

    place: Place
    first: int
    last: int


def invent_looking(habits: float, rng: np.random.Generator) -> Looking:
    """Return a person's habits; the same draws are made whatever ``habits`` is, at 0 all people are alike."""
    own = habits * rng.normal(0.0, 1.0, 7)
    return Looking(
        from_right=_chance(-1.5 + 2.5 * own[0]),
        returning=_chance(-1.0 + 0.8 * own[1]),
        staying=_chance(0.6 + 1.0 * own[6]),
        across=1.2 * math.exp(0.4 * own[2]),
        down=0.7 * math.exp(0.4 * own[3]),
        right=0.3 + 1.2 * own[4],
        up=0.5 + 0.8 * own[5],
    )


def in_order(
    rows: Sequence[Sequence[Look]], later: Sequence[Look], looking: Looking, rng: np.random.Generator
) -> list[list[Look]]:
    """Put looks in order.

    Args:
        rows: The first looks at the films of each page, as the pages are shown one after the other.
        later: The other looks; a film of them is on view from its first look to the end.
        looking: The person's habits.
        rng: Source of all chance.

    Returns:
        The looks while each of the pages is shown, and those after them: one list more than ``rows``.
    """
    pending, seen, found = list(later), set(), []
    for row in rows:
        line: list[Look] = []
        for look in row if rng.random() >= looking.from_right else reversed(row):
            line.append(look)
            seen.add(look.place)
            line += _kept(pending, look.place, looking, rng)
            while rng.random() < looking.returning and (known := [p for p in pending if _on_view(p, look, seen)]):
                line.append(_drawn(known, line[-1].place, looking, rng))
                pending.remove(line[-1])
                line += _kept(pending, line[-1].place, looking, rng)
        found.append(line)
    last: list[Look] = []
    here = next((line[-1].place for line in reversed(found) if line), (1, 1))
    while pending:
        last.append(_drawn(pending, here, looking, rng))
        pending.remove(last[-1])
        here = last[-1].place
        last += _kept(pending, here, looking, rng)
    return [*found, last]


def _kept(pending: list[Look], place: Place, looking: Looking, rng: np.random.Generator) -> list[Look]:
    """Take out of ``pending`` and return the looks for which the eyes stay at a place."""
    kept: list[Look] = []
    while (more := [look for look in pending if look.place == place]) and rng.random() < looking.staying:
        kept.append(more[0])
        pending.remove(more[0])
    return kept


def _on_view(look: Look, at: Look, seen: set[Place]) -> bool:
    """Return whether a film was seen and is on view while ``at`` is looked at: its row may have been swiped since."""
    (row, position), (now, there) = look.place, at.place
    return look.place in seen and (row != now or (position - 1) // COLUMNS == (there - 1) // COLUMNS)


def _drawn(looks: Sequence[Look], here: Place, looking: Looking, rng: np.random.Generator) -> Look:
    """Return one of some looks, drawn by where it is as seen from ``here``; a film at ``here`` only if it is alone."""
    across = np.array([_column(look.place) - _column(here) for look in looks])
    down = np.array([look.place[0] - here[0] for look in looks])
    score = -np.abs(across) / looking.across - np.abs(down) / looking.down
    score = score + looking.right * np.sign(across) + looking.up * (down < 0)
    score[(across == 0) & (down == 0)] = -50.0
    weight = np.exp(score - score.max())
    return looks[int(rng.choice(len(looks), p=weight / weight.sum()))]


def _column(place: Place) -> int:
    return (place[1] - 1) % COLUMNS


def _chance(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))
