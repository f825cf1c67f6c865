"""Our own schema of a reported table, and the self-reported numbers of a submission.

The schema is written down in docs/audit.md. Every key is checked; a mistyped one is named with the nearest known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from benchmark.audit.granularity import known
from benchmark.audit.printed import printed
from benchmark.audit.reported import Cell, Reported, Row, Setting
from tasks.decoding import decode
from tasks.errors import InputError

LABELS = ("table", "task", "backbone", "operator", "method")

REMEDY = "docs/audit.md shows the format"

_Text = str | int
_Number = str | int
"""Numbers with a point are read as text, so that their digits are kept."""
_Digits = Annotated[int, Meta(ge=0, le=15)]


@dataclass(frozen=True, slots=True)
class _CellEntry:
    """A number and what is printed next to it."""

    mean: _Number
    sd: _Number | None = None
    stars: Annotated[int, Meta(ge=0, le=9)] | None = None
    improvement: _Number | None = None


@dataclass(frozen=True, slots=True)
class _RowEntry:
    values: dict[str, _Number | _CellEntry | None]
    table: _Text = ""
    task: _Text = ""
    backbone: _Text = ""
    operator: _Text = ""
    method: _Text = ""
    deterministic: bool | None = None


@dataclass(frozen=True, slots=True)
class _Decimals:
    """Digits after the point, where a number lost trailing zeros."""

    mean: _Digits | None = None
    sd: _Digits | None = None
    improvement: _Digits | None = None


@dataclass(frozen=True, slots=True)
class _Document:
    """A reported table as docs/audit.md describes it."""

    rows: Annotated[list[_RowEntry], Meta(min_length=1)]
    format: Annotated[int, Meta(ge=1, le=1)] = 1
    source: _Text | None = None
    notes: tuple[_Text, ...] = ()
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    decimals: _Decimals = field(default_factory=_Decimals)
    percent: tuple[str, ...] = ()
    baseline: _Text = ""
    deterministic: tuple[_Text, ...] = ()
    stars: Annotated[list[_Number], Meta(min_length=1, max_length=9)] = field(default_factory=lambda: ["0.05", "0.01"])


@dataclass(frozen=True, slots=True)
class _Claim:
    """A number that a submission reports."""

    metric: Annotated[str, Meta(min_length=1)]
    value: _Number
    task: _Text = ""
    split: _Text = ""
    source: _Text = ""


def known_metric(name: str) -> str | None:
    """Return the metric that a column name means, whatever its case and arrows, or None."""
    found = known(name.strip().strip("*_ ").rstrip("\u2191\u2193 "))
    return None if found is None else found.name


def metric_name(name: str) -> str:
    """Return the metric that a name means, or the name itself where it is not known."""
    return known_metric(name) or name.strip()


def setting_of(values: Mapping[str, object], where: Path | str, remedy: str = REMEDY) -> Setting:
    """Return a setting from plain values; what is None is not known.

    InputError if a key is not known, or a value is out of range.
    """
    given = {key: value for key, value in values.items() if value is not None}
    if isinstance(given.get("uniform_logloss"), str):
        given["uniform_logloss"] = float(printed(str(given["uniform_logloss"]), where=f"{where}: uniform_logloss"))
    return decode(Setting, given, where, remedy)


def from_mapping(values: Mapping[str, Any], source: str, where: Path | str = "the table") -> Reported:
    """Return the reported table of a document whose numbers with a point are text, named ``source`` if it has no name.

    InputError if it does not keep to the schema; the place is named.
    """
    given = decode(_Document, values, where, REMEDY)
    levels = tuple(float(printed(str(level), where="stars")) for level in given.stars)
    if any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels), reverse=True):
        raise InputError("'stars' must be levels between 0 and 1 that fall, such as [0.05, 0.01].")
    return Reported(
        source=source if given.source is None else str(given.source),
        rows=tuple(_row(row, f"row {i}", given) for i, row in enumerate(given.rows, start=1)),
        settings={
            task: setting_of(setting, f"{where}: settings of {task}") for task, setting in given.settings.items()
        },
        baseline=str(given.baseline),
        levels=levels,
        notes=tuple(map(str, given.notes)),
    )


def _row(row: _RowEntry, where: str, document: _Document) -> Row:
    percent = set(map(metric_name, document.percent))
    cells: dict[str, Cell] = {}
    for name, entry in row.values.items():
        metric = metric_name(name)
        if metric in cells:
            raise InputError(f"{where}: {metric} appears twice. Keep one.")
        if entry is not None:
            given = entry if isinstance(entry, _CellEntry) else _CellEntry(entry)
            cells[metric] = _cell(given, f"{where}, {metric}", document.decimals, metric in percent)
    fixed = row.method in document.deterministic if row.deterministic is None else row.deterministic
    return row_of([str(getattr(row, label)) for label in LABELS], cells, fixed)


def row_of(labels: Iterable[str], cells: Mapping[str, Cell], deterministic: bool = False) -> Row:
    """Return a row from its labels, in the order of ``LABELS``."""
    table, task, backbone, operator, method = labels
    return Row(table, task, backbone, operator, method, deterministic, cells)


def _cell(given: _CellEntry, where: str, digits: _Decimals, percent: bool) -> Cell:
    sd, gain = given.sd, given.improvement
    return Cell(
        printed(str(given.mean), digits.mean, percent=percent, where=where),
        None if sd is None else printed(str(sd), digits.sd, percent=percent, where=f"{where}: sd"),
        given.stars,
        None if gain is None else printed(str(gain), digits.improvement, where=f"{where}: improvement"),
    )


def from_submission(values: Mapping[str, Any], source: str, where: Path | str) -> Reported:
    """Return the self-reported numbers of a ``submission.yaml``: a row per task, split and source.

    InputError if ``reported`` is not a list of task, split, metric, value and source.
    """
    cells: dict[tuple[str, str, str], dict[str, Cell]] = {}
    for i, claim in enumerate(decode(list[_Claim], values["reported"], where, REMEDY, at=("reported",)), start=1):
        key = str(claim.source), str(claim.task), str(claim.split)
        row, metric = cells.setdefault(key, {}), metric_name(claim.metric)
        if metric in row:
            raise InputError(f"reported {i}: the metric '{metric}' appears twice. Give each once.")
        row[metric] = Cell(printed(str(claim.value), where=f"reported {i}: value"))
    name = str(values.get("name", ""))
    rows = [Row(origin, task, "", split, name, False, row) for (origin, task, split), row in cells.items()]
    return Reported(source, tuple(rows))
