"""Descriptive statistics of a task: they go on the card and serve as a tripwire when a reader changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.types import Floats, Session


@dataclass(frozen=True, slots=True)
class Spread:
    """Minimum, median, mean and maximum of a quantity."""

    min: float
    median: float
    mean: float
    max: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of at least one value, rounded to 6 decimals."""
        array = np.asarray(list(values), dtype=np.float64)
        statistics = (array.min(), np.median(array), array.mean(), array.max())
        return cls(*(round(float(value), 6) for value in statistics))

    def __str__(self) -> str:
        if self.min == self.max:
            return f"{self.min:g}"
        return f"{self.min:.4g} to {self.max:.4g} (mean {self.mean:.4g}, median {self.median:.4g})"


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a task looks like in numbers.

    Attributes:
        gaze_s: Dwell time of one session, all slots, seconds.
        gaze_entropy_bits: Entropy of one session's gaze over its slots, bits (0 to log2 K).
        click_is_longest_looked_at: Share of sessions whose clicked slot has the largest dwell time.
        click_positions: Number of clicks on slot 0, 1, 2, ...
    """

    sessions: int
    users: int
    screens: int
    sessions_per_user: Spread
    slots_per_session: Spread
    gaze_s: Spread
    gaze_entropy_bits: Spread
    click_is_longest_looked_at: float
    click_positions: list[int]
    click_kinds: dict[str, int]
    slot_kinds: dict[str, int]
    flags: dict[str, int]


def entropy_bits(gaze: Floats) -> float:
    """Return the entropy of a distribution over slots, shape (K,): ``-sum g log2 g``, bits; empty slots add nothing."""
    looked_at = gaze[gaze > 0]
    return float(-(looked_at * np.log2(looked_at)).sum()) + 0.0


def describe(sessions: Sequence[Session]) -> Statistics:
    """Return the statistics of at least one session."""
    clicks = [session.click for session in sessions]
    return Statistics(
        sessions=len(sessions),
        users=len({session.user for session in sessions}),
        screens=len({session.screen for session in sessions}),
        sessions_per_user=Spread.of(Counter(session.user for session in sessions).values()),
        slots_per_session=Spread.of(len(session.slots) for session in sessions),
        gaze_s=Spread.of(float(session.gaze_ms.sum()) / 1000 for session in sessions),
        gaze_entropy_bits=Spread.of(entropy_bits(session.gaze) for session in sessions),
        click_is_longest_looked_at=round(
            sum(bool(s.gaze_ms[s.click] == s.gaze_ms.max()) for s in sessions) / len(sessions), 6
        ),
        click_positions=np.bincount(clicks).tolist(),
        click_kinds=_sorted(Counter(session.slots[session.click].kind for session in sessions)),
        slot_kinds=_sorted(Counter(slot.kind for session in sessions for slot in session.slots)),
        flags=_sorted(Counter(flag for session in sessions for flag in session.flags)),
    )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
