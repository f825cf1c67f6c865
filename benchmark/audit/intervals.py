"""Means and their intervals."""

import math

from benchmark.audit.findings import Outcome
from benchmark.audit.granularity import known
from benchmark.audit.ranges import SLACK, limits
from benchmark.audit.reported import Cell, Interval, Reported, Row


def check(reported: Reported) -> Outcome:
    """Find means that lie outside of their interval, or off the middle of one of this suite."""
    found = Outcome("interval", "means and their intervals")
    for row, metric, cell in reported.cells():
        if cell.interval is not None:
            found.checked += 1
            _judge(found, row, metric, cell, cell.interval)
    return found


def _judge(found: Outcome, row: Row, metric: str, cell: Cell, interval: Interval) -> None:
    mean, low, high = cell.mean, interval.low, interval.high
    if low.low > high.high:
        what = "the lower end of the interval is above the upper end."
        found.add("impossible", row.where, metric, what, f"{low} > {high}")
        return
    if not mean.meets(low.low, high.high):
        what = "the mean lies outside of its interval."
        found.add("impossible", row.where, metric, what, f"{mean} is not in {low} .. {high}")
        return
    middles = _middles(metric, float(low), float(high)) if interval.own else []
    if middles and all(abs(float(mean) - one) > mean.half + (low.half + high.half) / 2 for one in middles):
        what = (
            "the mean is not the middle of its interval, whether that is a t interval or one within the metric's range."
        )
        arithmetic = f"{low} .. {high} has the middle {' or '.join(f'{one:.6g}' for one in middles)}, not {mean}"
        found.add("impossible", row.where, metric, what, arithmetic)


def _middles(metric: str, low: float, high: float) -> list[float]:
    """Return where the mean lies in a t interval and in a score interval with these ends; nothing if that is open.

    With the ends a and b as shares of the range, the mean of ``statistics.score_interval`` is 2ab / (a + b) for a
    metric without an upper end, else the mean of a and b weighted with the spread at the other.
    """
    found, about = [(low + high) / 2], known(metric)
    if about is not None:
        bounds = about.bounds
        width = bounds.high - bounds.low
        a, b = (low - bounds.low) / width, (high - bounds.low) / width
        weights = (b, a) if bounds.open_above else (math.sqrt(b * (1 - b)), math.sqrt(a * (1 - a)))
        if not sum(weights):
            return []
        found.append(bounds.low + width * (a * weights[0] + b * weights[1]) / sum(weights))
    return found


def check_range(reported: Reported) -> Outcome:
    """Note intervals that leave the range of their metric, metric by metric."""
    found = Outcome("interval-range", "intervals of metrics with a range")
    given: dict[str, list[tuple[Row, Interval]]] = {}
    for row, metric, cell in reported.cells():
        if cell.interval is not None and limits(metric) is not None:
            given.setdefault(metric, []).append((row, cell.interval))
    for metric, entries in given.items():
        found.checked += len(entries)
        low, high = limits(metric) or (0.0, 0.0)
        outside = [(r, i) for r, i in entries if i.low.high < low - SLACK or i.high.low > high + SLACK]
        if outside:
            row, interval = outside[0]
            what = (
                f"{len(outside)} of {len(entries)} intervals leave the range {low:g}..{high:.6g}: near its ends such "
                "an interval covers the mean less often than it says."
            )
            arithmetic = f"the first: {row.where}, {interval.low} .. {interval.high}"
            found.add("note", "the table", metric, what, arithmetic)
    return found
