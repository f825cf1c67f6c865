"""A reproduced table as a document, and the files of tables and figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmark.files.replacing import replace_file
from benchmark.metrics import get
from benchmark.output.document import CsvRow, Document, Grid, GridCell, GridColumn, GridRow, row
from benchmark.output.rendering import render
from benchmark.output.units import counted, number, p_text
from benchmark.reproduction.provenance import NOTE
from benchmark.reproduction.table import ReproducedCell, ReproducedRow, ReproducedTable
from benchmark.scores.table import metric_column
from tasks.storage import write_errors

SUFFIXES = {"terminal": "txt", "markdown": "md", "latex": "tex", "csv": "csv", "json": "json"}
"""Format -> ending of its file."""


def write_files(out: Path, document: Document, pictures: Mapping[str, bytes] | None = None) -> list[Path]:
    """Write a document in every format, and its pictures (ending -> content), each file whole or not at all.

    InputError if ``out`` cannot be written.
    """
    with write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    texts = {suffix: f"{render(document, form)}\n".encode() for form, suffix in SUFFIXES.items()}
    contents = {out / f"{document.name}.{suffix}": content for suffix, content in {**(pictures or {}), **texts}.items()}
    for path, content in contents.items():
        replace_file(path, lambda partial, content=content: partial.write_bytes(content))  # type: ignore[misc]
    return list(contents)


def captioned(captions: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what must be read before any number, and how the numbers came about."""
    notes = tuple(line.removeprefix(NOTE) for line in captions if line.startswith(NOTE))
    return notes, tuple(line for line in captions if not line.startswith(NOTE))


_WHERE = ("backbone", "operator", "used_backbone", "used_operator", "method", "of", "kind", "ranked")
_KNOWN = ("value", "low", "high", "sd", "stars", "better", "difference", "p_users", "printed")


def document(table: ReproducedTable) -> Document:
    """Return the table: a row per method, with the paper's values below ours where they were added."""
    where = ("backbone", "operator") if any(line.backbone for line in table.rows) else ()
    columns = (
        *(GridColumn(name, "left", key=True, once=True) for name in where),
        GridColumn("method", "left", key=True),
        *(metric_column(get(name)) for name in table.metrics),
    )
    rows: list[GridRow] = []
    block = ("", "")
    for line in table.rows:
        # The paper's values are printed in the block of ours, and say so where their backbone is another.
        other = line.kind == "paper" and rows and line.shown != block
        block = block if line.kind == "paper" and rows else line.shown
        method = f"{line.method} ({', '.join(line.shown)})" if other else line.method
        cells = (_cell(table, line, line.cells.get(name)) for name in table.metrics)
        rows.append(
            row(*block[: len(where)], method, *cells, ranked=line.ranked, indent=line.kind in ("paper", "difference"))
        )
    trials = {identity for line in table.rows for identity in line.identities}
    made = f"Made from {counted(len(trials), 'trial')}; their identities are in {table.name}.json."
    notices, legend = captioned([*table.captions, made])
    return Document(
        title=table.title,
        grids=(Grid(columns, tuple(rows)),),
        notices=notices,
        legend=legend,
        csv=lambda: _csv(table),
        data=lambda: asdict(table),
        name=table.name,
    )


def _csv(table: ReproducedTable) -> Iterator[CsvRow]:
    """Yield one line per row and metric; every line says in a few words what is simulated or a stand-in."""
    yield ("table", *_WHERE, "metric", *_KNOWN, "trials", "notice")
    for line in table.rows:
        for metric, cell in line.cells.items():
            where, known = (getattr(line, k) for k in _WHERE), (getattr(cell, k) for k in _KNOWN)
            yield (table.name, *where, metric, *known, " ".join(line.identities), line.notice)


def _cell(table: ReproducedTable, line: ReproducedRow, cell: ReproducedCell | None) -> GridCell:
    """Return one cell: in a table of tests with the SD over seeds, stars, and the test over users."""
    if cell is None:
        return GridCell("")
    text = _number(table, line, cell)
    if table.kind != "significance" or line.kind not in ("value", "paper"):
        return GridCell(text)
    stars = cell.stars if cell.better is not False else "°" * len(cell.stars)
    return GridCell(text + ("" if cell.sd is None else f" ± {number(cell.sd)}"), stars, _tested(cell))


def _number(table: ReproducedTable, line: ReproducedRow, cell: ReproducedCell) -> str:
    """Return a value as it is printed; next to the paper's, ours has as many digits as theirs."""
    if line.kind == "improvement":
        return f"{cell.value:+.1f} %"
    if line.kind == "paper":
        return cell.printed or number(cell.value, 4)
    digits = 4 if any(other.kind == "paper" for other in table.rows) else 3
    return number(cell.value, digits, "+" if line.kind == "difference" else "")


def _tested(cell: ReproducedCell) -> str:
    """Return the difference over users and its p in brackets, empty if there are none."""
    if cell.p_users is None:
        return ""
    return f"({', '.join(filter(None, (number(cell.difference, sign='+'), p_text(cell.p_users))))})"
