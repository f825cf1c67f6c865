"""A reproduced table as values: what each row holds, with the trials it was made from."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from benchmark.metrics import get
from benchmark.naming import LABEL
from benchmark.output.units import counted
from benchmark.published import SIMULATORS
from benchmark.reproduction.checkpoints import called
from benchmark.reproduction.groups import Found, Missing
from benchmark.reproduction.provenance import checkpoints, data_of, notes, settings_of, short_notice
from benchmark.reproduction.section import Layout
from benchmark.scores import verdict
from benchmark.scores.results import ComparisonResult, MetricResult, SimulatorResult
from benchmark.statistics import paper_mode, under_every_seed

RowKind = Literal["value", "improvement", "paper", "difference"]


@dataclass(frozen=True, slots=True)
class ReproducedCell:
    """One number of a table, with the 95 % interval over users within the metric's range and the SD over seeds.

    Attributes:
        value: Mean over users; in percent for an improvement.
        stars: Of the paper's test, a paired t-test over seeds against the reference; in either direction.
        p_users: Paired t-test over users against the reference, Holm-corrected over the table's family.
        reason: Why there are no stars where there could be.
        difference: Mean over users of the row minus the reference, where ``p_users`` is its test.
        better: Whether the stars mark a gain; None without stars, or where nothing says so.
        printed: The digits of a published value; empty for ours.
    """

    value: float
    low: float | None = None
    high: float | None = None
    sd: float | None = None
    stars: str = ""
    p_users: float | None = None
    reason: str = ""
    difference: float | None = None
    better: bool | None = None
    printed: str = ""


@dataclass(frozen=True, slots=True)
class ReproducedRow:
    """One line of a table.

    Attributes:
        method: Label of the simulator; with ``[label]`` where attention was computed for the true click.
        kind: ``value``, ``improvement`` in percent, ``paper``'s value, or ``difference`` of ours from the paper's.
        cells: Metric -> cell; metrics that are not claimed or not published are missing.
        ranked: False for attention computed for the true click.
        used_backbone: What was run; empty for the paper's values.
        of: The method that an improvement, a published value or a difference is of; empty for our values.
        seeds: Seeds of a value of ours; a simulator that uses none has one.
        notice: In a few words what is simulated or a stand-in.
    """

    backbone: str
    operator: str
    method: str
    kind: RowKind
    cells: Mapping[str, ReproducedCell]
    ranked: bool = True
    identities: tuple[str, ...] = ()
    used_backbone: str = ""
    used_operator: str = ""
    of: str = ""
    seeds: tuple[int, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    notice: str = ""

    @property
    def shown(self) -> tuple[str, str]:
        """What backbone and operator are called in print."""
        return called(self.backbone, self.used_backbone), self.used_operator or self.operator


@dataclass(frozen=True, slots=True)
class ReproducedTable:
    """A reproduced table.

    Attributes:
        captions: What must be known to read it; the first lines, ``NOTE: ...``, name stand-ins, simulated data and
            what is missing.
        rows: Lines; without any the table is not worth writing.
        reference_seeds: Seeds of the reference; a simulator that uses none has one.
        backbones: Backbone -> ``used``, ``model_type``, ``parameters`` and ``fingerprint`` of what was run, None
            where nobody looked.
    """

    name: str
    kind: str
    title: str
    captions: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: tuple[ReproducedRow, ...]
    digests: Mapping[str, str] = field(default_factory=dict)
    task: str = ""
    reference: str = ""
    reference_seeds: tuple[int, ...] = ()
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    moved: Mapping[str, object] = field(default_factory=dict)
    backbones: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def build(layout: Layout, found: Sequence[Found], missing: Sequence[Missing] = ()) -> ReproducedTable:
    """Lay out one table, without the paper's values; it has no rows if nothing of it is complete."""
    rows: list[ReproducedRow] = []
    for group in found:
        rows += _significance(layout, group) if layout.kind == "significance" else _values(layout, group)
    labels = {**SIMULATORS, **layout.rows}
    reference = _reference(layout)
    needed = {*layout.rows, *([reference] if layout.kind == "significance" else [])}
    missing = [one for one in missing if one.simulator in needed]
    captions = [*notes(found, missing, labels), *_explanations(layout, found, rows), *checkpoints(found)]
    return ReproducedTable(
        name=layout.name,
        kind=layout.kind,
        title=layout.title,
        captions=tuple(dict.fromkeys(captions)),
        metrics=layout.metrics,
        rows=tuple(rows),
        digests={group.results.task: group.results.digest for group in found},
        task=layout.task,
        reference=labels.get(reference, reference),
        reference_seeds=next((_seeds(group, reference) for group in found), ()),
        data={group.results.task: data_of(group) for group in found},
        moved={key: value for group in found for key, value in group.moved.items()},
        backbones={group.group.backbone: _backbone(group) for group in found},
    )


def _reference(layout: Layout) -> str:
    return layout.improvement[1] if layout.improvement else str(layout.run["reference"])


def _backbone(found: Found) -> dict[str, object]:
    """Return what was run for a backbone, as JSON values."""
    seen = found.group.checkpoint
    known = {name: getattr(seen, name, None) for name in ("model_type", "parameters", "fingerprint")}
    return {"used": found.group.used_backbone, **known}


