"""The figures of the page: matplotlib in the style of the reproduced figures, as SVG that is part of the page."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import MaxNLocator

from benchmark import statistics
from benchmark.metrics import Metric, get
from benchmark.output import figure_style as style
from benchmark.output.figure_style import Drawing, Picture
from benchmark.output.units import number
from benchmark.report.reading import Curve
from benchmark.report.variance import Line
from benchmark.scores.results import Results
from benchmark.statistics.variance import PARTS
from tasks.types import Floats

BETTER, WORSE = style.COLOURS[0], style.COLOURS[1]
"""Blue and vermilion; which side of 0 a value lies on says the same."""

_HATCHES = ("", "//", "\\\\", "xx")
_NAME = 26
"""Characters of a simulator's name in a figure."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A figure of the page: caption, words for those who do not see it, SVG, family of its metric if it has one."""

    caption: str
    words: str
    svg: Markup
    family: str
    drawing: Drawing


def plot(name: str, caption: str, words: str, picture: Picture, family: str = "", width: float = style.WIDTH) -> Plot:
    """Draw a figure; ``name`` is unique on the page: identifiers within the figure begin with it."""
    drawing = Drawing(picture, width=width)
    with style.drawn(drawing) as canvas:
        file = io.BytesIO()
        canvas.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return Plot(caption, words, inline(file.getvalue().decode("utf-8"), name, words), family, drawing)


def inline(svg: str, name: str, words: str) -> Markup:
    """Return a file of matplotlib's as an element of a page that follows the page's colours and width.

    Its texts are drawn as paths, so nothing in it was written by anybody else. ``name`` is put before every identifier,
    so that those of two figures differ; ``words`` are the figure's label.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL)
    box = re.search(r'viewBox="([-0-9. ]+)"', body)
    assert box is not None, "matplotlib writes a viewBox"
    body = body[body.index(">") + 1 :]
    body = re.sub(r'(<image\b[^>]*?) id="[^"]*"', r"\1", body)  # the same picture twice would have one identifier
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(xlink:)?href="#', f'href="#{name}-', body)
    body = body.replace("url(#", f"url(#{name}-").replace(style.INK, "currentColor")
    body = re.sub(r"\s*\n\s*", "\n", body)
    head = Markup('<svg class="plot" viewBox="{}" role="img" aria-label="{}">').format(box[1], words)
    return head + Markup(body)  # matplotlib's own marks: paths and numbers


def _short(name: str) -> str:
    """Return a name that fits the margin of a figure; no character of it is taken for mathematics."""
    text = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    return text.replace("$", r"\$")


@dataclass(frozen=True, slots=True)
class Intervals:
    """Means with 95 % intervals (NaN where there are none), a line per simulator; the reference by its index."""

    metric: Metric
    names: tuple[str, ...]
    means: tuple[float, ...]
    ends: tuple[tuple[float, float], ...]
    reference: int | None

    @property
    def height(self) -> float:
        """Centimetres."""
        return 1.2 + 0.42 * len(self.names)

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas."""
        axes = canvas.subplots()
        for i, (mean, (low, high)) in enumerate(zip(self.means, self.ends, strict=True)):
            own = i == self.reference
            colour = style.INK if own else BETTER
            axes.plot([low, high], [i, i], color=colour, linewidth=1.4, solid_capstyle="butt")
            axes.plot([mean], [i], marker="D" if own else "o", color=colour, markerfacecolor="white" if own else colour)
        if self.reference is not None:
            axes.axvline(self.means[self.reference], color=style.INK, linewidth=0.5, linestyle=(0, (4, 3)), zorder=0)
        axes.set_yticks(range(len(self.names)), [_short(name) for name in self.names])
        axes.set_ylim(len(self.names) - 0.4, -0.6)
        axes.set_xlabel(f"{self.metric.name} {self.metric.arrow}")


