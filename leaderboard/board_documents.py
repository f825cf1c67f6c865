"""The tables of a board as documents."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.metrics import get
from benchmark.metrics.families import FAMILIES, family
from benchmark.metrics.registry import given
from benchmark.output.document import CsvRow, Document, Grid, GridCell, GridColumn, row
from benchmark.output.text import beyond, plain
from benchmark.output.units import counted, interval, number
from benchmark.scores.verdict import BETTER, WORSE, FamilyTests, mark, sentences
from leaderboard import columns as registry
from leaderboard.board_table import APART, UNSCORED
from leaderboard.columns import GROUPS, HEADLINE, BoardCell, BoardColumn, RankedTable, claimed
from leaderboard.ranking import ALPHA
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from leaderboard.submitting import Placement

_WHERE = ("task", "version", "split", "digest", "notice")
_VALUES = ("mean", "low", "high", "tier", "place", "seed_sd")
DEFAULT_GROUPS = ("metrics",)
NOTICES = 5
"""How many different notes on simulators a table carries."""


def order(view: RankedTable, metric: str) -> list[int]:
    """Return the lines by their mean on a metric, best first; those that do not claim it come last, by name.

    Lines that are not ranked come after all that are.
    """
    j = view.table.metric_index(metric)
    up = view.table.metrics[j].higher_is_better

    def key(row: int) -> tuple[bool, bool, float, str, str]:
        value = float(
            f"{view.ranking.mean[row, j]:.9g}"
        )  # the digits that pages hold: what is equal there goes by name
        blank = math.isnan(value)
        line = view.table.rows[row]
        return not line.ranked, blank, 0.0 if blank else -value if up else value, line.name, line.key

    return sorted(range(len(view.table.rows)), key=key)


def chosen_columns(view: RankedTable, groups: Sequence[str]) -> list[BoardColumn]:
    """Return the columns of some groups that have something to say; InputError if a group is unknown."""
    for group in groups:
        if group not in GROUPS:
            raise unknown_name("group of columns", group, GROUPS)
    return claimed(view, groups)


def default_metric(view: RankedTable) -> str:
    """Return the first headline metric that a ranked line claims, else the first of all."""
    names = [m.name for m in view.table.metrics]
    return next((m for m in HEADLINE if view.ranking.n_ranked[names.index(m)]), names[0])


def documents(
    views: Sequence[RankedTable],
    *,
    metric: str | None = None,
    groups: Sequence[str] = DEFAULT_GROUPS,
    families: Sequence[str] = (),
) -> list[Document]:
    """Return the tables of a board, ordered by the first headline metric that is claimed unless another is given.

    Groups and families choose the columns that are printed; CSV and JSON hold all. InputError if the metric or a group
    is unknown, or the board is empty.
    """
    if not views:
        raise InputError("the board holds no active result; 'submit DIR' adds one.")
    return [_document(view, metric or default_metric(view), chosen_columns(view, groups), families) for view in views]


def _document(view: RankedTable, metric: str, columns: Sequence[BoardColumn], families: Sequence[str]) -> Document:
    c = view.table.context
    shown = [one for one in columns if not (families and one.metric and get(one.metric).family not in families)]
    reported = tuple(
        f"{r.name}: {', '.join(f'{n} {number(v)}' for n, v in sorted(r.metrics.items()))} ({r.source})"
        for r in view.table.reported
    )
    stated = [Grid(heading="Self-reported, not checked, never ranked:", notes=reported)] if reported else []
    return Document(
        title=_title(view),
        notices=tuple(notices(view)),
        verdict=tuple(verdict(view)),
        grids=(_grid(view, metric, shown), *stated),
        legend=tuple(legend(view, metric)),
        csv=lambda: _csv(view, metric),
        data=lambda: _json(view, metric),
        name=f"{c.task}-{c.split}",
    )


def _title(view: RankedTable) -> str:
    c = view.table.context
    tested = f"{counted(len(c.sessions), 'test session')} of {counted(c.n_users, 'user')}"
    screens = view.table.design.screens
    seen = "" if screens is None else f" on {counted(len(screens), 'screen')}"
    return plain(f"{c.title} ({c.task} {c.version}), split {c.split}: {tested}{seen}", 400)


def heading(view: RankedTable) -> list[str]:
    """Return what a table is about; simulated data is named before any number."""
    return [_title(view), *[f"NOTE: {plain(n, 600)}" for n in notices(view)]]


def notices(view: RankedTable) -> list[str]:
    """Return what every output must say of the data and of the simulators shown.

    What a submission asks to be said is attributed to it; one text that several ask for is said once, and of many
    different ones the first are said and the rest are counted, so that nobody can fill a table with their own words.
    """
    data = view.table.context.notice
    asked: dict[str, dict[str, None]] = {}
    for line in view.table.rows:
        said = beyond(plain(line.record.metadata.notice, 600), plain(data, 600))
        if said:
            asked.setdefault(said, {})[plain(line.record.metadata.name, 40)] = None
    lines = [data] if data else []
    for said, names in list(asked.items())[:NOTICES]:
        first = list(names)[:3]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        lines.append(f"{', '.join(first)}{more}: {said}")
    if len(asked) > NOTICES:
        lines.append(f"{len(asked) - NOTICES} more notes are on the pages of their simulators.")
    return lines


def verdict(view: RankedTable) -> list[str]:
    """Return what the tests of a table say, in sentences."""
    table, r = view.table, view.ranking
    shown = [_name(view, i) for i in range(len(table.rows))]
    names = [f"{n} {line.key[:6]}" if shown.count(n) > 1 else n for n, line in zip(shown, table.rows, strict=True)]
    tested = []
    for one in FAMILIES:
        prior = table.find(one.prior)
        marks: dict[str, dict[str, str]] = {}
        for metric in one.main if prior is not None else ():
            j = table.metric_index(metric)
            for i in np.flatnonzero(~np.isnan(r.p_prior[:, j])):
                apart = float(r.mean[i, j] - r.mean[prior, j])
                marks.setdefault(names[i], {})[metric] = mark(apart, metric, float(r.p_prior[i, j]), ALPHA)
        j = table.metric_index(one.headline)
        others = np.flatnonzero(~np.isnan(r.p_best[:, j]))
        best = [i for i in np.flatnonzero(r.place[:, j] == 1) if i not in others and table.rows[i].ranked]
        worse = {names[i]: bool(r.p_best[i, j] <= ALPHA) for i in others}
        tested.append(FamilyTests(one, one.prior, marks, names[best[0]] if best and worse else "", worse))
    return sentences(tested)


def legend(view: RankedTable, metric: str) -> list[str]:
    """Return what the signs of a table mean."""
    apart = sorted({row.apart for row in view.table.rows if row.apart})
    lines = [
        f"Tiers and order by {metric}; in brackets after a mean: its own tier. Mean over users; ↑ higher is better, "
        "↓ lower is better.",
        f"A tier is led by its best; its members are not significantly worse than the leader (paired t-test over "
        f"{view.table.over}, all pairs, Holm-corrected, p <= 0.05).",
        f"The verdict is made of the same tests; {BETTER} better, {WORSE} worse.",
    ]
    lines += [
        f"Nothing is compared with {one.prior}: the board does not hold it."
        for one in FAMILIES
        if view.ranking.n_ranked[view.table.metric_index(one.headline)] > 1 and view.table.find(one.prior) is None
    ]
    if apart:
        others = " with the others" if "stated" in apart else ""
        lines.append(f"In brackets and never ranked{others}: {'; '.join(APART[a] for a in apart)}.")
    if any(row.mark for row in view.table.rows):
        lines.append("? and a number: it knows more of the recordings than simulators do; 1 is suspicious, 2 is proof.")
    lines += given(view.table.told)
    lines += [f"{name}: {UNSCORED} ({counted(n, 'line')})." for name, n in view.table.unscored.items()]
    return lines


def _grid(view: RankedTable, metric: str, columns: Sequence[BoardColumn]) -> Grid:
    j = view.table.metric_index(metric)
    rows = []
    for index in order(view, metric):
        tier = int(view.ranking.tier[index, j])
        shown = [(c.cell(view, index), c.group) for c in columns]
        cells = [GridCell(c.text, f" [{c.tier}]" if group == "metrics" and c.tier else "") for c, group in shown]
        rows.append(row(str(tier or ""), _name(view, index), *cells, ranked=view.table.rows[index].ranked))
    keys = (GridColumn("tier", key=True), GridColumn("simulator", "left", key=True))
    return Grid((*keys, *map(_column, columns)), tuple(rows))


def _column(column: BoardColumn) -> GridColumn:
    """Return the head of a column; those of a family are printed together."""
    title = family(get(column.metric).family).title if column.metric else ""
    group = title if column.group == "metrics" else ", ".join(filter(None, (title, column.group)))
    return GridColumn(column.title, "left" if column.group == "about" else "right", group=group)


def _name(view: RankedTable, index: int) -> str:
    line = view.table.rows[index]
    m = line.record.metadata
    return plain(m.name if line.record.kind != "submission" else m.label, 60) + line.suffix + line.mark


def _csv(view: RankedTable, metric: str) -> Iterator[CsvRow]:
    """Yield one row per line and numeric column, with every digit."""
    yield (*_WHERE, "result", "simulator", "simulator_version", "kind", "apart", "column", *_VALUES)
    table = _json(view, metric)
    for line in table["lines"]:
        who = (line[name] for name in ("result", "simulator", "version", "kind", "apart"))
        where = (*(table[name] for name in _WHERE), *who)
        for key, cell in line["columns"].items():
            if isinstance(cell, dict):
                yield (*where, key, *map(cell.get, _VALUES))


def _json(view: RankedTable, metric: str) -> dict[str, Any]:
    c = view.table.context
    return {
        "task": c.task,
        "version": c.version,
        "split": c.split,
        "digest": c.digest,
        "notice": "; ".join(notices(view)),
        "n_sessions": len(c.sessions),
        "n_users": c.n_users,
        "ordered_by": metric,
        "lines": [_json_line(view, row) for row in order(view, metric)],
        "reported": [
            {"name": r.name, "source": r.source, "link": r.link, "n_sessions": r.n_sessions, "metrics": dict(r.metrics)}
            for r in view.table.reported
        ],
    }


def _json_line(view: RankedTable, row: int) -> dict[str, Any]:
    line = view.table.rows[row]
    cells = ((c, c.cell(view, row)) for c in registry.COLUMNS)
    return {
        "result": line.id,
        "simulator": line.name,
        "version": line.record.metadata.version,
        "kind": line.record.kind,
        "ranked": line.ranked,
        "apart": line.apart,
        "columns": {c.key: _json_cell(view, row, c, cell) for c, cell in cells if cell.text},
    }


def _json_cell(view: RankedTable, row: int, column: BoardColumn, cell: BoardCell) -> Any:
    if column.group == "about":
        return cell.text
    found = {"mean": cell.value, "low": _known(cell.low), "high": _known(cell.high)}
    if column.group != "metrics":
        return found
    j = view.table.metric_index(column.metric)
    place, sd = int(view.ranking.place[row, j]) or None, _known(float(view.ranking.seed_sd[row, j]))
    return {**found, "tier": cell.tier or None, "place": place, "seed_sd": sd}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def placed(label: str, placement: Placement, dry_run: bool) -> list[str]:
    """Return the place that a result takes on its table, line by line."""
    status = "would be placed" if dry_run else "is placed" if placement.new else "was on the board already"
    first = f"{plain(label, 100)} {status} (result {placement.result[:12]}):"
    twins = {
        name for key, names in placement.view.table.twins.items() if key.startswith(placement.result) for name in names
    }
    alike = [f"NOTE: it scores all but the same in every session as {plain(name, 120)}." for name in sorted(twins)]
    return [first, *heading(placement.view), *places(placement.view, placement.result), *alike]


def places(view: RankedTable, result: str) -> Iterable[str]:
    """Yield a line per metric that a result claims: its place."""
    for index, line in enumerate(view.table.rows):
        if line.id != result:
            continue
        for j, metric in enumerate(view.table.metrics):
            mean, low, high = (float(x[index, j]) for x in (view.ranking.mean, view.ranking.low, view.ranking.high))
            if math.isnan(mean):
                continue
            head = f"{metric.name + metric.arrow:<10} {number(mean)} {interval(low, high)}"
            given = f", {family(metric.family).given}" if family(metric.family).given else ""
            if line.ranked:
                tiers = int(view.ranking.tier[:, j].max())
                where = f"tier {view.ranking.tier[index, j]} of {tiers}, place {view.ranking.place[index, j]} of "
                yield f"{head:<34} {where}{view.ranking.n_ranked[j]}{given}"
            elif line.apart == "stated":
                yield f"{head:<34} tier {view.ranking.tier[index, j]} of attention that models stated themselves"
            else:
                yield f"{head:<34} not ranked: {APART[line.apart]}{given}"
