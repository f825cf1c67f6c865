"""What a table's page shows, prepared for its template."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from benchmark.metrics import Metric, get
from benchmark.metrics.families import FAMILIES, Family
from benchmark.output.text import plain
from benchmark.output.units import number
from benchmark.report.figures import Plot
from leaderboard.board_documents import default_metric, notices, order, verdict
from leaderboard.board_table import BoardRow
from leaderboard.columns import HEADLINE, BoardCell, BoardColumn, RankedTable, claimed
from leaderboard.context import TaskContext
from leaderboard.site.figures import Span
from leaderboard.site.front import front

GROUP_NAMES = {"normalised": "normalised scores", "gain": "personal gain", "about": "what it is"}
BADGES = {"baseline": "baseline", "reference": "reference"}


def span_of(ends: NDArray[np.float64], anchor: float = math.nan, *, flipped: bool = False) -> Span | None:
    """Return the scale for intervals, given their ends; None where there are none. It holds the anchor, if any."""
    known = ends[np.isfinite(ends)]
    if not known.size:
        return None
    low, high = float(np.nanmin([*known, anchor])), float(np.nanmax([*known, anchor]))
    margin = 0.04 * (high - low) or 0.5
    return Span(low - margin, high + margin, anchor, flipped)


@dataclass(frozen=True, slots=True)
class SiteColumn:
    """A column as the page has it."""

    column: BoardColumn
    slug: str
    classes: str
    span: Span | None

    @property
    def anchor(self) -> float | None:
        """Where bars begin, as a part of the width; None where nothing is known."""
        return None if self.span is None or math.isnan(self.span.anchor) else self.span.at(self.span.anchor) / 100


@dataclass(frozen=True)
class SiteTable:
    """One table of the site; ``pages`` are result -> address of its submission's page, from the root."""

    view: RankedTable
    pages: dict[str, str] = field(repr=False)

    @property
    def context(self) -> TaskContext:
        """Facts about the split."""
        return self.view.table.context

    @property
    def rows(self) -> tuple[BoardRow, ...]:
        """The table's lines."""
        return self.view.table.rows

    @cached_property
    def key(self) -> str:
        """What files of this table are called: safe in a file name and in an address."""
        return f"{slug(self.context.task)}-{slug(self.context.split)}-{self.context.digest[:8]}"

    @property
    def table_page(self) -> str:
        """Address of the results, from the root."""
        return f"tables/{self.key}.html"

    @property
    def task_page(self) -> str:
        """Address of what the task is."""
        return f"tasks/{self.key}.html"

    @property
    def n_submissions(self) -> int:
        """How many submissions there are."""
        return len({row.id for row in self.rows if row.record.kind == "submission"})

    @cached_property
    def columns(self) -> list[SiteColumn]:
        """The columns that have something to show."""
        return [self._column(column) for column in claimed(self.view)]

    @cached_property
    def cells(self) -> dict[str, list[BoardCell]]:
        """Column -> its cells, line by line."""
        return {c.column.key: [c.column.cell(self.view, i) for i in range(len(self.rows))] for c in self.columns}

    @cached_property
    def default(self) -> str:
        """The metric that the page is ordered by at first."""
        return default_metric(self.view)

    @property
    def default_slug(self) -> str:
        """Its column."""
        return slug(self.default)

    @property
    def groups(self) -> list[tuple[str, str]]:
        """Groups of columns besides the metrics that have something to show."""
        there = {c.column.group for c in self.columns}
        return [(group, name) for group, name in GROUP_NAMES.items() if group in there]

    @cached_property
    def inputs(self) -> list[str]:
        """Words for the inputs of ranked lines, for the filters."""
        return sorted({word for row in self.rows if row.ranked for word in _inputs(row)})

    @cached_property
    def families(self) -> list[Family]:
        """The families of the metrics that have something to show."""
        return families_of(get(c.column.metric) for c in self.columns if c.column.metric)

    @property
    def notices(self) -> list[str]:
        """What must be known before any number of the table."""
        return notices(self.view)

    @property
    def n_screens(self) -> int:
        """How many screens are tested, 0 where that is not known."""
        return len(self.view.table.design.screens or ())

    @cached_property
    def verdict(self) -> list[str]:
        """What the tests say, in sentences."""
        return verdict(self.view)

    @property
    def reported_metrics(self) -> list[str]:
        """The metrics that numbers stated elsewhere are about, the suite's own first."""
        said = {name for r in self.view.table.reported for name in r.metrics}
        own = [m.name for m in self.view.table.metrics]
        return [name for name in own if name in said] + sorted(said - set(own))

    @property
    def scale_reasons(self) -> list[str]:
        """Why metrics have no normalised score."""
        found: dict[str, list[str]] = {}
        for metric, reason in zip(self.view.table.metrics, self.view.normalised.reasons, strict=True):
            if reason:
                found.setdefault(reason, []).append(metric.name)
        return [f"{', '.join(names)}: {reason}" for reason, names in found.items()]

    @cached_property
    def front(self) -> tuple[Plot, Sequence[int]] | None:
        """The figure of the front page, and the lines that its numbers stand for."""
        return front(self.view, self.key)

    @cached_property
    def spans(self) -> list[Span | None]:
        """The scale of each metric's bars: that of the ranked lines, so that an oracle does not flatten them."""
        r = self.view.ranking
        ranked = np.array([row.ranked for row in self.rows], dtype=bool)
        chosen = ranked if ranked.any() else ~ranked
        ends = np.concatenate([x[chosen] for x in (r.low, r.mean, r.high)])
        found = []
        for j, metric in enumerate(self.view.table.metrics):
            prior = self.view.table.find(metric.prior)
            anchor = math.nan if prior is None else float(r.mean[prior, j])
            found.append(span_of(ends[:, j], anchor, flipped=not metric.higher_is_better))
        return found

    def _column(self, column: BoardColumn) -> SiteColumn:
        name = slug(column.key)
        head = " h" if column.key in HEADLINE else ""
        family = f" of-family of-{get(column.metric).family}" if column.metric else ""
        classes = f"v g-{column.group}{head} k-{name}{family}"
        span = None
        if column.group == "metrics":
            j = self.view.table.metric_index(column.metric)
            span = self.spans[j]
        elif column.group != "about":
            cells = [column.cell(self.view, i) for i, row in enumerate(self.rows) if row.ranked]
            span = span_of(np.array([x for c in cells for x in (c.low, c.value, c.high)], dtype=np.float64), 0.0)
        return SiteColumn(column, name, classes, span)

    def lines(self, *, ranked: bool) -> list[Markup]:
        """Return the lines in order, those that are ranked or those that never are."""
        before, found = 0, []
        j = self.view.table.metric_index(self.default)
        for i in order(self.view, self.default):
            if self.rows[i].ranked == ranked:
                tier = int(self.view.ranking.tier[i, j])
                found.append(self._line(i, tier, lead=bool(tier) and tier != before))
                before = tier
        return found

    def _line(self, index: int, tier: int, *, lead: bool) -> Markup:
        """Return a line as HTML. Written here and not in a template: there are thousands of them."""
        row = self.rows[index]
        m = row.record.metadata
        said = plain(" ".join([m.name, m.version, m.backbone, m.kind, *m.authors]), 600).lower()
        badge = BADGES.get(row.record.kind, f"{row.apart} attention" if row.suffix else row.apart)
        name = plain(m.name, 60) + row.suffix + row.mark
        version = plain(m.version, 20) if row.record.kind == "submission" else ""
        sees = ", ".join(plain(word, 30) for word in m.inputs[:12]) or "nothing"
        cells = [_cell(self.cells[c.column.key][index], c) for c in self.columns]
        return Markup(
            f'<tr id="r-{row.key}"{" class=opens" if lead else ""} data-kind="{row.record.kind}" '
            f'data-find="{escape(said)}" data-in="{escape(" ".join(_inputs(row)))}"><td class="tier">{tier or ""}</td>'
            f'<th scope="row" class="who"><a href="../{self.pages[row.id]}">{escape(name)}</a>'
            + (f' <span class="dim">{escape(version)}</span>' if version else "")
            + (f' <span class="badge">{escape(badge)}</span>' if badge else "")
            + f'</th><td class="see">{escape(sees)}</td>{"".join(cells)}</tr>'
        )  # every text in it is escaped above


