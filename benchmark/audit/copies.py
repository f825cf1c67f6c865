"""Numbers that should be the same, and numbers that should not: repeats, quotations, two metrics alike."""

import math
from collections.abc import Iterator
from itertools import combinations

from benchmark.audit.findings import UNLIKELY, Finding, Outcome, Severity, left_out
from benchmark.audit.printed import COMPUTED
from benchmark.audit.reported import Cell, Quoted, Reported, Row


def check_repeats(reported: Reported) -> Outcome:
    """Find entries that the report has twice, made from the same runs, with numbers that do not round to each other."""
    before: dict[tuple[str, ...], list[tuple[Row, Cell]]] = {}
    found: list[Finding] = []
    checked = 0
    for row, metric, cell in reported.cells():
        entries = before.setdefault((*row.subject, metric), [])
        other_row, other = next(((r, c) for r, c in entries if _same_runs(row, r)), (None, None))
        entries.append((row, cell))
        if other_row is None or other is None:
            continue
        checked += 1
        apart = abs(cell.mean.value - other.mean.value)
        if apart > cell.mean.half + other.mean.half:
            what = f"it appears a second time with another number ({other_row.where})."
            arithmetic = f"{cell.mean} - {other.mean} = {float(cell.mean.value - other.mean.value):+.6g}"
            found.append(Finding("unlikely", "repeat", row.where, metric, what, arithmetic))
    return Outcome("repeat", "entries in several tables or files", checked, tuple(found))


def _same_runs(row: Row, other: Row) -> bool:
    """Return whether one of two rows is made from runs of the other, as far as that is said."""
    mine, theirs = set(row.trials), set(other.trials)
    return mine <= theirs or theirs <= mine


def check_quoted(reported: Reported) -> Outcome:
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


LEAST = 3
"""Different values that two metrics must share in a task before it is worth a word."""

Pair = tuple[Row, Cell, Cell]


def check_coinciding(reported: Reported) -> Outcome:
    """Find metrics whose numbers are the same in all rows of a task, however the rows differ."""
    found: list[Finding] = []
    checked = 0
    for first, second in combinations(dict.fromkeys(metric for _, metric, _ in reported.cells()), 2):
        rows = list(_rows(reported, first, second))
        for task in dict.fromkeys(row.task for row, _, _ in rows):
            within = [pair for pair in rows if pair[0].task == task]
            checked += 1
            if all(map(_same, within)) and len({cell.mean.value for _, cell, _ in within}) >= LEAST:
                found.append(_finding(task, first, second, within, rows))
    return Outcome("coincide", "pairs of metrics", checked, tuple(found))


def _rows(reported: Reported, first: str, second: str) -> Iterator[Pair]:
    """Yield the rows that have both metrics, with both numbers; what several tables repeat comes once."""
    seen = set()
    for row in reported.rows:
        if first in row.cells and second in row.cells:
            one, other = row.cells[first], row.cells[second]
            key = (row.subject, one.mean.value, other.mean.value)
            if key not in seen:
                seen.add(key)
                yield row, one, other


def _same(pair: Pair) -> bool:
    _, one, other = pair
    return abs(one.mean.value - other.mean.value) <= COMPUTED


def _finding(task: str, first: str, second: str, within: list[Pair], rows: list[Pair]) -> Finding:
    """Return what is said of a task; the chance is that of where the equal rows of the report are, not of equality."""
    what = f"{first} and {second} are the same number in all {len(within)} rows, though the rows differ"
    equal, rest = sum(map(_same, rows)), len(rows) - len(within)
    arithmetic = ", ".join(str(one.mean) for _, one, _ in within)
    chance = 1.0
    if rest:
        chance = math.comb(equal, len(within)) / math.comb(len(rows), len(within))
        what += f"; elsewhere in the report {equal - len(within)} of {rest} are"
        arithmetic += f"; were the {equal} equal rows anywhere among the {len(rows)}: {chance:.2g}"
    what += ". One of the two may be a copy of the other, or computed from what belongs to it."
    severity: Severity = "unlikely" if chance < UNLIKELY else "note"
    return Finding(severity, "coincide", task or "the table", f"{first}, {second}", what, arithmetic)
