"""Whether the times of the event file can be true (PROTOCOL section 2, plausibility)."""

from __future__ import annotations

import numpy as np

from tasks.findings import refuse
from tasks.plausible import Kind
from tasks.recgaze.event_records import row_number
from tasks.recgaze.event_table import EventTable
from tasks.recgaze.events import group

_TIME = ("Timestamp", "seconds")
FIXATIONS = Kind("fixations", ("Fixation_Duration", "milliseconds"), _TIME, shortest_ms=10.0)
STAYS = Kind("stays of the cursor", ("Cursor_Duration", "seconds"), _TIME, shortest_ms=1.0, overlap=3.0)
"""Stays of the cursor may be recorded for several things at once."""


def check_times(events: EventTable) -> None:
    """Refuse a file with a session whose durations cannot fit into the time that passed, or whose clock does not move.

    Raises:
        InputError: Naming the session, its first row, both numbers and the likely unit.
    """
    session, first_row = group(events)
    n = len(first_row)
    time = 1000.0 * events.time
    first, last = np.full(n, np.inf), np.full(n, -np.inf)
    np.fmin.at(first, session, time)
    np.fmax.at(last, session, time)
    order = np.argsort(session, kind="stable")
    ends = np.cumsum(np.bincount(session, minlength=n))
    for kind, pointings, unit_ms in ((FIXATIONS, events.fixation, 1.0), (STAYS, events.cursor, 1000.0)):
        assert pointings.duration is not None
        duration = unit_ms * pointings.duration
        faults: list[tuple[int, str]] = []
        totals = np.zeros(n)
        for s in range(n):
            own = order[ends[s - 1] if s else 0 : ends[s]]
            own = own[duration[own] > 0]
            totals[s] = duration[own].sum()
            if fault := kind.fault(time[own], duration[own], float(first[s]), float(last[s])):
                faults.append((s, fault))
        if faults:
            row = first_row[faults[0][0]]
            name = f"{events.users[events.user[row]]}-{events.tasks[events.task[row]]}"
            more = f" (and {len(faults) - 1} more sessions)" if len(faults) > 1 else ""
            where = f"{events.path} row {row_number(events.path, int(row))}: session {name}{more}"
            refuse(f"{where}: {faults[0][1]}. Use the published file.")
        elif fault := kind.fault_of_all(duration, totals, last - first):
            refuse(f"{events.path}: {fault}. Use the published file.")
