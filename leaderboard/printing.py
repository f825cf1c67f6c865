"""The leaderboard as text: for the terminal, Markdown, LaTeX, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmark.output.latex import booktabs, escape_latex
from benchmark.output.tables import number
from benchmark.output.units import counted
from leaderboard import columns as registry
from leaderboard.board_table import APART, LABEL, UNSCORED
from leaderboard.columns import GROUPS, HEADLINE, BoardCell, BoardColumn, RankedTable, claimed
from leaderboard.safe_text import beyond, markdown, plain, spreadsheet
from tasks.errors import InputError, unknown_name

FORMATS = ("terminal", "markdown", "latex", "csv", "json")
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
        value = float(view.ranking.mean[row, j])
        blank = math.isnan(value)
        line = view.table.rows[row]
        return not line.ranked, blank, 0.0 if blank else -value if up else value, line.name, line.key

    return sorted(range(len(view.table.rows)), key=key)


def chosen_columns(view: RankedTable, groups: Sequence[str]) -> list[BoardColumn]:
    """Return the columns of some groups that have something to say.

    Raises:
        InputError: A group is unknown.
    """
    for group in groups:
        if group not in GROUPS:
            raise unknown_name("group of columns", group, GROUPS)
    return claimed(view, groups)


def default_metric(view: RankedTable) -> str:
    """Return the first headline metric that a ranked line claims, else the first of all."""
    names = [m.name for m in view.table.metrics]
    return next((m for m in HEADLINE if view.ranking.n_ranked[names.index(m)]), names[0])


def render(
    views: Sequence[RankedTable],
    format: str,
    *,
    metric: str | None = None,
    groups: Sequence[str] = DEFAULT_GROUPS,
    width: int | None = None,
) -> str:
    """Return the tables of a board in one of ``FORMATS``.

    Args:
        views: Its tables.
        format: One of ``FORMATS``.
        metric: What to order by; by default the first headline metric that is claimed.
        groups: Groups of columns.
        width: Characters a line of the terminal may have; a wider table is broken into blocks. None never breaks.

    Raises:
        InputError: The format, the metric or a group is unknown, or the board is empty.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    if not views:
        raise InputError("the board holds no active result; 'submit DIR' adds one.")
    if format == "json":
        return json.dumps([_json(v, metric or default_metric(v)) for v in views], indent=1)
    if format == "csv":
        return _csv(views, metric)
    if format == "terminal":
        return "\n\n".join(_terminal(v, metric or default_metric(v), groups, width) for v in views)
    page = _markdown if format == "markdown" else _latex
    return "\n\n".join(page(v, metric or default_metric(v), groups) for v in views)


def heading(view: RankedTable) -> list[str]:
    """Return what a table is about; simulated data is named before any number."""
    c = view.table.context
    tested = f"{counted(len(c.sessions), 'test session')} of {counted(c.n_users, 'user')}"
    title = f"{c.title} ({c.task} {c.version}), split {c.split}: {tested}"
    return [plain(title, 400), *[f"NOTE: {plain(n, 600)}" for n in notices(view)]]


def title(text: str) -> str:
    """Return a name as it may be printed."""
    return plain(text, 100)


def notices(view: RankedTable) -> list[str]:
    """Return what every output must say of the data and of the simulators shown.

    What a submission asks to be said is attributed to it; one text that several ask for is said once, and of many
    different ones the first are said and the rest are counted, so that nobody can fill a table with their own words.
    """
    data = view.table.context.notice
    asked: dict[str, dict[str, None]] = {}
    for row in view.table.rows:
        said = beyond(plain(row.record.metadata.notice, 600), plain(data, 600))
        if said:
            asked.setdefault(said, {})[plain(row.record.metadata.name, 40)] = None
    lines = [data] if data else []
    for said, names in list(asked.items())[:NOTICES]:
        first = list(names)[:3]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        lines.append(f"{', '.join(first)}{more}: {said}")
    if len(asked) > NOTICES:
        lines.append(f"{len(asked) - NOTICES} more notes stand on the pages of their simulators.")
    return lines


