"""The paper's values below ours, with the difference."""

from __future__ import annotations

from dataclasses import replace

from benchmark import published
from benchmark.audit.reported import Row as PaperRow
from benchmark.metrics import get
from benchmark.reproduction.layout import Layout
from benchmark.reproduction.table import Cell, Row, Table

BACKBONES = {"qwen3-vl": "Qwen3-VL-4B-Instruct", "internvl3.5": "InternVL3.5-4B-Instruct"}
"""Backbone of the layouts -> the paper's name for it."""

LABEL = " (label)"


def add_published(table: Table, layout: Layout) -> Table:
    """Return the table with a row of the paper's values and one of differences below each of ours that it published.

    The paper probed attention for the true click. Where the table has such rows of ours, the differences of the
    attention metrics are those; elsewhere they are of attention for the model's own answer, and the caption says so.

    Args:
        table: A table of ours.
        layout: Its layout, which names the paper's table.
    """
    if layout.published is None:
        return table
    own = {(row.backbone, row.operator, row.method): row for row in table.rows if row.kind == "value"}
    rows: list[Row] = []
    for row in table.rows:
        rows.append(row)
        paper = _row(layout, row) if row.kind == "value" and row.ranked else None
        if paper is None:
            continue
        printed = {m: _printed(paper, m) for m in table.metrics if m in paper.cells}
        probed = own.get((row.backbone, row.operator, row.method + LABEL), row)
        differences = {}
        for metric, cell in printed.items():
            ours = (probed if get(metric).part == "attention" else row).cells.get(metric)
            if ours is not None:
                differences[metric] = Cell(ours.value - cell.value)
        for kind, cells in (("paper", printed), ("difference", differences)):
            name = "  paper" if kind == "paper" else "  ours - paper"
            rows.append(replace(row, method=name, kind=kind, cells=cells, identities=()))  # type: ignore[arg-type]
    labelled = any(not row.ranked for row in table.rows)
    captions = (
        f"paper: {published.load().source}, table {layout.published}; other test sessions and, for attention, the true "
        "click as target.",
        "ours - paper: of attention metrics with our (label) rows."
        if labelled
        else "ours - paper: our attention is for the model's own answer; --label measures it as the paper did.",
    )
    return replace(table, rows=tuple(rows), captions=(*table.captions, *captions))


def _row(layout: Layout, row: Row) -> PaperRow | None:
    """Return the row of the paper's table that stands for one of ours."""
    wanted = (layout.task, BACKBONES.get(row.backbone), published.OPERATORS.get(row.operator), row.method)
    found = published.load().rows
    return next((paper for paper in found if paper.table == str(layout.published) and paper.subject == wanted), None)


def _printed(paper: PaperRow, metric: str) -> Cell:
    cell = paper.cells[metric]
    return Cell(
        value=float(cell.mean.value),
        sd=None if cell.sd is None else float(cell.sd.value),
        stars="*" * (cell.stars or 0),
    )
