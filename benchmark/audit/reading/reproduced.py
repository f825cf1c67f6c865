"""Tables that ``reproduce`` wrote, as lines, and what the lines are about each other.

Only rows of our values are results. An improvement belongs to one of them, the paper's values and the differences from
them stand beside one, and what a table of significance calls the reference may have no row at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, get_args

from benchmark.audit.printed import Printed
from benchmark.audit.reading import mapping
from benchmark.audit.reported import Cell, Interval, Quoted, Reported, Row, Setting
from benchmark.metrics import get, names
from tasks.errors import InputError

Kind = Literal["value", "improvement", "paper", "difference"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LABEL = " (label)"
"""What the method of a row ends in whose attention was computed for the true click."""

REFERENCE = "the reference"
"""What improvements and stars refer to, where the file does not name it."""

OURS = Setting(average="users", ties="expected", sd="sample", improvement="gain")
"""What holds of every number of this suite (PROTOCOL sections 5 and 8)."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a reproduced table.

    Attributes:
        table: Its name.
        task: Its task; empty where the file does not say it.
        backbone: What ran, in the words of the table.
        operator: Likewise.
        method: Label of a row of ours.
        kind: What its numbers are.
        cells: Metric -> number; the number of an improvement is in percent.
        block: Backbone and operator as the layout names them: lines of one block belong together.
        of: The method of the same block that an improvement, a published value or a difference belongs to.
        deterministic: Every seed gives the same numbers.
        setting: How its numbers came about.
        trials: Identities of the runs behind it.
        differences: Metric -> mean over users of the row minus the reference.
        quoted_from: Backbone and operator of the published values, as the layout names them; None takes ``block``.
    """

    table: str
    task: str
    backbone: str
    operator: str
    method: str
    kind: Kind
    cells: Mapping[str, Cell]
    block: tuple[str, str]
    of: str = ""
    deterministic: bool = False
    setting: Setting = OURS
    trials: tuple[str, ...] = ()
    differences: Mapping[str, Printed] = field(default_factory=dict)
    quoted_from: tuple[str, str] | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Table, block and method: what a line of another kind refers to."""
        return self.table, *self.block, self.of or self.method


def setting_of(sessions: int, users: int, seeds: int, **slots: float | None) -> Setting:
    """Return the setting of a table of this suite.

    Args:
        sessions: Test sessions.
        users: Test users. Where each has one session, the mean over users is a plain mean over sessions.
        seeds: Seeds behind a number.
        slots: ``n_slots``, ``most_slots`` and ``uniform_logloss`` as far as they are known.

    Raises:
        InputError: A number is out of range.
    """
    known = mapping.setting_of({"n_sessions": sessions, "n_seeds": seeds, **slots}, "its data")
    return replace(
        known,
        average="sessions" if sessions == users else OURS.average,
        ties=OURS.ties,
        sd=OURS.sd,
        improvement=OURS.improvement,
    )


def interval_of(metric: str, low: Printed, high: Printed) -> Interval:
    """Return a t interval, which lies symmetrically about its mean unless it was cut at the metric's range."""
    least, most = get(metric).range if metric in names() else (float("-inf"), float("inf"))
    return Interval(low, high, symmetric=float(low) != least and float(high) != most)


def assemble(
    source: str, lines: Sequence[Line], reference: str, notes: Sequence[str], *, reference_fixed: bool = False
) -> Reported:
    """Return the values of a table as rows, with everything else attached to them.

    Args:
        source: Where the table stands.
        lines: Its lines.
        reference: Label of the method that improvements, stars and differences refer to.
        notes: What a reader of the numbers must know.
        reference_fixed: The reference is the same under every seed.

    Raises:
        InputError: A line belongs to a row that is not there.
    """
    values: dict[tuple[str, str, str, str], Line] = {}
    for line in lines:
        if line.kind == "value":
            if line.key in values:
                raise InputError(f"{_named(line)} stands twice. Keep one.")
            values[line.key] = line
    cells = {key: dict(line.cells) for key, line in values.items()}
    for line in sorted((one for one in lines if one.kind != "value"), key=lambda one: KINDS.index(one.kind)):
        if line.key not in values:
            raise InputError(f"the row '{line.kind}' of {_named(line)} stands there without {line.of}.")
        _attach(line, values, cells)
    rows = [
        Row(
            line.table,
            line.task,
            line.backbone,
            line.operator,
            line.method,
            line.deterministic,
            cells[key],
            own=line.setting,
            baseline=reference if line.method != reference else "",
            trials=line.trials,
        )
        for key, line in values.items()
    ]
    rows += _references(list(values.values()), reference, reference_fixed)
    if any(line.kind == "paper" for line in lines):
        notes = [*notes, "Published values beside ours are held against their source; 'audit published' audits them."]
    return Reported(source, tuple(rows), notes=tuple(notes))


