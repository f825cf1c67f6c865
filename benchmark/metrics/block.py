"""What a metric function is handed: some sessions with the same number of slots.

Arrays hold slots in axis 0 and sessions in axis 1, shape (K, n), because K is small: sums over slots
then run along whole vectors of sessions, several times faster than along rows of 15 numbers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benchmark.parts.ragged import Bools, Ragged

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
    def of(cls, cells: Ragged, rows: Ints, path: Ragged, sessions: Ints, slots: int) -> "Steps":
        """Lay rows next to paths.

        ``cells`` are ``next_visit``, of shape (visits + 1, slots + 1) per session, ``rows`` the cell of each session,
        -1 for none, shape (n,). ``path`` holds the slots of all recorded visits, ``sessions`` the path of each session,
        shape (n,).
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


EPS = 1e-8
"""The smoothing constant eps of PROTOCOL section 5."""

TIES = ("expected", "last")
"""How equal values rank: by expectation over random orders, or with the last slot first (parity mode)."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Numbers per slot for the sessions of a block: human gaze, attention or click probabilities.

    Attributes:
        given: The numbers as supplied, shape (K, n). Ranks come from these, so that the rounding of the
            division can neither merge nor split ties.
        share: The same divided by their sum over slots, shape (K, n).
    """

    given: Floats
    share: Floats

    @classmethod
    def of(cls, rows: Floats) -> "Scores":
        """Return the scores of sessions, shape (n, K); every row has a positive sum."""
        given = np.ascontiguousarray(rows.T)
        return cls(given, given / given.sum(axis=0))

    @cached_property
    def _ascending(self) -> Floats:
        # numpy sorts contiguous rows faster than columns
        return np.ascontiguousarray(np.sort(self.given.T, axis=1).T)

    def top(self, k: int, ties: str) -> Floats:
        """Return the chance of each slot to be among the ``k`` largest, shape (K, n); 1 everywhere if k >= K.

        With ``ties="expected"`` the slots that share the k-th largest value share the places left to them;
        with ``ties="last"`` the last of them in slot order take these places.
        """
        slots = len(self.given)
        if k >= slots:
            return np.ones_like(self.given)
        threshold = self._ascending[slots - k]
        above = self.given > threshold
        tied = self.given == threshold
        places = k - _count(above)
        if ties == "expected":
            shared: Floats = above + tied * (places / _count(tied))
            return shared
        from_last = np.cumsum(tied[::-1], axis=0)[::-1]
        chosen: Floats = (above | (tied & (from_last <= places))).astype(np.float64)
        return chosen

    def rank(self, slot: Ints) -> "Rank":
        """Return where one slot per session ranks; ``slot`` has shape (n,)."""
        value = self.given[slot, np.arange(slot.size)]
        tied = self.given == value
        later = np.arange(len(self.given))[:, None] > slot
        return Rank(_count(self.given > value), _count(tied), _count(tied & later))


@dataclass(frozen=True, eq=False)
class Rank:
    """For one slot per session, how many have more, as much (itself included), as much but come later; shape (n,)."""

    above: Floats
    tied: Floats
    tied_later: Floats

    def hit(self, k: int, ties: str) -> Floats:
        """Return the chance that the slot is among the ``k`` largest, shape (n,)."""
        if ties == "expected":
            return np.clip((k - self.above) / self.tied, 0.0, 1.0)
        return (self.above + self.tied_later < k).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Block:
    """``n`` sessions of ``K`` slots each.

    A session without attention or without probabilities holds a constant there; whoever calls the metric
    blanks its value, so a metric function never needs to look for missing parts.

    Attributes:
        gaze: Human dwell times; ``gaze.share`` is g.
        click: The clicked slot, shape (n,).
        cells: Part -> cells of predictions, of which ``rows`` are about these sessions.
        rows: The row of each session's prediction, -1 where it has none, shape (n,).
        ties: One of ``TIES``.
        path: The slot of each recorded visit, of which ``sessions`` are these sessions'; empty where none is recorded.
        sessions: The row of each session's path, shape (n,).
    """

    gaze: Scores
    click: Ints
    cells: Mapping[str, Ragged]
    rows: Ints
    ties: str
    path: Ragged
    sessions: Ints

    @cached_property
    def attention(self) -> Scores:
        """The simulator's attention; ``attention.share`` is a."""
        return self._per_slot("attention")

    @cached_property
    def probabilities(self) -> Scores:
        """Its click probabilities; ``probabilities.share`` is p."""
        return self._per_slot("probabilities")

    @cached_property
    def answer(self) -> Ints:
        """The slot it answered with, shape (n,); -1 where it gave none."""
        return self.cells["answer"].matrix(self.rows, 1, -1.0)[:, 0].astype(np.int64)

    @cached_property
    def steps(self) -> Steps:
        """What it said along the recorded paths, and what came."""
        slots = len(self.gaze.given)
        return Steps.of(self.cells["next_visit"], self.rows, self.path, self.sessions, slots)

    @cached_property
    def next_rank(self) -> Rank:
        """Where the next visit's slot ranks among the slots other than the current one, by visit."""
        return Scores(self.steps.given, self.steps.given).rank(self.steps.next)

    @cached_property
    def attention_rank(self) -> Rank:
        """Where the clicked slot ranks by attention."""
        return self.attention.rank(self.click)

    @cached_property
    def probability_rank(self) -> Rank:
        """Where the clicked slot ranks by probability."""
        return self.probabilities.rank(self.click)

    def _per_slot(self, part: str) -> Scores:
        return Scores.of(self.cells[part].matrix(self.rows, len(self.gaze.given), 1.0))


def _count(slots: Bools) -> Floats:
    count: Floats = np.count_nonzero(slots, axis=0).astype(np.float64)
    return count
