"""Published values next to a report's own: are they those of the paper, and are the differences right?"""

from __future__ import annotations

from benchmark.audit.findings import Finding, Outcome, left_out
from benchmark.audit.reported import Quoted, Reported, Row


def check(reported: Reported) -> Outcome:
    """Compare every quoted number with the paper's, and every difference with its two parts."""
    found: list[Finding] = []
    checked = left = 0
    for row, metric, cell in reported.cells():
        quoted = cell.quoted
        if quoted is None:
            continue
        checked += bool(quoted.originals) + (quoted.difference is not None)
        left += not quoted.originals
        found += _misquoted(row, metric, quoted) + _wrong_difference(row, metric, quoted)
    return Outcome(
        "quoted",
        "quoted numbers and differences from them",
        checked,
        tuple(found),
        left_out(left, "the paper's value is not known"),
    )


def _misquoted(row: Row, metric: str, quoted: Quoted) -> list[Finding]:
    mean = quoted.mean
    if not quoted.originals or any(o.low <= mean.high and mean.low <= o.high for o in quoted.originals):
        return []
    there = " or ".join(dict.fromkeys(map(str, quoted.originals)))
    what = "the published value next to it is not the one that the paper prints."
    return [Finding("impossible", "quoted", row.where, metric, what, f"quoted {mean}, there {there}")]


def _wrong_difference(row: Row, metric: str, quoted: Quoted) -> list[Finding]:
    said, own, mean = quoted.difference, quoted.own, quoted.mean
    if said is None or own is None:
        return []
    low, high = own.low - mean.high, own.high - mean.low
    if said.low <= high and low <= said.high:
        return []
    what = "the difference from the published value next to it does not follow from the two, however they were rounded."
    arithmetic = f"{own} - {mean} = {float(own.value - mean.value):+.6g}, not {said}"
    return [Finding("impossible", "quoted", row.where, metric, what, arithmetic)]
