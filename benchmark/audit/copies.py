"""Numbers that should be the same, and numbers that should not: repeats, quotations, two metrics alike."""

import math
from collections.abc import Iterator
from itertools import combinations

from benchmark.audit.findings import UNLIKELY, Outcome, Severity
from benchmark.audit.printed import COMPUTED
from benchmark.audit.reported import Cell, Quoted, Reported, Row


def check_repeats(reported: Reported) -> Outcome:
    """Find entries that the report has twice, made from the same runs, with numbers that do not round to each other."""
    found = Outcome("repeat", "entries in several tables or files")
    before: dict[tuple[str, ...], list[tuple[Row, Cell]]] = {}
    for row, metric, cell in reported.cells():
        entries = before.setdefault((*row.subject, metric), [])
        # Of the same runs, as far as that is said: one is made from runs of the other.
        same = ((r, c) for r, c in entries if {*row.trials} <= {*r.trials} or {*r.trials} <= {*row.trials})
        other_row, other = next(same, (None, None))
        entries.append((row, cell))
        if other_row is None or other is None:
            continue
        found.checked += 1
        apart = abs(cell.mean.value - other.mean.value)
        if apart > cell.mean.half + other.mean.half:
            what = f"it appears a second time with another number ({other_row.where})."
            arithmetic = f"{cell.mean} - {other.mean} = {float(cell.mean.value - other.mean.value):+.6g}"
            found.add("unlikely", row.where, metric, what, arithmetic)
    return found


def check_quoted(reported: Reported) -> Outcome:
    """Compare every quoted number with the paper's, and every difference with its two parts."""
    found = Outcome("quoted", "quoted numbers and differences from them", "the paper's value is not known")
    for row, metric, cell in reported.cells():
        if cell.quoted is not None:
            found.checked += bool(cell.quoted.originals) + (cell.quoted.difference is not None)
            found.left += not cell.quoted.originals
            _check_quotation(found, row, metric, cell.quoted)
    return found


def _check_quotation(found: Outcome, row: Row, metric: str, quoted: Quoted) -> None:
    said, own, mean = quoted.difference, quoted.own, quoted.mean
    if quoted.originals and not any(mean.meets(one.low, one.high) for one in quoted.originals):
        there = " or ".join(dict.fromkeys(map(str, quoted.originals)))
        what = "the published value next to it is not the one that the paper prints."
        found.add("impossible", row.where, metric, what, f"quoted {mean}, there {there}")
    if said is not None and own is not None and not said.meets(own.low - mean.high, own.high - mean.low):
        what = (
            "the difference from the published value next to it does not follow from the two, however they were "
            "rounded."
        )
        arithmetic = f"{own} - {mean} = {float(own.value - mean.value):+.6g}, not {said}"
        found.add("impossible", row.where, metric, what, arithmetic)


LEAST = 3
"""Different values that two metrics must share in a task before it is worth a word."""

Pair = tuple[Row, Cell, Cell]


def check_coinciding(reported: Reported) -> Outcome:
    """Find metrics whose numbers are the same in all rows of a task, however the rows differ."""
    found = Outcome("coincide", "pairs of metrics")
    for first, second in combinations(dict.fromkeys(metric for _, metric, _ in reported.cells()), 2):
        rows = list(_rows(reported, first, second))
        for task in dict.fromkeys(row.task for row, _, _ in rows):
            within = [pair for pair in rows if pair[0].task == task]
            found.checked += 1
            if all(map(_same, within)) and len({cell.mean.value for _, cell, _ in within}) >= LEAST:
                _add(found, task, first, second, within, rows)
    return found


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


def _add(found: Outcome, task: str, first: str, second: str, within: list[Pair], rows: list[Pair]) -> None:
    """Add what is said of a task; the chance is that of where the equal rows of the report are, not of equality."""
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
    found.add(severity, task or "the table", f"{first}, {second}", what, arithmetic)
