"""The paper's values below ours, with the difference."""

from dataclasses import replace

from benchmark import published
from benchmark.audit.reported import Row as AuditedRow
from benchmark.naming import LABEL
from benchmark.reproduction.section import Layout
from benchmark.reproduction.table import ReproducedCell, ReproducedRow, ReproducedTable

DISGUISED = (
    "The paper's Accuracy, LogLoss and AUC on adserp are attention in disguise: its code takes attention for the true "
    "click as click probabilities (so do ours with --preset parity)."
)


def add_published(table: ReproducedTable, layout: Layout) -> ReproducedTable:
    """Return the table with a row of the paper's values and one of differences below each of ours that it published.

    The paper probed attention for the true click. Where the table has such rows of ours, the differences of the
    metrics that these have are theirs; elsewhere they are of attention for the model's own answer, and the caption says
    so.
    """
    if layout.published is None:
        return table
    own = {(row.backbone, row.operator, row.method): row for row in table.rows if row.kind == "value"}
    rows: list[ReproducedRow] = []
    for row in table.rows:
        rows.append(row)
        where = row.backbone, row.operator
        # Where there is a labelled row, which comes next and which the differences refer to, they follow that one.
        if row.kind == "value" and (*where, row.method + LABEL) not in own:
            base = own.get((*where, row.method.removesuffix(LABEL)), row)
            rows += _added(table, layout, base, None if base is row else row) if base.ranked else []
    labelled = any(not row.ranked for row in table.rows)
    stars = ["The paper's stars are as published."] if table.kind == "significance" else []
    source = published.load().source.partition(", tables")[0]
    captions = (
        f"paper: table {layout.published} of {source}; other test sessions, and attention for the true click.",
        "ours - paper: of the metrics that our [label] row has, from it, of the others from the row above it."
        if labelled
        else "ours - paper: our attention is for the model's own answer; --label measures it as the paper did.",
        *([DISGUISED] if layout.task == "adserp" else []),
        *stars,
    )
    return replace(table, rows=tuple(rows), captions=(*table.captions, *captions))


def _added(
    table: ReproducedTable, layout: Layout, row: ReproducedRow, labelled: ReproducedRow | None
) -> list[ReproducedRow]:
    """Return the paper's values and the differences for one of our rows; none if the paper has no such row."""
    found = published.originals(layout.task, row.backbone, row.operator, row.method)
    paper = next((one for one in found if one.table == str(layout.published)), None)
    if paper is None:
        return []
    printed = {m: _printed(paper, m) for m in table.metrics if m in paper.cells}
    differences = {}
    for metric, cell in printed.items():
        source = labelled if labelled is not None and metric in labelled.cells else row
        ours = source.cells.get(metric)
        if ours is not None:
            differences[metric] = ReproducedCell(ours.value - cell.value)
    same = replace(row, of=row.method, identities=(), seeds=(), settings={})
    return [
        replace(same, method="paper", kind="paper", cells=printed, used_backbone="", used_operator="", notice=""),
        replace(same, method="ours - paper", kind="difference", cells=differences),
    ]


def _printed(paper: AuditedRow, metric: str) -> ReproducedCell:
    cell = paper.cells[metric]
    return ReproducedCell(
        value=float(cell.mean.value),
        sd=None if cell.sd is None else float(cell.sd.value),
        stars="*" * (cell.stars or 0),
        printed=str(cell.mean),
    )