def legend(view: RankedTable, metric: str) -> list[str]:
    """Return what the signs of a table mean."""
    apart = sorted({row.apart for row in view.table.rows if row.apart})
    lines = [
        f"Tiers and order by {metric}; in brackets behind a mean: its own tier. Mean over users; ↑ higher is better, "
        "↓ lower is better.",
        "A tier is led by its best; its members are not significantly worse than the leader (paired t-test over users, "
        "all pairs, Holm-corrected, p <= 0.05).",
        "resolves: the smallest difference from position-prior that this test set shows with 80 % power.",
    ]
    if apart:
        lines.append(f"In brackets and never ranked: {'; '.join(APART[a] for a in apart)}.")
    lines += [f"{name}: {UNSCORED} ({counted(n, 'line')})." for name, n in view.table.unscored.items()]
    return lines


def _name(view: RankedTable, row: int) -> str:
    line = view.table.rows[row]
    m = line.record.metadata
    shown = m.name if line.record.kind != "submission" else m.label
    shown = plain(shown, 60) + (LABEL if line.apart == "label" else "")
    return shown if line.ranked else f"({shown})"


def _shown(cell: BoardCell, column: BoardColumn) -> str:
    """Return a cell as text tables print it: the tier stands behind a mean."""
    return f"{cell.text} [{cell.tier}]" if column.group == "metrics" and cell.tier else cell.text


