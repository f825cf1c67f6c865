"""Are two metrics of a report the same number in every row of a task?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

from benchmark.audit.findings import UNLIKELY, Finding, Outcome, Severity
from benchmark.audit.printed import COMPUTED
from benchmark.audit.reported import Cell, Reported, Row

LEAST = 3
"""Different values that two metrics must share in a task before it is worth a word."""

Pair = tuple[Row, Cell, Cell]


def check(reported: Reported) -> Outcome:
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
