"""What a submission's page shows, prepared for its template."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from benchmark.metrics import Metric, get
from benchmark.metrics.families import Family, headlines
from benchmark.output import units
from benchmark.output.text import beyond, plain
from benchmark.output.units import number, p_value
from benchmark.report.order import Order
from leaderboard.board_stress import stress_rows
from leaderboard.board_table import APART, BoardRow
from leaderboard.columns import HEADLINE, BoardCell, mean_cell, normalised_cell
from leaderboard.derived import UserEstimate, differences, personal_gain
from leaderboard.entries import Metadata
from leaderboard.site.figures import bar, estimate
from leaderboard.site.tables import SiteTable, families_of

BASELINES = ("uniform", "position-prior", "user-prior", "step-markov")
"""The baselines that a submission's page compares with, in this order, as far as they share a metric with it."""

_COST = re.compile(r"[a-z][a-z0-9_]{0,59}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,30}(\.[0-9]{1,20})?(e[+-]?[0-9]{1,2})?", re.ASCII)

_LESSER = re.compile(r"chance|\S+ (before|after|swapped)")
"""Stress measures that only say what another one is made from; a page leaves them out."""

KINDS = {"baseline": "a cheap prior of the suite", "reference": "a reference of the suite"}


@dataclass(frozen=True, slots=True)
class SessionFigure:
    """One session, drawn: the address with the picture in it, its size in pixels, and what it shows in words."""

    title: str
    picture: str
    size: tuple[int, int]
    alt: str


@dataclass(slots=True)
class TablePart:
    """A submission on one table.

    Attributes:
        gains: Metric, family, and the three differences of its personal gain.
        stress: A stress test and the sentence that sums it up -> measure, value, p and sessions of its numbers.
    """

    t: SiteTable
    index: int
    row: BoardRow
    apart: str
    data: str
    baselines: list[str]
    metrics: list[Markup]
    gains: list[tuple[str, str, list[BoardCell]]]
    stress: dict[tuple[str, str], list[tuple[str, BoardCell, str, int]]]
    sessions: list[SessionFigure] = field(default_factory=list)
    sessions_by: str = ""
    no_pictures: str = ""
    order: Order = field(default_factory=Order)


@dataclass(frozen=True, slots=True)
class SitePage:
    """A submission: everything that was sent in under one description."""

    metadata: Metadata
    page: str
    kind: str
    attention: str
    size: str
    cost: str
    parts: list[TablePart]

    @property
    def families(self) -> list[Family]:
        """The families of the metrics that it claims on any table."""
        return families_of(
            metric
            for part in self.parts
            for metric, mean in zip(part.t.view.table.metrics, part.t.view.ranking.mean[part.index], strict=True)
            if not math.isnan(mean)
        )

    @property
    def notices(self) -> list[str]:
        """What the page must say, each thing once."""
        lines = list(dict.fromkeys(notice for part in self.parts if (notice := part.t.context.notice)))
        own = beyond(self.metadata.notice, "; ".join(lines))
        return [*lines, own] if own else lines


def attention_words(metadata: Metadata) -> str:
    """Return where attention comes from, in words."""
    source, target = plain(metadata.attention_source, 300), plain(metadata.attention_target, 20)
    targets = {"none": "not probed", "free": "computed without the click", "label": "computed for the true click"}
    return "; ".join(word for word in (source, targets.get(target, "")) if word)


def size_words(metadata: Metadata) -> str:
    """Return how many parameters a backbone has, with a prefix; anything else as it was sent in."""
    text = plain(metadata.size, 60)
    return units.count(float(text), 4) if _NUMBER.fullmatch(text) else text


def cost_words(metadata: Metadata) -> str:
    """Return what a simulator took, each number in a unit that suits it; anything else as it was sent in."""
    text = plain(metadata.cost, 2000)
    pairs = [pair.rpartition(" ") for pair in text.split(", ")]
    if not all(_COST.fullmatch(name) and _NUMBER.fullmatch(value) for name, _, value in pairs):
        return text
    return ", ".join(_amount(name, float(value)) for name, _, value in pairs)


def _amount(name: str, value: float) -> str:
    words = name.removesuffix("_bytes").replace("_", " ")
    if name.endswith("_bytes"):
        return f"{words} {units.memory(value)}"
    if "seconds" in name.split("_"):
        return f"{words.replace('seconds', 'time')} {units.seconds(value)}"
    return f"{words} {units.count(value)}"


def kind_words(row: BoardRow) -> str:
    """Return what a line is, in words."""
    return KINDS.get(row.record.kind, "") or plain(row.record.metadata.kind, 60)