@dataclass(frozen=True, slots=True)
class PerUser:
    """Differences from the reference, one per user, a panel per simulator, users sorted."""

    metric: Metric
    names: tuple[str, ...]
    differences: tuple[Floats, ...]

    @property
    def height(self) -> float:
        """Centimetres."""
        return 0.6 + 2.8 * -(-len(self.names) // 2)

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas."""
        grid = canvas.subplots(-(-len(self.names) // 2), 2, sharey=True, squeeze=False)
        sign = 1 if self.metric.higher_is_better else -1
        for axes, name, values in zip(grid.flat, self.names, self.differences, strict=False):
            ordered = np.sort(values)[::-sign]  # best first
            edges = np.arange(len(ordered) + 1)
            for side, colour in ((sign, BETTER), (-sign, WORSE)):
                heights = np.where(np.sign(ordered) == side, ordered, 0.0)
                axes.stairs(heights, edges, fill=True, color=colour, linewidth=0)
            axes.axhline(0, color=style.INK, linewidth=0.6)
            axes.set_title(f"{_short(name)}\n{better(values, self.metric)}", loc="left")
            axes.set_xlim(0, len(ordered))
            axes.set_xticks([])
        for axes in list(grid.flat)[len(self.names) :]:
            axes.set_axis_off()
        canvas.supylabel(f"difference in {self.metric.name}", fontsize=style.TYPE_SIZE)


def better(values: Floats, metric: Metric) -> str:
    """Return how many of the differences that are not 0 as printed are on the better side, and how many are 0."""
    apart = values[np.array([float(number(value)) != 0 for value in values.tolist()], dtype=bool)]
    ahead = np.count_nonzero(apart > 0 if metric.higher_is_better else apart < 0)
    ties = len(values) - len(apart)
    return f"{ahead} of {len(apart)}" + (f", {ties} tied" if ties else "")


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the variance of a mean, a stacked bar per simulator; parts that it does not have are missing."""

    names: tuple[str, ...]
    shares: tuple[dict[str, float], ...]
    words: dict[str, str]

    @property
    def height(self) -> float:
        """Centimetres."""
        return 2.1 + 0.42 * len(self.names)

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas."""
        axes = canvas.subplots()
        left = np.zeros(len(self.names))
        for part, colour, hatch in zip(PARTS, style.COLOURS, _HATCHES, strict=False):
            widths = np.array([100 * share.get(part, 0.0) for share in self.shares])
            if not any(part in share for share in self.shares):
                continue
            look: Any = {"color": colour, "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}
            axes.barh(range(len(self.names)), widths, left=left, height=0.66, label=self.words[part], **look)
            left += widths
        for i, share in enumerate(self.shares):
            if not share:
                axes.text(1, i, "no spread", va="center")
        axes.set_yticks(range(len(self.names)), [_short(name) for name in self.names])
        axes.set_ylim(len(self.names) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xlabel("part of the variance of the mean difference, %")
        canvas.legend(loc="outside upper center", ncols=2)


_PANELS = (
    ("loss", "objective in training, nats"),
    ("valid_score", "validation score, nats"),
    ("valid_kl", "validation KL, nats"),
    ("valid_accuracy", "validation accuracy"),
)


@dataclass(frozen=True, slots=True)
class Training:
    """Training curves of a simulator: a line per trial, a colour and mark per seed."""

    curves: tuple[Curve, ...]
    panels: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, curves: Sequence[Curve]) -> Training:
        """Return the figure of some curves; columns that none of them has are left out."""
        present = [
            (column, title)
            for column, title in _PANELS
            if any(column in curve.columns and np.isfinite(curve.columns[column]).any() for curve in curves)
        ]
        return cls(tuple(curves), tuple(present))

    @property
    def height(self) -> float:
        """Centimetres."""
        return 0.6 + 3.4 * -(-len(self.panels) // 2)

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas."""
        grid = canvas.subplots(-(-len(self.panels) // 2), 2, squeeze=False)
        seeds = list(dict.fromkeys(curve.seed for curve in self.curves))
        for axes, (column, title) in zip(grid.flat, self.panels, strict=False):
            for curve in self.curves:
                if column in curve.columns:
                    self._line(axes, curve, column, seeds.index(curve.seed))
            axes.set_title(title, loc="left")
            axes.set_xlabel("epoch")
            epochs = [float(e) for curve in self.curves for e in curve.columns["epoch"] if np.isfinite(e)]
            if epochs:  # the same in every panel, and a tick is an epoch: half an epoch is none
                axes.set_xlim(min(epochs) - 0.3, max(epochs) + 0.3)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=6))
        for axes in list(grid.flat)[len(self.panels) :]:
            axes.set_axis_off()
        handles, labels = grid.flat[0].get_legend_handles_labels()
        once = dict(zip(labels, handles, strict=True))
        canvas.legend(once.values(), once.keys(), loc="outside upper center", ncols=min(5, len(once)))

    @staticmethod
    def _line(axes: Axes, curve: Curve, column: str, place: int) -> None:
        """Draw one curve; the epoch that is used has a ring."""
        epochs, values = curve.columns["epoch"], curve.columns[column]
        known = np.isfinite(values)
        colour, mark = style.COLOURS[place % 6], style.MARKERS[place % 6]
        look: Any = {"color": colour, "marker": mark, "markersize": 2.2, "linewidth": 0.9}
        axes.plot(epochs[known], values[known], label=f"seed {curve.seed}", **look)
        used = known & (epochs == curve.best)
        axes.plot(epochs[used], values[used], "o", markersize=6, fillstyle="none", color=style.INK, clip_on=False)


def means(found: Results, metric: Metric) -> Intervals | None:
    """Return the picture of a metric's means and intervals, ranked simulators alone; None if none has it."""
    mine = [
        (row.name, row.metrics[metric.name]) for row in found.simulators if row.ranked and metric.name in row.metrics
    ]
    names = tuple(name for name, _ in mine)
    ends = tuple(tuple(math.nan if x is None else x for x in (m.low, m.high)) for _, m in mine)
    reference = names.index(found.reference) if found.reference in names else None
    return Intervals(metric, names, tuple(m.mean for _, m in mine), ends, reference) if mine else None  # type: ignore[arg-type]


def users(found: Results, scores: pd.DataFrame, metric: Metric) -> PerUser | None:
    """Return the picture of every user's difference from the reference; None where nothing is compared."""
    table = statistics.user_means(scores, metric.name) if metric.name in scores.columns else pd.DataFrame()
    ranked = [row.name for row in found.simulators if row.ranked and row.name in table.columns]
    others = tuple(name for name in ranked if name != found.reference)
    if found.reference not in table.columns or not others:
        return None
    return PerUser(metric, others, tuple((table[name] - table[found.reference]).to_numpy() for name in others))


def interval_plot(found: Results, metric: Metric) -> Plot | None:
    """Return the figure of a metric's means with words for those who do not see it."""
    picture = means(found, metric)
    if picture is None:
        return None
    pairs = zip(picture.names, picture.means, strict=True)
    words = f"{metric.name}: " + ", ".join(f"{name} {mean:.3f}" for name, mean in pairs)
    return plot(f"mean-{stem(metric.name)}", metric.name, words, picture, metric.family)


def user_plot(found: Results, scores: pd.DataFrame, metric: Metric) -> Plot | None:
    """Return the figure of every user's difference from the reference with words for those who do not see it."""
    picture = users(found, scores, metric)
    if picture is None:
        return None
    pairs = zip(picture.names, picture.differences, strict=True)
    counts = ", ".join(f"{name} {better(v, metric)}" for name, v in pairs)
    words = f"{metric.name}: users for whom a simulator is better than {found.reference}: {counts}"
    return plot(f"users-{stem(metric.name)}", f"{metric.name} {metric.arrow}", words, picture, metric.family)


def parts(lines: Sequence[Line]) -> Shares:
    """Return the picture of the parts of variance of the differences in one metric."""
    shares = tuple({k: v for k, v in line.found.shares.items() if np.isfinite(v)} for line in lines)
    words = {part.name: part.shown for line in lines for part in line.found.parts}
    return Shares(tuple(line.simulator for line in lines), shares, words)


def variance_plot(metric: str, lines: Sequence[Line]) -> Plot:
    """Return the figure of the parts of variance with words for those who do not see it."""
    picture = parts(lines)
    told = "; ".join(
        f"{name} " + ", ".join(f"{part} {100 * share:.0f} %" for part, share in one.items())
        for name, one in zip(picture.names, picture.shares, strict=True)
    )
    return plot(f"variance-{stem(metric)}", metric, told, picture, get(metric).family)


def training_plot(number: int, simulator: str, curves: Sequence[Curve]) -> Plot | None:
    """Return the figure of a simulator's training curves, None if they hold nothing that is drawn."""
    picture = Training.of(curves)
    if not picture.panels:
        return None
    words = f"Training curves of {simulator}: {len(curves)} trials, " + ", ".join(title for _, title in picture.panels)
    return plot(f"curves-{number}", simulator, words, picture)


def stem(metric: str) -> str:
    """Return a metric's name as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "", metric).lower()
