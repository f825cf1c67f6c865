"""Means and their intervals."""

from __future__ import annotations

from benchmark.audit.findings import Finding, Outcome
from benchmark.audit.ranges import SLACK, limits
from benchmark.audit.reported import Cell, Interval, Reported, Row


def check(reported: Reported) -> Outcome:
    """Find means that lie outside of their interval, or off the middle of one that is symmetric about its mean."""
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
    if not interval.symmetric:
        return None
    middle = (low.value + high.value) / 2
    if abs(mean.value - middle) <= mean.half + (low.half + high.half) / 2:
        return None
    what = "the mean is not the middle of its t interval, which is symmetric about the mean."
    arithmetic = f"({low} + {high}) / 2 = {float(middle):.6g}, not {mean}"
    return Finding("impossible", "interval", row.where, metric, what, arithmetic)


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
