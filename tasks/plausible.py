"""Whether recorded times can be true: a clock that moves, and durations that fit into the time that passed.

The recordings name no units. A spreadsheet that writes 1.6712E+12, or a file in seconds where milliseconds are
expected, gives numbers that read well and dwell times that are wrong; what people can do tells them apart.
"""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tasks.errors import refuse
from tasks.types import Floats

_FEW = 4  # fewer events may share their times
_OVERHANG_MS = 5000.0  # A single event may outlast the last timestamp by this much
_SPARSE = 0.002
"""Events of a file that fill less of the time that passed are in another unit: a factor of 1000 gives 0.001 or less."""
_UNITS = {"microseconds": 1e-3, "milliseconds": 1.0, "seconds": 1e3, "thousands of seconds": 1e6}
"""Name -> milliseconds."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Events with a duration, as a file holds them.

    Attributes:
        name: In words, such as ``fixations``.
        column: The column of the durations, and the unit that it is read in.
        time: The column of the timestamps, and the unit that it is read in.
        shortest_ms: A median below this is in another unit.
        longest_ms: A median above this is in another unit.
        overlap: By how much the durations may exceed the time that passed: 1 for events that exclude each other.
    """

    name: str
    column: tuple[str, str]
    time: tuple[str, str]
    shortest_ms: float
    longest_ms: float
    overlap: float = 1.25

    def fault(self, times: Floats, durations: Floats, first: float, last: float) -> str:
        """Say in words what cannot be true of one session's events; empty if nothing is wrong.

        All in ms: time and duration of each event, shape (n,), NaN where it is not known; times of the session's first
        and last event of any kind.
        """
        if found := clock_fault(times, self.name):
            return found
        durations = durations[durations > 0]
        total, longest = float(durations.sum()), float(durations.max(initial=0.0))
        room = self.overlap * (last - first)
        if room >= 0 and (total > room + _OVERHANG_MS or total - longest > room + 50.0):
            return self._unit(total, last - first, larger=True)
        if len(durations) >= _FEW - 1:
            return self._median(durations)
        return ""

    def fault_of_all(self, durations: Floats, totals: Floats, spans: Floats) -> str:
        """Say what cannot be true of a whole file: all durations, their sums and the time passed per session, ms."""
        durations = durations[durations > 0]
        if not len(durations):
            return ""
        if found := self._median(durations):
            return found
        total, span = float(totals[totals > 0].sum()), float(spans[totals > 0].sum())
        return self._unit(total, span, larger=False) if total < _SPARSE * span else ""

    def _median(self, durations: Floats) -> str:
        median = float(np.median(durations))
        if self.shortest_ms <= median <= self.longest_ms:
            return ""
        column, unit = self.column
        shown, likely = f"{median / _UNITS[unit]:.4g}", _likely(self.column, smaller=median < self.shortest_ms)
        return f"the median {column} is {shown}, read in {unit}: {likely}"

    def _unit(self, total: float, span: float, *, larger: bool) -> str:
        likely = _likely(self.column, smaller=not larger), _likely(self.time, smaller=larger)
        return (
            f"the {self.name} last {total / 1000:.6g} s in all, in {span / 1000:.6g} s between first and last "
            f"timestamp: {likely[0]}, or {likely[1]}"
        )


def _likely(column: tuple[str, str], *, smaller: bool) -> str:
    """Return which unit a column probably is in; ``smaller`` numbers than expected count larger units."""
    name, unit = column
    names = list(_UNITS)
    place = min(max(names.index(unit) + (1 if smaller else -1), 0), len(names) - 1)
    return f"{name} looks like {names[place]} instead of {unit}"


def clock_fault(times: Floats, what: str) -> str:
    """Say that a clock lost its resolution: most events of one kind share their times with others of that kind.

    ``times`` are in the order of any file, shape (n,), NaN where a time is not known.
    """
    times = times[np.isfinite(times)]
    if len(times) < _FEW:
        return ""
    _, counts = np.unique(times, return_counts=True)
    shared = int(counts[counts > 1].sum())
    if 2 * shared <= len(times):
        return ""
    return (
        f"{shared} of {len(times)} {what} share their timestamps, of which {len(counts)} differ: the clock lost its "
        "resolution, as when a spreadsheet writes 1.6712E+12"
    )


def check_people(users: Iterable[str], where: Callable[[str, str], str], remedy: str = "Use one of them") -> None:
    """Refuse ids that are one person under two spellings: equal after Unicode NFC and case folding.

    ``where`` gives the place of the first two such ids.
    """
    known: dict[str, str] = {}
    for user in users:
        first = known.setdefault(folded(user), user)
        if first != user:
            refuse(f"{where(first, user)}: users {first} and {user} are one person under two spellings. {remedy}.")
            return


def folded(user: str) -> str:
    """Return what all spellings of a user's id have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", user).casefold())