def part_of(t: SiteTable, index: int, data: str) -> TablePart:
    """Return a submission's part on a table, without sessions."""
    table, ranking, row = t.view.table, t.view.ranking, t.rows[index]
    own = table.by_session[index]
    known = [(name, i) for name in BASELINES if (i := table.find(name)) is not None and i != index]
    there = [(name, i) for name, i in known if np.isfinite(own + table.by_session[i]).any()]
    against = table.by_session[[i for _, i in there]] if there else np.empty((0, *own.shape))
    ends = differences(table, own[:, None], against.transpose(1, 0, 2)) if there else ()
    lines = []
    for j, metric in enumerate(table.metrics):
        cell = mean_cell(t.view, index, metric.name)
        if not cell.text:
            continue
        tier = cell.tier
        sd = float(ranking.seed_sd[index, j])
        place = f"{ranking.place[index, j]}{f' of {ranking.n_ranked[j]}' if row.ranked else ''}" if tier else ""
        apart = "".join(_difference(metric, *(float(end[b, j]) for end in ends)) for b in range(len(there)))
        # Written here and not in the template: there are thousands of them, and nothing in them is a stranger's.
        lines.append(
            Markup(
                f'<tr data-family="{metric.family}"><th scope="row" title="{escape(metric.definition)}">'
                f"{metric.name}{metric.arrow}</th>"
                f'<td>{estimate(cell)} {bar(cell, t.spans[j])}</td><td class="n">{tier or ""}</td>'
                f'<td class="n">{place}</td><td class="n">{"" if math.isnan(sd) else number(sd)}</td>'
                f"<td>{estimate(normalised_cell(t.view, index, metric.name))}</td>{apart}</tr>"
            )
        )
    return TablePart(
        t=t,
        index=index,
        row=row,
        apart=APART.get(row.apart, ""),
        data=data,
        baselines=[name for name, _ in there],
        metrics=lines,
        gains=_gains(t, index),
        stress=_stress(t, index),
    )


def _difference(metric: Metric, mean: float, low: float, high: float) -> str:
    """Return a cell: the difference to a baseline, and whether its interval leaves 0."""
    if math.isnan(mean):
        return f"<td>{estimate(BoardCell('', why='the baseline does not claim it'))}</td>"
    verdict = ""
    if low > 0 or high < 0:
        verdict = "better" if (low > 0) == metric.higher_is_better else "worse"
    shown = estimate(BoardCell(number(mean, sign="+"), mean, low, high))
    return f'<td class="{verdict}">{shown}<span class="sr"> {verdict}</span></td>' if verdict else f"<td>{shown}</td>"


def _gains(t: SiteTable, index: int) -> list[tuple[str, str, list[BoardCell]]]:
    found = []
    for name in HEADLINE:
        gain = personal_gain(t.view.table, index, t.view.table.metric_index(name))
        if gain is not None and not math.isnan(gain.own_over_shared.mean):
            three = (gain.own_over_shared, gain.swapped_over_shared, gain.own_over_swapped)
            found.append((name, get(name).family, list(map(_cell, three))))
    return found


def _stress(t: SiteTable, index: int) -> dict[tuple[str, str], list[tuple[str, BoardCell, str, int]]]:
    """Return what the stress tests of a submission found, test by test."""
    row = t.rows[index]
    found: dict[tuple[str, str], list[tuple[str, BoardCell, str, int]]] = {}
    for r in [] if row.stress is None else stress_rows(row.name, row.stress, t.context):
        numbers = found.setdefault((r.test, r.reading), [])
        if r.value is not None and not _LESSER.fullmatch(r.measure):
            low, high = (math.nan if end is None else end for end in (r.low, r.high))
            p = p_value(r.p)
            numbers.append((r.measure, BoardCell(number(r.value), r.value, low, high), p, r.n))
    return found


def _cell(found: UserEstimate) -> BoardCell:
    if math.isnan(found.mean):
        return BoardCell("", why=found.reason)
    return BoardCell(number(found.mean, sign="+"), found.mean, found.low, found.high)


def extreme_sessions(t: SiteTable, row: BoardRow, names: Sequence[str] = headlines(), each: int = 2) -> Any:
    """Return the best and the worst sessions of a line: (metric, [(word, session position, value)]).

    By the first of ``names`` that it claims, mean over seeds; ties go to the earlier session. None if it claims none
    of them.
    """
    for name in names:
        j = t.view.table.metric_index(name)
        values = row.values[:, :, j].mean(axis=0)
        if np.isnan(values).any():
            continue
        signed = -values if t.view.table.metrics[j].higher_is_better else values
        order = np.argsort(signed, kind="stable")
        each = min(each, len(order) // 2)
        chosen = [("best", i) for i in order[:each]] + [("worst", i) for i in order[::-1][:each]]
        return name, [(word, int(i), float(values[i])) for word, i in chosen]
    return None
