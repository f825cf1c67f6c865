"""The same entry in two tables should be the same number."""

from __future__ import annotations

from benchmark.audit.findings import Finding, Outcome
from benchmark.audit.reported import Cell, Reported, Row


def check(reported: Reported) -> Outcome:
    """Find entries that stand in the report more than once, with numbers that do not round to each other."""
    first: dict[tuple[str, ...], tuple[Row, Cell]] = {}
    found: list[Finding] = []
    checked = 0
    for row, metric, cell in reported.cells():
        key = (*row.subject, metric)
        if key not in first:
            first[key] = row, cell
            continue
        checked += 1
        other_row, other = first[key]
        apart = abs(cell.mean.value - other.mean.value)
        if apart > cell.mean.half + other.mean.half:
            what = f"it stands a second time with another number ({other_row.where})."
            arithmetic = f"{cell.mean} - {other.mean} = {float(cell.mean.value - other.mean.value):+.6g}"
            found.append(Finding("unlikely", "repeat", row.where, metric, what, arithmetic))
    return Outcome("repeat", "entries in several tables", checked, tuple(found))
