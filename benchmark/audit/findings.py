"""What an audit says: findings, and what was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check came to: values that it could have objected to, findings, and why values were left out, if any."""

    check: str
    subject: str
    checked: int
    findings: tuple[Finding, ...]
    reason: str = ""


def left_out(count: int, why: str) -> str:
    """Return the reason of an outcome that left values out, empty if it left out none."""
    return f"{count} left out: {why}" if count else ""


def in_order(outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return all findings, the gravest first."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))
