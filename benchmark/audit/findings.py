"""What an audit says: findings, and what was looked at; as values and as a document."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmark.audit.reported import Reported
from benchmark.output.document import Document, Grid

Severity = Literal["impossible", "unlikely", "note"]
SEVERITIES: tuple[Severity, ...] = ("impossible", "unlikely", "note")

UNLIKELY = 1e-3
"""Chance below which a pattern is called unlikely. An audit looks at few patterns, so this is seldom passed by luck."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or worth knowing, in a table of reported results.

    Attributes:
        severity: ``impossible``: no data can give these numbers under what the report says of itself. ``unlikely``:
            they can come about, but seldom. ``note``: true of the numbers and worth knowing.
        arithmetic: The calculation, so that it can be repeated by hand.
    """

    severity: Severity
    check: str
    where: str
    metric: str
    what: str
    arithmetic: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}, {self.metric}: {self.what} [{self.arithmetic}]"


@dataclass(slots=True)
class Outcome:
    """What one check comes to: how many values it could have objected to, how many it leaves out, and why."""

    check: str
    subject: str
    why: str = ""
    checked: int = 0
    left: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, severity: Severity, where: str, metric: str, what: str, arithmetic: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(severity, self.check, where, metric, what, arithmetic))

    @property
    def reason(self) -> str:
        """Why values were left out; empty if none were."""
        return f"{self.left} left out: {self.why}" if self.left else ""


def in_order(outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return all findings, the gravest first."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


FORMATS = ("terminal", "markdown", "csv", "json")

_HEADERS = ("severity", "check", "where", "metric", "finding", "arithmetic")


def document(reported: Reported, outcomes: Sequence[Outcome]) -> Document:
    """Return an audit."""
    findings = in_order(outcomes)
    keys = ("check", "looks_at", "checked", "found", "left_out")
    looked = [(o.check, o.subject, o.checked, len(o.findings), o.reason) for o in outcomes]
    heads = ("check", "looks at", "checked", "found", "")
    found = Grid.of_records([dict(zip(_HEADERS, dataclasses.astuple(one), strict=True)) for one in findings])
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
