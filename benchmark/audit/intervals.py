"""Means and their intervals."""

from __future__ import annotations

from benchmark.audit.findings import Finding, Outcome
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