def _values(layout: Layout, found: Found) -> list[ReproducedRow]:
    """Return a row per simulator, and the improvement of one over another."""
    rows = []
    by_name = {row.name: row for row in found.results.simulators}
    for simulator, label in layout.rows.items():
        for name, shown in ((simulator, label), (simulator + LABEL, label + LABEL)):
            if (row := by_name.get(name)) is None:
                continue
            cells = {m: _cell(m, row.metrics[m]) for m in layout.metrics if m in row.metrics}
            rows.append(_row(found, row, shown, cells, found.identities.get(name, ())))
    if layout.improvement is not None and all(name in by_name for name in layout.improvement):
        better, base = (by_name[name].metrics for name in layout.improvement)
        percent = {m: improvement(m, better[m].mean, base[m].mean) for m in layout.metrics if m in better and m in base}
        cells = {m: ReproducedCell(value) for m, value in percent.items() if value is not None}
        used = tuple(i for name in layout.improvement for i in found.identities.get(name, ()))
        whole = _row(found, by_name[layout.improvement[0]], "improvement", cells, used)
        of = layout.rows.get(layout.improvement[0], layout.improvement[0])
        rows.append(replace(whole, kind="improvement", of=of, seeds=(), settings={}))
    return rows


def improvement(metric: str, value: float, base: float) -> float | None:
    """Return how much better ``value`` is than ``base``, in percent of ``base``; None where that is not defined."""
    if base == 0 or not (math.isfinite(value) and math.isfinite(base)):
        return None
    sign = 1.0 if get(metric).higher_is_better else -1.0
    return sign * 100.0 * (value - base) / abs(base)


def _significance(layout: Layout, found: Found) -> list[ReproducedRow]:
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
            cells[metric] = replace(
                _cell(metric, row.metrics[metric]),
                stars=paper.stars,
                # Whether the stars mark a gain.
                better=(paper.mean_difference > 0) == get(metric).higher_is_better if paper.stars else None,
                p_users=None if test is None else test.p_holm,
                difference=None if test is None else test.difference,
                reason=paper.reason,
            )
        used = found.identities.get(simulator, ()) + found.identities.get(reference, ())
        rows.append(_row(found, row, label, cells, used))
    return rows


def _row(
    found: Found, row: SimulatorResult, method: str, cells: Mapping[str, ReproducedCell], identities: tuple[str, ...]
) -> ReproducedRow:
    group = found.group
    return ReproducedRow(
        backbone=group.backbone,
        operator=group.operator,
        method=method,
        kind="value",
        cells=cells,
        ranked=row.ranked,
        identities=identities,
        # A user's setting such as `fixate.operator` may move one simulator of a group and not the other.
        used_backbone=str(row.settings.get("backbone", group.used_backbone)),
        used_operator=str(row.settings.get("operator", group.used_operator)),
        seeds=_seeds(found, row.base),
        settings=settings_of(found, row.name),
        notice=short_notice(found),
    )


def _seeds(found: Found, simulator: str) -> tuple[int, ...]:
    return found.results.seeds[:1] if simulator in found.deterministic else found.results.seeds


def within_range(metric: str, low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """Return the limits of an interval cut off at the ends of a metric's range, of which a t interval knows nothing."""
    lowest, highest = get(metric).range
    return None if low is None else max(lowest, low), None if high is None else min(highest, high)


def _cell(metric: str, value: MetricResult) -> ReproducedCell:
    return ReproducedCell(value.mean, *within_range(metric, value.low, value.high), value.seed_sd)


def _explanations(layout: Layout, found: Sequence[Found], rows: Sequence[ReproducedRow]) -> list[str]:
    """Return how the numbers came about."""
    lines = []
    for task in dict.fromkeys(f.results.task for f in found):
        first = next(f.results for f in found if f.results.task == task)
        seeds = ", ".join(map(str, first.seeds))
        lines.append(
            f"{task} {first.version}, split {first.split}: {counted(first.n_sessions, 'test session')} of "
            f"{counted(first.n_users, 'user')}; seeds {seeds}."
        )
    base = {**SIMULATORS, **layout.rows}.get(_reference(layout), _reference(layout))
    if layout.kind == "significance":
        family = ", ".join(found[0].results.family) if found else "the family"
        lines += [
            f"Mean over users ± SD over seeds. Stars as in the paper: paired t-test over seeds against {base} (a "
            "simulator without a seed has the same value under all), uncorrected: * p < 0.05, ** p < 0.01; the same "
            "for a value that is worse: ° and °°.",
            f"In brackets: difference from {base}, mean over users, with the p of its paired t-test over users (where "
            f"screens repeat the larger of that and of the one over users and screens), Holm-corrected over {family}.",
        ]
    else:
        lines.append("Mean over users of the mean over seeds.")
    for one in found:
        where = f"{', '.join(one.group.shown)}: " if one.group.backbone else ""
        lines += [where + said for said in verdict.of(one.results)]
    better = [row for row in rows if row.kind == "improvement"]
    if better:
        lines.append(f"improvement: of {better[0].of} over {base}, in percent of {base}; positive is better.")
    if any(_undefined(row, rows) for row in better):
        lines.append(f"No improvement is given where {base} is 0.")
    labelled = any(not row.ranked for row in rows)
    if not layout.backbones:
        return lines
    lines.append(
        "Attention is that for the model's own answer"
        + ("; [label]: for the true click, never ranked." if labelled else ".")
    )
    return lines


def _undefined(row: ReproducedRow, rows: Sequence[ReproducedRow]) -> bool:
    """Tell whether a row of improvements lacks a metric that its method has."""
    block = (row.backbone, row.operator, row.of)
    own = next(one for one in rows if (one.backbone, one.operator, one.method) == block)
    return not set(own.cells) <= set(row.cells)
