"""A reproduced table in five formats: terminal, Markdown, LaTeX (booktabs), CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from benchmark.metrics import get
from benchmark.reproduction.table import Cell, Row, Table
from benchmark.tables import escape_latex, number, p_value
from tasks.errors import unknown_name

SUFFIXES = {"terminal": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}
"""Format -> ending of its file."""


def render(table: Table, form: str) -> str:
    """Return the table in one of the formats of ``SUFFIXES``; the text ends in a line feed.

    Raises:
        InputError: There is no such format.
    """
    renderers: dict[str, Callable[[Table], str]] = {
        "terminal": terminal,
        "markdown": markdown,
        "latex": latex,
        "csv": as_csv,
        "json": as_json,
    }
    if form not in renderers:
        raise unknown_name("format", form, renderers)
    return renderers[form](table).rstrip("\n") + "\n"


def terminal(table: Table) -> str:
    """Return the table for a terminal."""
    return "\n".join([table.title, *_notes(table), "", _grid(table, "simple"), "", *_remarks(table)])


def markdown(table: Table) -> str:
    """Return the table as Markdown."""
    notes = [f"**{note}**" for note in _notes(table)]
    remarks = "\n".join(f"- {line}" for line in _remarks(table))
    return "\n\n".join([f"## {table.title}", *notes, _grid(table, "pipe"), remarks])


def latex(table: Table) -> str:
    """Return a table environment for booktabs, with all captions."""
    columns = "lll" + "r" * len(table.metrics)
    arrows = {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
    heads = [f"{escape_latex(m)} {arrows[get(m).arrow]}" for m in table.metrics]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escape_latex(' '.join([table.title + '.', *_notes(table), *_remarks(table)]))}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(["backbone", "operator", "method", *heads]) + r" \\",
    ]
    before: tuple[str, str] | None = None
    for row in table.rows:
        block = (row.backbone, row.operator)
        if block != before:
            lines.append(r"\midrule")
        names = [row.backbone if block != before else "", row.operator if block != before else "", row.method]
        before = block
        cells = [_latex_cell(table, row, row.cells.get(m)) for m in table.metrics]
        lines.append(" & ".join([*map(escape_latex, names), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"])


def as_csv(table: Table) -> str:
    """Return one line per row and metric; what is simulated or a stand-in is said in every line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    known = ("value", "low", "high", "sd", "stars", "p_users")
    writer.writerow(["table", "backbone", "operator", "method", "kind", "ranked", "metric", *known, "trials", "notes"])
    for row in table.rows:
        for metric, cell in row.cells.items():
            values = ["" if getattr(cell, k) is None else getattr(cell, k) for k in known]
            where = [table.name, row.backbone, row.operator, row.method, row.kind, row.ranked, metric]
            writer.writerow([*where, *values, " ".join(row.identities), " ".join(_notes(table))])
    return text.getvalue()


def as_json(table: Table) -> str:
    """Return everything that is known of the table."""
    return json.dumps(asdict(table), indent=1, ensure_ascii=False, default=dict)


def _notes(table: Table) -> list[str]:
    """Return the captions that stand above the table: stand-ins and simulated data."""
    return [line for line in table.captions if line.startswith("NOTE:")]


def _remarks(table: Table) -> list[str]:
    """Return the captions that stand below it, and where it comes from."""
    remarks = [line for line in table.captions if not line.startswith("NOTE:")]
    trials = {identity for row in table.rows for identity in row.identities}
    return [*remarks, f"Made from {len(trials)} trials; their identities stand in {table.name}.json."]


def _grid(table: Table, form: str) -> str:
    from tabulate import tabulate

    headers = ["backbone", "operator", "method", *(f"{m}{get(m).arrow}" for m in table.metrics)]
    rows: list[list[str]] = []
    before: Sequence[str] = ()
    for row in table.rows:
        names = (row.backbone, row.operator)
        repeated = names == before and form == "simple"
        before = names
        label = row.method if row.ranked else f"({row.method})"
        rows.append([*(("", "") if repeated else names), label, *(_cell(table, row, m) for m in table.metrics)])
    align = ("left", "left", "left", *["right"] * len(table.metrics))
    return tabulate(rows, headers=headers, tablefmt=form, disable_numparse=True, colalign=align)


def _cell(table: Table, row: Row, metric: str) -> str:
    """Return one cell as plain text."""
    cell = row.cells.get(metric)
    if cell is None:
        return ""
    if row.kind == "improvement":
        return f"{cell.value:+.1f} %"
    if row.kind == "difference":
        return f"{cell.value:+.3f}"
    if row.kind == "paper" and cell.sd is None:
        return number(cell.value)
    if table.kind != "significance":
        return number(cell.value)
    spread = "" if cell.sd is None else f" ± {cell.sd:.3f}"
    p = "" if cell.p_users is None else f" (p {p_value(cell.p_users)})"
    return f"{number(cell.value)}{spread}{cell.stars}{p}"


def _latex_cell(table: Table, row: Row, cell: Cell | None) -> str:
    if cell is None:
        return "--"
    if row.kind == "improvement":
        return rf"{cell.value:+.1f}\,\%"
    if row.kind == "difference":
        return f"{cell.value:+.3f}"
    text = number(cell.value)
    if table.kind == "significance":
        text += "" if cell.sd is None else rf"\,$\pm$\,{cell.sd:.3f}"
        text += f"$^{{{cell.stars}}}$" if cell.stars else ""
        text += "" if cell.p_users is None else f" ({p_value(cell.p_users).replace('<', '$<$')})"
    return text