def _cell(cell: BoardCell, column: SiteColumn) -> str:
    if not cell.text:
        return f'<td class="{column.classes}"></td>'
    if column.column.group == "about":
        value = "" if math.isnan(cell.value) else f' data-v="{cell.value:g}"'
        return f'<td class="{column.classes}"{value}>{escape(cell.text)}</td>'
    style, span = "", column.span
    if span is not None:
        mean = span.at(cell.value)
        low, high = sorted(span.at(end) if math.isfinite(end) else mean for end in (cell.low, cell.high))
        style = f' style="--l:{low / 100:.3g};--h:{high / 100:.3g};--m:{mean / 100:.3g}"'
        style += " data-lo" if mean < span.at(span.anchor if math.isfinite(span.anchor) else cell.value) else ""
        if arrow := span.beyond(cell.value):
            style += f' data-out="{arrow}"'
    tier = f' data-t="{cell.tier}"' if cell.tier else ""
    ends = f"[{number(cell.low)}, {number(cell.high)}]" if math.isfinite(cell.low) else ""
    title = f' title="{ends}"' if ends else ""
    return f'<td class="{column.classes}" data-v="{cell.value:.9g}"{tier}{title}{style}>{cell.text}</td>'


def families_of(metrics: Iterable[Metric]) -> list[Family]:
    """Return the families of some metrics, in their order."""
    there = {metric.family for metric in metrics}
    return [family for family in FAMILIES if family.name in there]


def slug(text: str) -> str:
    """Return a text as part of a file name, of an address or of a class: letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "x"


def _inputs(row: BoardRow) -> list[str]:
    return [slug(word) for word in row.record.metadata.inputs[:12]]
