"""Visits: the order in which a session's slots were looked at (PROTOCOL section 1)."""

from __future__ import annotations

from itertools import groupby
from typing import NamedTuple

from tasks.types import Session


class Visit(NamedTuple):
    """A run of fixations on one slot.

    Attributes:
        slot: Index of the slot.
        start_ms: Start of its first fixation, ms from the beginning of the session's window.
        ms: Counted time of its fixations, ms.
    """

    slot: int
    start_ms: float
    ms: float


def visits(session: Session) -> tuple[Visit, ...]:
    """Return a session's visits in time order; empty where the data hold no fixations.

    Fixations on no slot neither count nor split a run, so two neighbouring visits are never on the same slot. The
    visits' ms add up to ``gaze_ms`` slot by slot, exactly.
    """
    on_slots = (fixation for fixation in session.fixations if fixation.slot >= 0)
    found = []
    for slot, run in groupby(on_slots, key=lambda fixation: fixation.slot):
        fixations = list(run)
        found.append(Visit(slot, fixations[0].start_ms, sum(fixation.duration_ms for fixation in fixations)))
    return tuple(found)
