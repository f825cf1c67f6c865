"""What a metric function is handed: some sessions with the same number of slots.

Arrays hold slots in axis 0 and sessions in axis 1, shape (K, n), because K is small: sums over slots
then run along whole vectors of sessions, several times faster than along rows of 15 numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

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

    def rank(self, slot: Ints) -> Rank:
        """Return where one slot per session stands; ``slot`` has shape (n,)."""
        value = self.given[slot, np.arange(slot.size)]
        tied = self.given == value
        later = np.arange(len(self.given))[:, None] > slot
        return Rank(_count(self.given > value), _count(tied), _count(tied & later))


@dataclass(frozen=True, eq=False)
class Rank:
    """How many slots compare how with one slot of each session, each of shape (n,).

    Attributes:
        above: Slots with a larger value.
        tied: Slots with the same value, the slot itself included.
        tied_later: Those of them that come later in slot order.
    """

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
        attention: The simulator's attention; ``attention.share`` is a.
        probabilities: Its click probabilities; ``probabilities.share`` is p.
        answer: The slot it answered with, shape (n,); -1 where it gave none.
        ties: One of ``TIES``.
    """

    gaze: Scores
    click: Ints
    attention: Scores
    probabilities: Scores
    answer: Ints
    ties: str

    @cached_property
    def attention_rank(self) -> Rank:
        """Where the clicked slot stands by attention."""
        return self.attention.rank(self.click)

    @cached_property
    def probability_rank(self) -> Rank:
        """Where the clicked slot stands by probability."""
        return self.probabilities.rank(self.click)


def _count(slots: NDArray[np.bool_]) -> Floats:
    count: Floats = np.count_nonzero(slots, axis=0).astype(np.float64)
    return count
