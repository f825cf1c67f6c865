"""The Markdown that ``reproduce`` writes of a table: rounded, with its captions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from benchmark.audit.printed import printed
from benchmark.audit.reading.mapping import known_metric
from benchmark.audit.reading.reproduced import LABEL, OURS, REFERENCE, Kind, Line, assemble, setting_of
from benchmark.audit.reported import Cell, Reported, Setting
from tasks.errors import InputError

_MADE = re.compile(r"^- Made from \d+ trials?; .*?([\w.-]+)\.json\.?\s*$", re.MULTILINE)
_SESSIONS = re.compile(
    r"^- (?P<task>\S+) [^,]+, split \S+: (?P<sessions>\d+) test sessions? of (?P<users>\d+) users?; "
    r"seeds? (?P<seeds>\d+(?:, \d+)*)\.\s*$",
    re.MULTILINE,
)
_IMPROVEMENT = re.compile(r"^- improvement: of (?P<better>.+?) over (?P<base>.+?), in percent", re.MULTILINE)
_TESTED = re.compile(r"^- In brackets: difference from (?P<base>.+?), mean over users", re.MULTILINE)
_NOTE = re.compile(r"^\*\*NOTE: (?P<note>.+)\*\*\s*$", re.MULTILINE)

_NUMBER = r"[+\-]?\d+\.\d+"
_CELL = re.compile(
    rf"(?P<mean>{_NUMBER})(?: \u00b1 (?P<sd>{_NUMBER}))?(?P<marks>\*{{1,2}}|\u00b0{{1,2}})?"
    rf"(?: \((?:(?P<difference>{_NUMBER}), )?p <?[\d.]+\))?"
)
_PERCENT = re.compile(rf"(?P<mean>{_NUMBER}) ?%")
_PAPER = re.compile(r"paper(?: \((?P<backbone>[^,()]+), (?P<operator>[^,()]+)\))?")


def name_of(text: str) -> str | None:
    """Return the name of the table that ``reproduce`` wrote a Markdown file of, or None for another file."""
    made = _MADE.search(text)
    return made[1] if made else None


def from_grid(header: Sequence[str], lines: Sequence[Sequence[str]], text: str, source: str) -> Reported:
    """Return a reproduced table from its Markdown.

    Args:
        header: The cells of the first line.
        lines: The cells of the others.
        text: The whole file, for its captions.
        source: Where it was read from.

    Raises:
        InputError: It is not as ``reproduce`` writes it; the .json beside it is named.
    """
    name = name_of(text) or ""
    try:
        metrics = {i: known_metric(cell) or cell for i, cell in enumerate(header) if i > 2}
        if [cell.lower() for cell in header[:3]] != ["backbone", "operator", "method"]:
            raise InputError("its columns are not backbone, operator, method and metrics")
        task, setting = _about(text)
        improvement, tested = _IMPROVEMENT.search(text), _TESTED.search(text)
        reference = next((match["base"] for match in (improvement, tested) if match), REFERENCE)
        found: list[Line] = []
        for cells in lines:
            better = improvement["better"] if improvement else ""
            found.append(_line(cells, metrics, found, better, (name, task, setting)))
        notes = [match["note"] for match in _NOTE.finditer(text)]
        return assemble(source, found, reference, notes)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}. Give {name}.json, which holds the table unrounded.") from error


def _about(text: str) -> tuple[str, Setting]:
    """Return the task and how the numbers came about, from the caption on its test sessions."""
    match = _SESSIONS.search(text)
    if match is None:
        return "", OURS
    seeds = len(match["seeds"].split(", "))
    return match["task"], setting_of(int(match["sessions"]), int(match["users"]), seeds)


def _line(
    cells: Sequence[str],
    metrics: Mapping[int, str],
    above: Sequence[Line],
    better: str,
    about: tuple[str, str, Setting],
) -> Line:
    """Return a line of the table.

    Args:
        cells: Its cells.
        metrics: Column -> metric.
        above: The lines above it, to which it may belong.
        better: The method that improvements are of.
        about: Table, task and setting.
    """
    table, task, setting = about
    backbone, operator, label = cells[:3]
    kind = _kind(label)
    paper = _PAPER.fullmatch(label)
    method = label.strip("()") + ")" if label.startswith("(") and label.endswith(f"{LABEL})") else label
    of = better
    if kind in ("paper", "difference"):
        owners = (line.method for line in reversed(above) if line.kind == "value" and not line.method.endswith(LABEL))
        of = next(owners, "")
    matches = {metric: _match(cells[i], kind, metric) for i, metric in metrics.items() if cells[i]}
    return Line(
        table=table,
        task=task,
        backbone=backbone,
        operator=operator,
        method=method,
        kind=kind,
        cells={metric: _cell(match) for metric, match in matches.items()},
        block=(backbone, operator),
        of=of if kind != "value" else "",
        setting=setting,
        differences={
            metric: printed(match["difference"])
            for metric, match in matches.items()
            if kind == "value" and match["difference"]
        },
        quoted_from=(paper["backbone"], paper["operator"]) if paper and paper["backbone"] else (backbone, operator),
    )


def _kind(label: str) -> Kind:
    if _PAPER.fullmatch(label):
        return "paper"
    return {"ours - paper": "difference", "improvement": "improvement"}.get(label, "value")  # type: ignore[return-value]


def _match(text: str, kind: Kind, metric: str) -> re.Match[str]:
    found = (_PERCENT if kind == "improvement" else _CELL).fullmatch(text)
    if found is None:
        raise InputError(f"{metric}: '{text[:40]}' is not as 'reproduce' prints it")
    return found


def _cell(match: re.Match[str]) -> Cell:
    given = match.groupdict()
    marks = given.get("marks") or ""
    return Cell(
        printed(match["mean"]),
        sd=printed(given["sd"]) if given.get("sd") else None,
        stars=len(marks) or None,
        better=marks.startswith("*") if marks else None,
    )
