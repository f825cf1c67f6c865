"""Intervals that keep within what their metric can be."""

from __future__ import annotations

from benchmark.metrics import get


def within_range(metric: str, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return the limits of an interval, cut off at the ends of a metric's range.

    A t interval knows nothing of the range: with few users that of a share reaches below 0 or above 1.
    """
    lowest, highest = get(metric).range
    return None if low is None else max(lowest, low), None if high is None else min(highest, high)
