"""Figures as SVG: heatmaps per slot, spread over users.

Every figure is part of the page, follows its light or dark colours, and says in words what it shows. Tints follow
``benchmark.output.drawing``, which draws sessions.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup, escape

from benchmark.output import pages
from benchmark.output.drawing import opacity
from benchmark.output.text import plain, web_link
from benchmark.output.units import counted, number
from leaderboard.columns import BoardCell
from leaderboard.context import SlotShares
from tasks.types import Floats

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class Span:
    """The common scale of a column's bars, the better end on the right; bars begin at ``anchor``: the prior, or 0."""

    low: float
    high: float
    anchor: float = math.nan
    flipped: bool = False

    def at(self, value: float) -> float:
        """Return where a value is, percent of the width; outliers are at the ends."""
        return round(min(100.0, max(0.0, self._at(value))), 1)

    def beyond(self, value: float) -> str:
        """Return the arrow to the side on which a value leaves the scale, empty if it does not."""
        return "◂" if self._at(value) < 0 else "▸" if self._at(value) > 100 else ""

    def _at(self, value: float) -> float:
        part = 100 * (value - self.low) / (self.high - self.low)
        return 100 - part if self.flipped else part


def estimate(cell: BoardCell) -> Markup:
    """Return a number with its interval, or a dash that says why it is missing."""
    if not cell.text:
        why = escape(cell.why)
        return Markup(f'<span class="dim" title="{why}">–<span class="sr"> {why}</span></span>')
    ends = f' <span class="ci">[{number(cell.low)}, {number(cell.high)}]</span>' if math.isfinite(cell.low) else ""
    return Markup(f'<span class="num">{escape(cell.text)}</span>{ends}')


def bar(cell: BoardCell, span: Span | None) -> Markup:
    """Return an interval with its mean on the scale of its column."""
    if span is None or math.isnan(cell.value):
        return Markup("")
    low, high = (end if math.isfinite(end) else cell.value for end in (cell.low, cell.high))
    return Markup(  # numbers only
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        + ("" if math.isnan(span.anchor) else f'<path class="zero" d="M{span.at(span.anchor)} 0V10"/>')
        + f'<path class="range" d="M{span.at(low)} 5H{span.at(high)}"/>'
        f'<path class="mean" d="M{span.at(cell.value)} 1V9"/></svg>{span.beyond(cell.value)}'
    )


def overlay(slots: SlotShares, shares: Sequence[float], kind: str, label: str) -> Markup:
    """Return the outlines of slots on an empty screen, tinted by their shares; ``label`` says what it shows."""
    (width, height), top = slots.size, max(shares)
    font = max(9, round(width / 42))
    parts = [f'<svg class="screen" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">']
    for (x0, y0, x1, y1), share in zip(slots.boxes, shares, strict=True):
        place = f'x="{x0:g}" y="{y0:g}" width="{max(0.0, x1 - x0):g}" height="{max(0.0, y1 - y0):g}"'
        parts.append(f'<rect class="over {kind}" {place} fill-opacity="{opacity(share, top):.3f}"/>')
        parts.append(f'<text class="share" x="{x0 + 4:g}" y="{y0 + font:g}" font-size="{font}">{share:.0%}</text>')
    return Markup("".join([*parts, "</svg>"]))  # the label is escaped, the rest are numbers


def heatmap(slots: SlotShares, kind: str, title: str) -> Markup:
    """Return mean shares per slot: over the screen where all sessions have the same slots, else as bars by position."""
    shares = slots.gaze if kind == "gaze" else slots.clicks
    if slots.boxes:
        label = f"{title}: most on slot {slots.labels[shares.index(max(shares))]}, {max(shares):.0%}"
        drawn = overlay(slots, shares, kind, label)
        return Markup("<figure><figcaption>{}</figcaption>{}</figure>").format(title, drawn)
    widest = max(shares) or 1.0
    rows = Markup("").join(
        Markup(
            '<tr><th scope="row">{}</th><td class="n">{}</td><td class="n dim">{}</td>'
            '<td class="barcell"><svg class="hbar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
            '<rect class="over {}" width="{}" height="10"/></svg></td></tr>'
        ).format(label, f"{share:.1%}", n, kind, f"{100 * share / widest:.1f}")
        for label, share, n in zip(slots.labels, shares, slots.sessions, strict=True)
    )
    return Markup(
        '<figure><figcaption>{}</figcaption><table class="plain bars"><thead><tr><th scope="col">slot</th>'
        '<th scope="col" class="n">share</th><th scope="col" class="n">sessions</th><td></td></tr></thead>'
        "<tbody>{}</tbody></table></figure>"
    ).format(title, rows)


@lru_cache
def _places(n: int) -> tuple[str, ...]:
    """Return the places of the marks of n users, left to right."""
    return tuple(f"{(i + 0.5) * 200 / n:.1f}" for i in range(n))


def spread(title: str, values: Floats, others: Floats | None, range_: tuple[float, float]) -> Markup:
    """Return one mark per user, sorted, with those of a baseline, if there is one, as a line behind them.

    ``values`` and ``others`` have one number per user, in one order; ``range_`` is what is drawn.
    """
    low, high = range_
    if not high > low:
        low, high = low - 0.5, high + 0.5

    def path(numbers: Floats, joined: bool) -> str:
        heights = map("{:.1f}".format, (95 - 90 * (np.sort(numbers) - low) / (high - low)).tolist())
        pairs = map("{} {}".format, _places(len(numbers)), heights)
        return "M" + "L".join(pairs) if joined else "M" + "h0M".join(pairs) + "h0"

    line = "" if others is None else Markup('<path class="other" d="{}"/>').format(path(others, True))
    q = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    words = f"{title} by user: {q[0]:.3f} to {q[4]:.3f}, half of them between {q[1]:.3f} and {q[3]:.3f}"
    return Markup(
        '<figure class="spread"><figcaption>{}<span class="dim"> median {}</span></figcaption>'
        '<svg viewBox="0 0 200 100" role="img" aria-label="{}"><path class="axis" d="M0 95H200M0 5H200"/>{}'
        '<path class="users" d="{}"/></svg>'
        '<p class="ends"><span>{} to {}</span></p></figure>'
    ).format(title, f"{q[2]:.3f}", words, line, path(values, False), f"{low:.2f}", f"{high:.2f}")


TEMPLATES = Path(__file__).parent / "templates"
ASSETS = Path(__file__).parent / "assets"


def environment() -> Environment:
    """Return the template environment: escaping always on, undefined names refused."""
    made = pages.environment(TEMPLATES)
    made.globals["estimate"] = estimate
    made.filters.update(plain=plain, link=link, number=shown_number, counted=counted)
    return made


def link(text: str) -> Markup:
    """Return a link if ``text`` is an http or https address, else the text itself, escaped."""
    address = web_link(text)
    shown = escape(plain(text, 120))
    if address is None:
        return Markup(shown)
    return Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>').format(address, shown)


def shown_number(value: float) -> str:
    """Return three decimals, nothing for a missing number."""
    return number(value) if math.isfinite(value) else ""


def embedded(value: Any) -> Markup:
    """Return JSON for a script element: no character in it ends the element or is markup."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
