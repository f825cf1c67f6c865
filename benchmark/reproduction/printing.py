"""A reproduced table in five formats: terminal, Markdown, LaTeX (booktabs), CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.metrics import get
from benchmark.output.latex import escape_latex, latex_number
from benchmark.output.numbers import p_value
from benchmark.output.units import counted
from benchmark.reproduction.formats import SUFFIXES, label, latex_caption, rendered, split_captions, write_files
from benchmark.reproduction.table import Cell, Row, Table


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
    notes, remarks = split_captions(_captions(table))
    return "\n".join([table.title, *notes, "", _grid(table, "simple"), "", *remarks])


def markdown(table: Table) -> str:
    """Return the table as Markdown."""
    notes, remarks = split_captions(_captions(table))
    bold, items = [f"**{note}**" for note in notes], "\n".join(f"- {line}" for line in remarks)
    return "\n\n".join([f"## {table.title}", *bold, _grid(table, "pipe"), items])


def latex(table: Table) -> str:
    """Return a table environment for booktabs across both columns, scaled where it would be wider."""
    columns = "lll" + "r" * len(table.metrics)
    heads = [escape_latex(f"{m} {get(m).arrow}") for m in table.metrics]
    caption, remarks = latex_caption(table.title, _captions(table))
    lines = [
        r"% needs \usepackage{booktabs,graphicx}, for accents \usepackage[T1]{fontenc}",
        r"\begin{table*}",
        r"\centering\small",
        rf"\caption{{{caption}}}",
        rf"\label{{{label('tab', table.name)}}}\par\smallskip",
        r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        " & ".join(["backbone", "operator", "method", *heads]) + r" \\",
    ]
    blocks = _blocks(table)
    before: tuple[str, str] | None = None
    for names, block, row in zip(_once(blocks), blocks, table.rows, strict=True):
        if before != (before := (row.backbone, row.operator)):
            lines.append(r"\midrule")
        method = escape_latex(_method(row, block)).replace(" - ", " $-$ ")
        cells = [_cell(table, row, row.cells.get(m), tex=True) for m in table.metrics]
        lines.append(" & ".join([*map(escape_latex, names), method, *cells]) + r" \\")
        tested = [
            latex_number(_tested(row.cells[m]).replace("p ", "")) if m in row.cells else "" for m in table.metrics
        ]
        if any(tested):  # below the values: side by side they would not fit the page
            lines.append(" & ".join(["", "", "", *tested]) + r" \\")
    below = rf"\par\smallskip\parbox{{\textwidth}}{{\footnotesize {remarks}}}"
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}}", below, r"\end{table*}"])


def as_csv(table: Table) -> str:
    """Return one line per row and metric; what is simulated or a stand-in is said shortly in every line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    where = ("backbone", "operator", "used_backbone", "used_operator", "method", "of", "kind", "ranked")
    known = ("value", "low", "high", "sd", "stars", "better", "difference", "p_users", "printed")
    writer.writerow(["table", *where, "metric", *known, "trials", "notice"])
    for row in table.rows:
        for metric, cell in row.cells.items():
            values = ["" if getattr(cell, k) is None else getattr(cell, k) for k in known]
            line = [table.name, *(getattr(row, k) for k in where), metric, *values]
            writer.writerow([*line, " ".join(row.identities), row.notice])
    return text.getvalue()


def as_json(table: Table) -> str:
    """Return everything that is known of the table."""
    return json.dumps(asdict(table), indent=1, ensure_ascii=False, default=dict)


def _captions(table: Table) -> list[str]:
    """Return all captions, with where the table comes from."""
    trials = {identity for row in table.rows for identity in row.identities}
    made = f"Made from {counted(len(trials), 'trial')}; their identities stand in {table.name}.json."
    return [*table.captions, made]


def _blocks(table: Table) -> list[tuple[str, str]]:
    """Return what stands in the first two columns of each row; the paper's values stand with those of ours."""
    found: list[tuple[str, str]] = []
    for row in table.rows:
        found.append(found[-1] if found and row.kind == "paper" else row.shown)
    return found


def _once(blocks: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the same, empty where it repeats the row above."""
    return [("", "") if i and block == blocks[i - 1] else block for i, block in enumerate(blocks)]


def _method(row: Row, block: tuple[str, str]) -> str:
    """Return the third column: unranked rows in brackets, the paper's with its own backbone beside a stand-in."""
    text = row.method if row.ranked else f"({row.method})"
    return f"{text} ({', '.join(row.shown)})" if row.kind == "paper" and row.shown != block else text


def _grid(table: Table, form: str) -> str:
    from tabulate import tabulate

    headers = ["backbone", "operator", "method", *(f"{m}{get(m).arrow}" for m in table.metrics)]
    blocks = _blocks(table)
    rows = []
    for names, block, row in zip(_once(blocks) if form == "simple" else blocks, blocks, table.rows, strict=True):
        indent = "  " if form == "simple" and row.kind in ("paper", "difference") else ""
        cells = (_cell(table, row, row.cells.get(m)) for m in table.metrics)
        rows.append([*names, indent + _method(row, block), *cells])
    align = ("left", "left", "left", *["right"] * len(table.metrics))
    return tabulate(
        rows, headers=headers, tablefmt=form, disable_numparse=True, preserve_whitespace=True, colalign=align
    )


def _cell(table: Table, row: Row, cell: Cell | None, *, tex: bool = False) -> str:
    """Return one cell as plain text or as LaTeX."""
    if cell is None:
        return "--" if tex else ""
    text = _number(table, row, cell)
    if table.kind == "significance" and row.kind in ("value", "paper"):
        spread, marks = "" if cell.sd is None else f" ± {cell.sd:.3f}", _marks(cell)
        text += spread
        if not tex:
            return f"{text}{marks} {_tested(cell)}".rstrip()
        raised = rf"\textsuperscript{{{escape_latex(marks)}}}" if marks else ""
        return latex_number(text) + raised
    return latex_number(text) if tex else text


def _number(table: Table, row: Row, cell: Cell) -> str:
    """Return a value as it is printed; beside the paper's, ours has as many digits as theirs."""
    if row.kind == "improvement":
        return f"{cell.value:+.1f} %"
    if row.kind == "paper":
        return cell.printed or _fixed(cell.value, 4)
    digits = 4 if any(other.kind == "paper" for other in table.rows) else 3
    if row.kind == "difference":
        return _fixed(cell.value, digits, "+")
    return _fixed(cell.value, digits)


def _fixed(value: float, digits: int, sign: str = "") -> str:
    """Return a number with so many decimals; what rounds to zero has no sign."""
    text = f"{value:{sign}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def _marks(cell: Cell) -> str:
    """Return the stars of a gain, and as many circles for a loss."""
    return cell.stars if cell.better is not False else "°" * len(cell.stars)


def _tested(cell: Cell) -> str:
    """Return the difference over users and its p in brackets, empty if there are none."""
    if cell.p_users is None:
        return ""
    difference = "" if cell.difference is None else f"{cell.difference:+.3f}, "
    return f"({difference}p {p_value(cell.p_users)})"
