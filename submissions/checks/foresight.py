"""What predictions know of the recording that they are scored on; of next visits, what no reader of the path can give.

As for recordings, everything known is taken out of the rows and of what came next: the path so far, boxes and ratings,
and even how long each slot will still be looked at and which one is clicked.
"""

import functools
from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.parts import PARTS, next_visit
from benchmark.parts.ragged import Floats, Ints
from benchmark.scores.checking import Checked
from benchmark.scores.tested import of_task
from submissions.checks.recording import ERRORS, Clue, Recording, described, scale
from submissions.checks.slots import Given, Slots, codes
from tasks.task import Task
from tasks.types import Session, visits

LIMITS = (0.20, 0.45)
ENDS, COPIED = (0.40, 0.75), (0.02, 0.05)
"""Shares of sessions with known ends, and with all rows sure of what came: where suspicion begins, and certainty."""
_SURE = 1 - 1e-6
_FEWEST, _MOST = 20, 20_000
"""Fewer moves say nothing; so many are looked at."""


class Paths:
    """The paths of test sessions: where each move could go, what could be known of it, and where it went."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.paths = [[visit.slot for visit in visits(session)] for session in sessions]
        found = [(n, *step) for n, s in enumerate(sessions) if len(self.paths[n]) > 1 for step in _steps(s)][:_MOST]
        self.moves = [(n, k, to) for n, k, to, _ in found]
        if len(found) < _FEWEST:
            self.moves = []
            return
        users = codes(session.user for session in sessions)
        slots = Slots(np.array([len(to) for *_, to in self.moves]), users[[n for n, *_ in self.moves]])
        x = np.concatenate([features for *_, features in found])
        boxes = slots.centred(np.concatenate([described(sessions[n])[to] for n, _, to in self.moves]))
        known = [x, x[:, :8] * x[:, [6]], x[:, :4] * x[:, [8]], boxes, boxes**2]
        hit = np.concatenate([1.0 * (to == self.paths[n][k]) for n, k, to in self.moves])
        self.given = Given(slots, np.column_stack(known), {"": hit})

    def clues(self, file: Checked) -> Iterator[Clue]:
        """Yield what the rows of a file show."""
        part = next_visit.PART.name
        cells = file.cells[part]
        good = np.flatnonzero(file.usable[part] & cells.present & (file.places >= 0))
        said = {int(file.places[row]): cells.row(int(row)) for row in good if self.paths[int(file.places[row])]}
        rows = {n: row.reshape(len(self.paths[n]) + 1, -1) for n, row in said.items()}
        if rows and self.moves:
            shares = [
                np.log2(rows[n][k][to] / max(rows[n][k][to].sum(), 1e-300) + 1e-4) if n in rows else np.zeros(len(to))
                for n, k, to in self.moves
            ]
            r, e = self.given.correlation(np.concatenate(shares))
            yield Clue("next", part, scale(r - ERRORS * e, LIMITS), f"r {r:.2f}, error {e:.2f}")
        ends, copied = [], []
        for n, row in rows.items():
            path, stop = self.paths[n], row[:, -1] / row.sum(axis=1)
            others = row[:-1, :-1].copy()
            others[np.arange(1, len(path)), path[:-1]] = 0
            if len(path) > 2:
                ends.append(stop[-1] > 0.5 and not (stop[:-1] > 0.5).any())
                sure = others[np.arange(len(path)), path] >= _SURE * others.sum(axis=1)
                copied.append(stop[-1] >= _SURE and sure.all() and not (others.sum(axis=1) == 0).any())
        for rule, flags, limits in (("end", ends, ENDS), ("path", copied, COPIED)):
            if len(flags) >= 5 and sum(flags) > 2:
                yield Clue(rule, part, scale(sum(flags) / len(flags), limits), f"{sum(flags)} of {len(flags)} sessions")


def _steps(session: Session) -> Iterator[tuple[int, Ints, Floats]]:
    """Yield number, slots that it could be on, and what could be known of each of them, visit by visit.

    The last three columns are the future: whether a slot will be looked at, how long, and whether it is clicked.
    """
    place, path = np.arange(len(session.slots)), visits(session)
    left, seen = np.bincount([v.slot for v in path], [v.ms for v in path], minlength=len(place)), np.zeros(len(place))
    at = before = top = -1
    for n, visit in enumerate(path):
        d = place - at if n else place
        steps = [d == 1, d == -1, d == 2, d == -2, np.abs(d), d < 0]
        known = [seen > 0, np.log1p(seen / 200), place == before, place == top + 1, place == 0, (n == 0) * -place]
        future = [left > 0.5, np.log1p(np.maximum(left, 0) / 100), place == session.click]
        to = np.flatnonzero(place != at)
        yield n, to, np.array([*steps, *known, *future], dtype=np.float64).T[to]
        at, before, top = visit.slot, at, max(top, visit.slot)
        seen[at] += visit.ms
        left[at] -= visit.ms


@functools.lru_cache(maxsize=8)
def _of_split(task: Task, split: str) -> tuple[Recording, Paths]:
    sessions, test = task.sessions_at(range(len(task))), of_task(task, split)
    place = {session.session_id: i for i, session in enumerate(sessions)}
    return Recording(sessions, np.array([place[session_id] for session_id in test.ids])), Paths(test.sessions)


def clues(task: Task, split: str, files: Sequence[Checked], *, labelled: bool) -> list[Clue]:
    """Return what the seeds of predictions show of the recording that they are scored on, the clearest of each part.

    ``labelled`` leaves out the part that was computed for the true click.
    """
    recording, paths = _of_split(task, split)
    found = list(recording.clues(files, [part for part in PARTS if not (labelled and part.targeted)]))
    found += [clue for file in files for clue in paths.clues(file)]
    clearest = {clue.part: clue for clue in sorted(found, key=lambda clue: clue.number)}
    return list(clearest.values())
