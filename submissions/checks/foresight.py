"""Checks for next visits that know what comes: what no reader of the path so far can give.

Whoever reads only the visits so far misses many moves and does not know where a path ends. Thresholds are far above
what the suite's own simulators of the order reach, and far below what rows made from the whole path show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.metrics.block import Steps
from benchmark.parts import next_visit
from benchmark.parts.ragged import Bools, Ints, Ragged
from benchmark.scores.checking import Checked
from benchmark.scores.raw import RawPredictions
from benchmark.scores.tested import Tested
from submissions.problems import Findings

HITS = 0.9
"""Share of moves after the first visit whose slot is the likeliest one, from which on the path is taken to be known."""

MOVES = 20
"""Fewer moves say nothing; nor do moves between two slots, of which one is taken."""

ENDS = 0.75
"""Share of sessions in which ``stop`` is above one half after the last visit and only there."""

SURE = 1 - 1e-6
EQUAL_SHARE = 0.05
FEW = 5

REMEDY = (
    "A row may depend on the visits so far and on nothing after them. Ask the simulator visit by visit, as 'run' does; "
    "if it is an oracle, say so."
)


@dataclass(frozen=True, slots=True)
class Signs:
    """What rows know: moves whose slot is the likeliest one, and more in sessions of three visits or more.

    Attributes:
        moves: Moves after a first visit, on three slots or more.
        hits: Those whose slot has a larger probability than every other.
        ends: Per session of three visits or more, whether ``stop`` is above one half after the last visit alone.
        copied: Per session of three visits or more, whether every row is sure of what came.
    """

    moves: int
    hits: int
    ends: Bools
    copied: Bools


def signs(cells: Ragged, rows: Ints, places: Ints, tested: Tested) -> Signs:
    """Return what rows of ``next_visit`` know; ``places`` are those of their sessions, whose paths are recorded."""
    hits = moves = 0
    ends, copied = [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=bool)]
    slots = tested.slots[places]
    for k in np.unique(slots).tolist():
        steps = Steps.of(cells, rows[slots == k], tested.people.path, places[slots == k], k)
        later = (steps.given < 0).any(axis=0)
        if k > 2:
            hits, moves = hits + int(_likeliest(steps)[later].sum()), moves + int(later.sum())
        several = steps.visits > 2
        ends.append(_throughout(steps, (steps.stop > 0.5) == steps.last)[several])
        sure = steps.stop >= SURE
        sure[~steps.last] = steps.chance >= SURE
        copied.append(_throughout(steps, sure)[several])
    return Signs(moves, hits, np.concatenate(ends), np.concatenate(copied))


def check(raw: RawPredictions, checked: Checked, tested: Tested, name: str, found: Findings) -> None:
    """Note rows that know the next visit, or the last one."""
    part = next_visit.PART.name
    rows = np.flatnonzero(checked.usable[part] & (checked.places >= 0))
    rows = rows[tested.people.recorded[checked.places[rows]]]
    said = signs(checked.cells[part], rows, checked.places[rows], tested)
    sessions = len(said.copied)
    if said.copied.sum() > max(2, EQUAL_SHARE * sessions):
        what = f"{part} is the recorded path itself, sure of every row, in {said.copied.sum()} of {sessions} sessions."
    elif said.moves >= MOVES and said.hits >= HITS * said.moves:
        what = f"{part} finds the slot visited next likeliest in {said.hits} of {said.moves} moves."
    elif sessions >= FEW and said.ends.sum() > ENDS * sessions:
        where = f"in {said.ends.sum()} of {sessions} sessions"
        what = f"'stop' of {part} is above one half after the last visit and only there {where}."
    else:
        return
    found.error("leak", name, None, what, REMEDY)


def _likeliest(steps: Steps) -> Bools:
    """Return per move whether the slot that came has a larger probability than every other, shape (moves,)."""
    came = steps.given[steps.next, np.arange(len(steps.next))]
    likeliest: Bools = (steps.given >= came).sum(axis=0) == 1
    return likeliest


def _throughout(steps: Steps, flags: Bools) -> Bools:
    """Return per session whether all of its rows are flagged, shape (sessions,)."""
    found: Bools = np.bincount(steps.session, ~flags, minlength=len(steps.visits)) == 0
    return found
