"""A reproduced table in five formats: terminal, Markdown, LaTeX (booktabs), CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.latex import escape_latex
from benchmark.metrics import get
from benchmark.reproduction.formats import SUFFIXES, rendered, split_captions, write_files
from benchmark.reproduction.table import Cell, Row, Table
from benchmark.tables import number, p_value


def render(table: Table, form: str) -> str:
    """Return the table in one of the formats of ``formats.SUFFIXES``; the text ends in a line feed.

    Raises:
        InputError: There is no such format.
    """
    renderers = {"terminal": terminal, "markdown": markdown, "latex": latex, "csv": as_csv, "json": as_json}
    return rendered(table, form, renderers)


def write(table: Table, out: Path) -> list[Path]:
    """Write a table in every format; return the files.

    Raises:
        InputError: ``out`` cannot be written.
    """
    return write_files(out, table.name, {suffix: render(table, form).encode() for form, suffix in SUFFIXES.items()})


def terminal(table: Table) -> str:
    """Return the table for a terminal."""
    notes, remarks = _captions(table)
    return "\n".join([table.title, *notes, "", _grid(table, "simple"), "", *remarks])


def markdown(table: Table) -> str:
    """Return the table as Markdown."""
    notes, remarks = _captions(table)
    bold, items = [f"**{note}**" for note in notes], "\n".join(f"- {line}" for line in remarks)
    return "\n\n".join([f"## {table.title}", *bold, _grid(table, "pipe"), items])


def latex(table: Table) -> str:
    """Return a table environment for booktabs across both columns, scaled where it would be wider."""
    columns = "lll" + "r" * len(table.metrics)
    notes, remarks = _captions(table)
    heads = [escape_latex(f"{m} {get(m).arrow}") for m in table.metrics]
    lines = [
        r"% needs \usepackage{booktabs,graphicx}, for accents \usepackage[T1]{fontenc}",
        r"\begin{table*}",
        r"\centering\small",
        rf"\caption{{{escape_latex(' '.join([table.title + '.', *notes, *remarks]))}}}",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
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
        cells = [_cell(table, row, row.cells.get(m), tex=True) for m in table.metrics]
        lines.append(" & ".join([*map(escape_latex, names), *cells]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", r"\end{table*}"])


def as_csv(table: Table) -> str:
    """Return one line per row and metric; what is simulated or a stand-in is said in every line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    notes = " ".join(_captions(table)[0])
    known = ("value", "low", "high", "sd", "stars", "p_users")
    writer.writerow(["table", "backbone", "operator", "method", "kind", "ranked", "metric", *known, "trials", "notes"])
    for row in table.rows:
        for metric, cell in row.cells.items():
            values = ["" if getattr(cell, k) is None else getattr(cell, k) for k in known]
            where = [table.name, row.backbone, row.operator, row.method, row.kind, row.ranked, metric]
            writer.writerow([*where, *values, " ".join(row.identities), notes])
    return text.getvalue()


def as_json(table: Table) -> str:
    """Return everything that is known of the table."""
    return json.dumps(asdict(table), indent=1, ensure_ascii=False, default=dict)


def _captions(table: Table) -> tuple[list[str], list[str]]:
    """Return the captions above the table, and those below it with where it comes from."""
    notes, remarks = split_captions(table.captions)
    trials = {identity for row in table.rows for identity in row.identities}
    return notes, [*remarks, f"Made from {len(trials)} trials; their identities stand in {table.name}.json."]


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
        rows.append(
            [*(("", "") if repeated else names), label, *(_cell(table, row, row.cells.get(m)) for m in table.metrics)]
        )
    align = ("left", "left", "left", *["right"] * len(table.metrics))
    return tabulate(rows, headers=headers, tablefmt=form, disable_numparse=True, colalign=align)


def _cell(table: Table, row: Row, cell: Cell | None, *, tex: bool = False) -> str:
    """Return one cell as plain text or as LaTeX."""
    if cell is None:
        return "--" if tex else ""
    if row.kind == "improvement":
        return f"{cell.value:+.1f}" + (r"\,\%" if tex else " %")
    if row.kind == "difference":
        return f"{cell.value:+.3f}"
    text = number(cell.value)
    if table.kind != "significance" or (row.kind == "paper" and cell.sd is None):
        return text
    if cell.sd is not None:
        text += rf"\,$\pm$\,{cell.sd:.3f}" if tex else f" ± {cell.sd:.3f}"
    if cell.stars:
        text += f"$^{{{cell.stars}}}$" if tex else cell.stars
    if cell.p_users is not None:
        p = p_value(cell.p_users)
        text += f" ({p.replace('<', '$<$')})" if tex else f" (p {p})"
    return text
