"""Numbers and bars of the pages, the figure of a task's slots, and the template environment."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment
from markupsafe import Markup, escape
from matplotlib.figure import Figure as Canvas
from PIL import Image, ImageDraw

from benchmark.output import drawing, pages
from benchmark.output import figure_style as style
from benchmark.output.text import plain, web_link
from benchmark.output.units import counted, number
from benchmark.report.figures import Plot, plot
from leaderboard.columns import BoardCell
from leaderboard.context import SlotShares


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


@dataclass(frozen=True, slots=True)
class SlotBars:
    """Shares per slot as bars, where the slots are not at one place in all sessions."""

    slots: SlotShares
    height: float = 5.0

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas."""
        axes, at = canvas.subplots(), np.arange(len(self.slots.labels))
        for side, name, shares in ((-0.2, "gaze", self.slots.gaze), (0.2, "clicks", self.slots.clicks)):
            axes.bar(at + side, 100 * np.array(shares), 0.4, color=_COLOURS[name], label=name)
        there = 100 * np.array(self.slots.sessions) / max(self.slots.sessions)
        axes.step(at, there, where="mid", color=style.INK, linewidth=0.8, label="sessions that have the slot")
        axes.set_xticks(at, self.slots.labels)
        axes.set(xlabel="slot", ylabel="%")
        canvas.legend(loc="outside upper center", ncols=3)


_COLOURS = {"gaze": drawing.GAZE, "clicks": drawing.CLICKS}


def slot_plot(slots: SlotShares, name: str) -> Plot:
    """Return the mean shares per slot: over the screen where all sessions have the same slots, else as bars."""
    shares = {"gaze": np.array(slots.gaze), "clicks": np.array(slots.clicks)}
    said = ("mean share of dwell per slot", "share of sessions per slot, of those that have it")
    titles = dict(zip(shares, said, strict=True))
    words = "; ".join(
        f"{what}, {titles[what]}: " + ", ".join(f"{plain(a)} {b:.0%}" for a, b in zip(slots.labels, each, strict=True))
        for what, each in shares.items()
    )
    caption = "; ".join(f"{what}: {title}" for what, title in titles.items())
    if not slots.boxes:
        return plot(f"slots-{name}", caption, words, SlotBars(slots), width=drawing.WIDE)
    screen = Image.new("L", slots.size, "white")
    for box in slots.boxes:
        ImageDraw.Draw(screen).rectangle(box, outline=0)
    views = tuple(drawing.View(what, each, _COLOURS[what], every=True) for what, each in shares.items())
    picture = drawing.Panels((drawing.Row(slots.boxes, None, screen, views),), drawing.WIDE)
    return plot(f"slots-{name}", caption, words, picture, width=drawing.WIDE)


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
