"""The rows of ``next_visit`` next to what came, visit by visit: what the metrics of the order of looking work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.parts.ragged import Bools, Floats, Ints, Ragged


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """All rows that say what comes after a prefix of a path, for some sessions of K slots.

    Sessions without rows or without recorded visits have none. A session of n visits has n rows after which the eyes
    went on (moves), and one after which they stopped.

    Attributes:
        visits: Visits per session, 0 where it has no rows, shape (n,).
        session: The session of each row, shape (rows,).
        stop: The share of a row that is on ``stop``, shape (rows,).
        last: Whether the path ended there, shape (rows,).
        next: The slot that came, shape (moves,).
        given: What a row gave the slots, as supplied and -1 on the current slot, shape (K, moves).
    """

    visits: Ints
    session: Ints
    stop: Floats
    last: Bools
    next: Ints
    given: Floats

    @classmethod
    def of(cls, cells: Ragged, rows: Ints, path: Ragged, sessions: Ints, slots: int) -> Steps:
        """Lay rows next to paths.

        Args:
            cells: ``next_visit``, of shape (visits + 1, slots + 1) per session.
            rows: The cell of each session, -1 for none, shape (n,).
            path: Slots of the recorded visits, of all sessions.
            sessions: The path of each session, shape (n,).
            slots: K.
        """
        known = (rows >= 0) & cells.present[rows] if len(cells) else np.zeros(len(rows), dtype=bool)
        visits = np.where(known, path.lengths[sessions], 0)
        count = np.where(visits > 0, visits + 1, 0)
        session = np.repeat(np.arange(len(rows)), count)
        k = np.arange(len(session)) - np.repeat(np.cumsum(count) - count, count)
        first = cells.starts[rows][session] + k * (slots + 1)
        found: Floats = cells.values[first[:, None] + np.arange(slots + 1)]
        last = k == visits[session]
        came = path.starts[sessions][session] + k
        given = np.ascontiguousarray(found[~last, :slots].T)
        later = np.flatnonzero(k[~last] > 0)
        given[path.values[came[~last][later] - 1].astype(np.int64), later] = -1.0
        return cls(
            visits, session, found[:, slots] / found.sum(axis=1), last, path.values[came[~last]].astype(np.int64), given
        )

    @property
    def chance(self) -> Floats:
        """The share of what came among all but the current slot, 0 where these have none, shape (moves,)."""
        others = np.maximum(self.given, 0.0).sum(axis=0)
        came = self.given[self.next, np.arange(len(self.next))]
        share: Floats = np.divide(came, others, out=np.zeros_like(came), where=others > 0)
        return share

    def mean(self, values: Floats) -> Floats:
        """Average values of moves or of rows within sessions, shape (n,); NaN for a session without any."""
        session = self.session[~self.last] if len(values) == len(self.next) else self.session
        sums = np.bincount(session, values, minlength=len(self.visits))
        count = self.visits + (len(values) > len(self.next))
        mean: Floats = np.divide(sums, count, out=np.full(len(sums), np.nan), where=self.visits > 0)
        return mean
