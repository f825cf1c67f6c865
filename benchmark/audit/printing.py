"""An audit as it is printed: a table of findings with the arithmetic, then what was looked at."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence

from benchmark.audit.findings import SEVERITIES, Finding, Outcome
from benchmark.audit.reported import Reported
from tasks.errors import unknown_name

FORMATS = ("table", "markdown", "csv", "json")

_HEADERS = ("severity", "check", "where", "metric", "finding", "arithmetic")
_WIDTHS = (10, 11, 20, 12)
"""Columns of a printed table that the first four fields may take; the last two share the rest."""

_LEAST = 100
_DEFAULT = 160


def render(reported: Reported, outcomes: Sequence[Outcome], format: str, width: int | None = None) -> str:
    """Return an audit in one of ``FORMATS``.

    Args:
        reported: What was audited.
        outcomes: What the checks came to.
        format: ``table`` for the terminal, ``markdown``, ``csv`` (findings, notes in every row), ``json``.
        width: Characters that a line of a ``table`` may have; None: it is not a terminal.

    Raises:
        InputError: The format is not known.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    findings = in_order(outcomes)
    if format == "json":
        return _json(reported, outcomes, findings)
    if format == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        notes = "; ".join(reported.notes)
        writer.writerows([(*_HEADERS, "notes"), *((*_fields(finding), notes) for finding in findings)])
        return text.getvalue().rstrip("\n")
    return _page(reported, outcomes, findings, markdown=format == "markdown", width=width)


def in_order(outcomes: Sequence[Outcome]) -> list[Finding]:
    """Return all findings, the gravest first."""
    found = [finding for outcome in outcomes for finding in outcome.findings]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def verdict(findings: Sequence[Finding]) -> str:
    """Return how many findings there are of each severity."""
    if not findings:
        return "nothing found"
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    words = {"impossible": "impossible", "unlikely": "unlikely", "note": "worth a note"}
    return ", ".join(f"{count} {words[severity]}" for severity, count in counts.items() if count)


def _fields(finding: Finding) -> tuple[str, ...]:
    return finding.severity, finding.check, finding.where, finding.metric, finding.what, finding.arithmetic


def _page(
    reported: Reported, outcomes: Sequence[Outcome], findings: Sequence[Finding], *, markdown: bool, width: int | None
) -> str:
    from tabulate import tabulate

    safe = _markdown if markdown else _plain
    style = "pipe" if markdown else "simple"
    parts = [f"{'# ' if markdown else ''}Audit of {safe(reported.source)}: {verdict(findings)}"]
    parts += ["\n".join(f"{'- ' if markdown else 'NOTE: '}{safe(note)}" for note in reported.notes)]
    if findings:
        rows = [[safe(text) for text in _fields(finding)] for finding in findings]
        wide = max(_LEAST, width or _DEFAULT) - sum(_WIDTHS) - 2 * (len(_HEADERS) - 1)
        shares = [None] * len(_HEADERS) if markdown else [*_WIDTHS, wide - wide * 2 // 5, wide * 2 // 5]
        parts.append(tabulate(rows, headers=_HEADERS, tablefmt=style, disable_numparse=True, maxcolwidths=shares))
    looked = [[o.check, o.subject, str(o.checked), str(len(o.findings)), o.reason] for o in outcomes]
    parts.append(
        tabulate(looked, headers=("check", "looks at", "checked", "found", ""), tablefmt=style, disable_numparse=True)
    )
    return "\n\n".join(part for part in parts if part)


def _json(reported: Reported, outcomes: Sequence[Outcome], findings: Sequence[Finding]) -> str:
    looked = [
        {"check": o.check, "looks_at": o.subject, "checked": o.checked, "found": len(o.findings), "left_out": o.reason}
        for o in outcomes
    ]
    found = [dataclasses.asdict(finding) for finding in findings]
    page = {"source": reported.source, "notes": list(reported.notes), "findings": found, "checks": looked}
    return json.dumps(page, indent=1, ensure_ascii=False)


def _plain(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


def _markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\|*_`<>[]" else c for c in _plain(text))