def with_copies(table: Reported, copies: Mapping[str, Reported]) -> Reported:
    """Return a table whose cells know themselves in other files.

    Args:
        table: The table.
        copies: Name of a file -> the same table, read from it.
    """
    there: dict[tuple[str, ...], list[tuple[str, Row]]] = {}
    for file, other in copies.items():
        for row in other.rows:
            there.setdefault((row.backbone, row.operator, row.method), []).append((file, row))
    rows = []
    for row in table.rows:
        others = there.get((row.backbone, row.operator, row.method), [])
        cells = {
            metric: replace(cell, copies=tuple((file, o.cells[metric]) for file, o in others if metric in o.cells))
            for metric, cell in row.cells.items()
        }
        rows.append(replace(row, cells=cells))
    return replace(table, rows=tuple(rows))


def merged(source: str, tables: Sequence[Reported]) -> Reported:
    """Return several reproduced tables as one report, so that numbers that stand in several are compared."""
    rows = tuple(row for table in tables for row in table.rows)
    return Reported(source, rows, notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)))


def _named(line: Line) -> str:
    return ", ".join(filter(None, (line.of or line.method, line.backbone, line.operator)))


def _attach(
    line: Line,
    values: Mapping[tuple[str, str, str, str], Line],
    cells: dict[tuple[str, str, str, str], dict[str, Cell]],
) -> None:
    """Put the numbers of a line that is none of our values beside the values that they are about."""
    own = cells[line.key]
    of = values[line.key]
    for metric, cell in line.cells.items():
        if metric not in own:
            continue
        if line.kind == "improvement":
            own[metric] = replace(own[metric], improvement=cell.mean)
        elif line.kind == "paper":
            originals, source = _originals(line, of, metric)
            own[metric] = replace(own[metric], quoted=Quoted(cell.mean, originals, source=source))
        elif (beside := own[metric].quoted) is not None:
            start = _compared(line, metric, cells)
            own[metric] = replace(own[metric], quoted=replace(beside, difference=cell.mean, own=start))


def _compared(line: Line, metric: str, cells: Mapping[tuple[str, str, str, str], Mapping[str, Cell]]) -> Printed | None:
    """Return our number that a difference from the paper starts from.

    The paper probed attention for the true click, so its attention metrics are compared with such a row of ours where
    there is one.
    """
    table, backbone, operator, method = line.key
    labelled = cells.get((table, backbone, operator, method + LABEL))
    if labelled is not None and metric in names() and "attention" in get(metric).needs:
        return labelled[metric].mean if metric in labelled else None
    return cells[line.key][metric].mean


def _originals(line: Line, of: Line, metric: str) -> tuple[tuple[Printed, ...], str]:
    """Return what the paper prints, in whichever of its tables, for a value that is quoted from it, and its name."""
    # published reads its tables with this package
    from benchmark import published
    from benchmark.reproduction.published import BACKBONES

    paper = published.load()
    names_there = line.quoted_from or line.block
    backbone, operator = BACKBONES.get(names_there[0]), published.OPERATORS.get(names_there[1])
    found = [
        row.cells[metric].mean
        for row in paper.rows
        if of.task in ("", row.task) and (row.backbone, row.operator, row.method) == (backbone, operator, of.method)
        if metric in row.cells
    ]
    return tuple(found), paper.source


def _references(lines: Sequence[Line], reference: str, fixed: bool) -> list[Row]:
    """Return rows of the reference for tables of significance, which print only the differences from it.

    Stars are tests of means over sessions. Where users have several sessions these are not the means that are printed,
    and nothing follows from the one for the other.
    """
    present = {line.key for line in lines}
    rows: dict[tuple[str, str, str, str], Row] = {}
    for line in lines:
        key = (line.table, *line.block, reference)
        if not line.differences or key in present or key in rows or line.setting.average != "sessions":
            continue
        cells = {
            metric: Cell(_minus(line.cells[metric].mean, difference))
            for metric, difference in line.differences.items()
            if metric in line.cells
        }
        labels = line.table, line.task, line.backbone, line.operator, reference
        rows[key] = Row(*labels, deterministic=fixed, cells=cells, own=line.setting, trials=line.trials)
    return list(rows.values())


def _minus(mean: Printed, difference: Printed) -> Printed:
    return Printed(mean.value - difference.value, 2 * Fraction(mean.half + difference.half))
