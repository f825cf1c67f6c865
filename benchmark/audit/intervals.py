"""Means and their intervals."""

import math

from benchmark.audit.findings import Finding, Outcome
from benchmark.audit.granularity import known
from benchmark.audit.ranges import SLACK, limits
from benchmark.audit.reported import Cell, Interval, Reported, Row


def check(reported: Reported) -> Outcome:
    """Find means that lie outside of their interval, or off the middle of one of this suite."""
    found: list[Finding] = []
    checked = 0
    for row, metric, cell in reported.cells():
        if cell.interval is None:
            continue
        checked += 1
        finding = _judge(row, metric, cell, cell.interval)
        found += [finding] if finding else []
    return Outcome("interval", "means and their intervals", checked, tuple(found))


def _judge(row: Row, metric: str, cell: Cell, interval: Interval) -> Finding | None:
    mean, low, high = cell.mean, interval.low, interval.high
    if low.low > high.high:
        what = "the lower end of the interval is above the upper end."
        return Finding("impossible", "interval", row.where, metric, what, f"{low} > {high}")
    if mean.high < low.low or mean.low > high.high:
        what = "the mean lies outside of its interval."
        return Finding("impossible", "interval", row.where, metric, what, f"{mean} is not in {low} .. {high}")
    middles = _middles(metric, float(low), float(high)) if interval.own else []
    if not middles or any(abs(float(mean) - one) <= mean.half + (low.half + high.half) / 2 for one in middles):
        return None
    what = "the mean is not the middle of its interval, whether that is a t interval or one within the metric's range."
    arithmetic = f"{low} .. {high} has the middle {' or '.join(f'{one:.6g}' for one in middles)}, not {mean}"
    return Finding("impossible", "interval", row.where, metric, what, arithmetic)


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
    given: dict[str, list[tuple[Row, Interval]]] = {}
    for row, metric, cell in reported.cells():
        if cell.interval is not None and limits(metric) is not None:
            given.setdefault(metric, []).append((row, cell.interval))
    found = []
    for metric, entries in given.items():
        low, high = limits(metric) or (0.0, 0.0)
        outside = [(r, i) for r, i in entries if i.low.high < low - SLACK or i.high.low > high + SLACK]
        if outside:
            row, interval = outside[0]
            what = (
                f"{len(outside)} of {len(entries)} intervals leave the range {low:g}..{high:.6g}: near its ends such "
                "an interval covers the mean less often than it says."
            )
            arithmetic = f"the first: {row.where}, {interval.low} .. {interval.high}"
            found.append(Finding("note", "interval-range", "the table", metric, what, arithmetic))
    return Outcome("interval-range", "intervals of metrics with a range", sum(map(len, given.values())), tuple(found))
