"""A reproduced table as values: what stands in which row, with the trials it was made from."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from benchmark.metrics import get
from benchmark.reproduction.groups import Found, stand_ins
from benchmark.reproduction.layout import Layout
from benchmark.results import ComparisonResult, MetricResult
from benchmark.statistics import paper_mode, under_every_seed

RowKind = Literal["value", "improvement", "paper", "difference"]


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a table with what is known about it.

    Attributes:
        value: Mean over users; in percent for an improvement.
        low: Lower end of the 95 % interval over users.
        high: Upper end.
        sd: SD over seeds.
        stars: Of the paper's test, a paired t-test over seeds against the reference.
        p_users: Paired t-test over users against the reference, Holm-corrected over the table's family.
        reason: Why there are no stars where there could be.
    """

    value: float
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    stars: str = ""
    p_users: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        backbone: As the layout names it.
        operator: As the layout names it.
        method: Label of the simulator; with ``(label)`` where attention was computed for the true click.
        kind: ``value``, ``improvement`` in percent, ``paper``'s value, or ``difference`` of ours from the paper's.
        cells: Metric -> cell; metrics that are not claimed or not published are missing.
        ranked: False for attention computed for the true click.
        identities: The trials behind it.
    """

    backbone: str
    operator: str
    method: str
    kind: RowKind
    cells: Mapping[str, Cell]
    ranked: bool = True
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A reproduced table.

    Attributes:
        name: Of the layout.
        kind: ``values`` or ``significance``.
        title: Heading.
        captions: What must be known to read it; the first lines name stand-ins and simulated data.
        metrics: Columns.
        rows: Lines.
        digests: Task -> digest of its sessions and split.
    """

    name: str
    kind: str
    title: str
    captions: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    digests: Mapping[str, str] = field(default_factory=dict)


def build(layout: Layout, found: Sequence[Found], remarks: Sequence[str] = ()) -> Table:
    """Lay out one table.

    Args:
        layout: What goes where.
        found: Its groups, run.
        remarks: Captions beside those that follow from the groups, such as the preset.

    Returns:
        The table, without the paper's values.
    """
    rows: list[Row] = []
    for group in found:
        rows += _significance(layout, group) if layout.kind == "significance" else _values(layout, group)
    return Table(
        name=layout.name,
        kind=layout.kind,
        title=layout.title,
        captions=tuple(dict.fromkeys([*stand_ins(found), *remarks, *_explanations(layout, found)])),
        metrics=layout.metrics,
        rows=tuple(rows),
        digests={group.results.task: group.results.digest for group in found},
    )


def _values(layout: Layout, found: Found) -> list[Row]:
    """Return a row per simulator, and the improvement of one over another."""
    rows = []
    by_name = {row.name: row for row in found.results.simulators}
    for simulator, label in layout.rows.items():
        for name, shown in ((simulator, label), (f"{simulator} [label]", f"{label} (label)")):
            if (row := by_name.get(name)) is None:
                continue
            cells = {m: _cell(row.metrics[m]) for m in layout.metrics if m in row.metrics}
            rows.append(_row(found, shown, "value", cells, row.ranked, found.identities.get(name, ())))
    if layout.improvement is not None and all(name in by_name for name in layout.improvement):
        better, base = (by_name[name].metrics for name in layout.improvement)
        percent = {m: improvement(m, better[m].mean, base[m].mean) for m in layout.metrics if m in better and m in base}
        cells = {m: Cell(value) for m, value in percent.items() if value is not None}
        used = tuple(i for name in layout.improvement for i in found.identities.get(name, ()))
        rows.append(_row(found, "improvement", "improvement", cells, True, used))
    return rows


def improvement(metric: str, value: float, base: float) -> float | None:
    """Return how much better ``value`` is than ``base``, in percent of ``base``; None where that is not defined."""
    if base == 0 or not (math.isfinite(value) and math.isfinite(base)):
        return None
    sign = 1.0 if get(metric).higher_is_better else -1.0
    return sign * 100.0 * (value - base) / abs(base)


def _significance(layout: Layout, found: Found) -> list[Row]:
    """Return mean, SD and stars over seeds, and the corrected p over users, of each row against the reference."""
    rows = []
    reference = found.results.reference
    once = reference in found.deterministic
    scores = under_every_seed(found.scores, reference) if once else found.scores
    tests: dict[tuple[str, str], ComparisonResult] = {(c.simulator, c.metric): c for c in found.results.comparisons}
    by_name = {row.name: row for row in found.results.simulators}
    for simulator, label in layout.rows.items():
        if (row := by_name.get(simulator)) is None or reference not in by_name:
            continue
        cells = {}
        for metric in layout.metrics:
            if metric not in row.metrics or metric not in by_name[reference].metrics:
                continue
            paper = paper_mode(scores, simulator, reference, metric)
            test = tests.get((simulator, metric))
            cells[metric] = Cell(
                value=row.metrics[metric].mean,
                low=row.metrics[metric].low,
                high=row.metrics[metric].high,
                sd=row.metrics[metric].seed_sd,
                stars=paper.stars,
                p_users=None if test is None else test.p_holm,
                reason=paper.reason,
            )
        used = found.identities.get(simulator, ()) + found.identities.get(reference, ())
        rows.append(_row(found, label, "value", cells, True, used))
    return rows


def _row(
    found: Found, method: str, kind: RowKind, cells: Mapping[str, Cell], ranked: bool, used: tuple[str, ...]
) -> Row:
    return Row(found.group.backbone, found.group.operator, method, kind, cells, ranked, used)


def _cell(value: MetricResult) -> Cell:
    return Cell(value.mean, value.low, value.high, value.seed_sd)


def _explanations(layout: Layout, found: Sequence[Found]) -> list[str]:
    """Return how the numbers came about."""
    lines = []
    for task in dict.fromkeys(f.results.task for f in found):
        first = next(f.results for f in found if f.results.task == task)
        seeds = ", ".join(map(str, first.seeds))
        lines.append(
            f"{task} {first.version}, split {first.split}: {first.n_sessions} test sessions of {first.n_users} users; "
            f"seeds {seeds}."
        )
    if layout.kind == "significance":
        family = ", ".join(found[0].results.family) if found else "the family"
        lines += [
            "Mean over users ± SD over seeds; stars as in the paper: paired t-test over seeds against the reference (a "
            "simulator without a seed has the same value under all), uncorrected, * p < 0.05, ** p < 0.01.",
            f"p: paired t-test over users, Holm-corrected over {family}.",
        ]
    else:
        lines.append("Mean over users of the mean over seeds.")
    if layout.improvement is not None:
        better, base = (layout.rows.get(name, name) for name in layout.improvement)
        lines.append(f"improvement: of {better} over {base}, in percent of {base}; positive is better.")
    lines.append("Attention is that for the model's own answer; (label): for the true click, never ranked.")
    return lines
