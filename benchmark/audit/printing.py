"""An audit as a document: a table of findings with the arithmetic, then what was looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmark.audit.findings import SEVERITIES, Finding, Outcome, in_order
from benchmark.audit.reported import Reported
from benchmark.output.document import Document, Grid, GridColumn, row

FORMATS = ("terminal", "markdown", "csv", "json")

_HEADERS = ("severity", "check", "where", "metric", "finding", "arithmetic")


def document(reported: Reported, outcomes: Sequence[Outcome]) -> Document:
    """Return an audit."""
    findings = in_order(outcomes)
    keys = ("check", "looks_at", "checked", "found", "left_out")
    looked = [(o.check, o.subject, o.checked, len(o.findings), o.reason) for o in outcomes]
    heads = ("check", "looks at", "checked", "found", "")
    found = Grid(
        tuple(GridColumn(name, "left", wraps=True) for name in _HEADERS),
        tuple(row(*dataclasses.astuple(one)) for one in findings),
    )
    notes = "; ".join(reported.notes)
    return Document(
        title=f"Audit of {reported.source}: {verdict(findings)}",
        notices=reported.notes,
        grids=(*([found] if findings else []), Grid.of_records([dict(zip(heads, one, strict=True)) for one in looked])),
        csv=lambda: [(*_HEADERS, "notes"), *((*dataclasses.astuple(one), notes) for one in findings)],
        data=lambda: {
            "source": reported.source,
            "notes": list(reported.notes),
            "findings": [dataclasses.asdict(one) for one in findings],
            "checks": [dict(zip(keys, one, strict=True)) for one in looked],
        },
    )


def verdict(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each severity."""
    if not findings:
        return "nothing found"
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    words = {"impossible": "impossible", "unlikely": "unlikely", "note": "worth a note"}
    return ", ".join(f"{count} {words[severity]}" for severity, count in counts.items() if count)