def _body(
    view: RankedTable, metric: str, columns: Sequence[BoardColumn], escape: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    """Return headers and lines."""
    j = view.table.metric_index(metric)
    lines = []
    for row in order(view, metric):
        tier = int(view.ranking.tier[row, j])
        cells = [_shown(c.cell(view, row), c) for c in columns]
        lines.append([str(tier) if tier else "", escape(_name(view, row)), *map(escape, cells)])
    resolved = [_resolved(view, c) for c in columns]
    if any(resolved):
        lines.append(["", "resolves", *resolved])
    return ["tier", "simulator", *(escape(c.title) for c in columns)], lines


def _resolved(view: RankedTable, column: BoardColumn) -> str:
    if column.group != "metrics":
        return ""
    value = float(view.ranking.resolves[view.table.metric_index(column.metric)])
    return "" if math.isnan(value) else number(value)


def _align(columns: Sequence[BoardColumn]) -> tuple[str, ...]:
    return ("right", "left", *["left" if c.group == "about" else "right" for c in columns])


def _tabulated(
    view: RankedTable, metric: str, columns: Sequence[BoardColumn], style: str, escape: Callable[[str], str]
) -> str:
    from tabulate import tabulate

    headers, lines = _body(view, metric, columns, escape)
    return tabulate(
        lines,
        headers=headers,
        tablefmt=style,
        disable_numparse=True,
        preserve_whitespace=True,
        colalign=_align(columns),
    )


def _blocks(view: RankedTable, metric: str, columns: Sequence[BoardColumn], width: int | None) -> list[str]:
    """Return a table for the terminal, broken into blocks of columns that fit."""
    table = _tabulated(view, metric, columns, "simple", plain)
    if width is None or len(columns) < 2 or max(map(len, table.splitlines())) <= width:
        return [table]
    half = -(-len(columns) // 2)
    return [block for part in (columns[:half], columns[half:]) for block in _blocks(view, metric, part, width)]


def _reported(view: RankedTable, escape: Callable[[str], str]) -> list[str]:
    """Return the numbers stated elsewhere, a line each."""
    return [
        escape(f"{r.name}: {', '.join(f'{n} {number(v)}' for n, v in sorted(r.metrics.items()))} ({r.source})")
        for r in view.table.reported
    ]


def _terminal(view: RankedTable, metric: str, groups: Sequence[str], width: int | None) -> str:
    tables = _blocks(view, metric, chosen_columns(view, groups), width)
    parts = [*heading(view), "", "\n\n".join(tables), "", *legend(view, metric)]
    reported = _reported(view, lambda text: plain(text, 400))
    if reported:
        parts += ["", "Self-reported, not checked, never ranked:", *(f"  {line}" for line in reported)]
    return "\n".join(parts)


def _markdown(view: RankedTable, metric: str, groups: Sequence[str]) -> str:
    title, *notes = heading(view)
    parts = [
        f"## {markdown(title)}",
        *[f"**{markdown(note)}**" for note in notes],
        _tabulated(view, metric, chosen_columns(view, groups), "pipe", markdown),
        "\n".join(f"- {markdown(line)}" for line in legend(view, metric)),
    ]
    reported = _reported(view, markdown)
    if reported:
        parts += ["Self-reported, not checked, never ranked:", "\n".join(f"- {line}" for line in reported)]
    return "\n\n".join(parts)


def _latex(view: RankedTable, metric: str, groups: Sequence[str]) -> str:
    body = _tabulated(view, metric, chosen_columns(view, groups), "latex_raw", lambda text: escape_latex(plain(text)))
    comments = [*heading(view), *legend(view, metric), *_reported(view, plain)]
    return "\n".join([*[f"% {line}" for line in comments], booktabs(body)])


def _csv(views: Sequence[RankedTable], metric: str | None) -> str:
    """Return one row per line and numeric column, with every digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["task", "version", "split", "digest", "notice", "result", "simulator", "simulator_version", "kind", "apart"]
    writer.writerow([*head, "column", "mean", "low", "high", "tier", "place", "seed_sd"])
    for view in views:
        c = view.table.context
        notice = "; ".join(notices(view))
        for row in order(view, metric or default_metric(view)):
            line = view.table.rows[row]
            m = line.record.metadata
            who = [line.id, line.name, m.version, line.record.kind, line.apart]
            where = [c.task, c.version, c.split, c.digest, notice]
            for column in registry.COLUMNS:
                if column.group == "about":
                    continue
                cell = column.cell(view, row)
                if not math.isnan(cell.value):
                    j = view.table.metric_index(column.metric)
                    mean = column.group == "metrics"
                    rest = [cell.tier or None, int(view.ranking.place[row, j]) or None] if mean else [None, None]
                    sd = _known(float(view.ranking.seed_sd[row, j])) if mean else None
                    numbers = [cell.value, _known(cell.low), _known(cell.high), *rest, sd]
                    writer.writerow([*map(spreadsheet, [*where, *who, column.key]), *numbers])
    return text.getvalue().rstrip("\n")


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
        "resolves": {m.name: _known(float(v)) for m, v in zip(view.table.metrics, view.ranking.resolves, strict=True)},
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
        "columns": {c.key: _json_cell(c, cell) for c, cell in cells if cell.text},
    }


def _json_cell(column: BoardColumn, cell: BoardCell) -> Any:
    if column.group == "about":
        return cell.text
    found = {"mean": cell.value, "low": _known(cell.low), "high": _known(cell.high)}
    return {**found, "tier": cell.tier or None} if column.group == "metrics" else found


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def places(view: RankedTable, result: str) -> Iterable[str]:
    """Yield a line per metric that a result claims: where it stands."""
    for row, line in enumerate(view.table.rows):
        if line.id != result:
            continue
        for j, metric in enumerate(view.table.metrics):
            mean, low, high = (float(x[row, j]) for x in (view.ranking.mean, view.ranking.low, view.ranking.high))
            if math.isnan(mean):
                continue
            interval = "" if math.isnan(low) else f" [{number(low)}, {number(high)}]"
            head = f"{metric.name + metric.arrow:<10} {number(mean)}{interval}"
            if line.ranked:
                tiers = int(view.ranking.tier[:, j].max())
                where = f"tier {view.ranking.tier[row, j]} of {tiers}, place {view.ranking.place[row, j]} of "
                yield f"{head:<34} {where}{view.ranking.n_ranked[j]}"
            else:
                yield f"{head:<34} not ranked: {APART[line.apart]}"
