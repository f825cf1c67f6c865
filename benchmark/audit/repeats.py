"""The same entry in two tables should be the same number."""

from __future__ import annotations

from benchmark.audit.findings import Finding, Outcome
from benchmark.audit.reported import Cell, Reported, Row


def check(reported: Reported) -> Outcome:
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
