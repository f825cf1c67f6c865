"""The figure of the front page: attention against clicks, better up and to the right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from benchmark.metrics import Metric, get
from benchmark.metrics.families import headlines
from benchmark.output import figure_style as style
from benchmark.output.text import plain
from benchmark.output.units import number
from benchmark.report.figures import Plot, plot
from leaderboard.board_documents import order
from leaderboard.columns import RankedTable
from tasks.types import Floats

MOST = 15
"""Points of a figure; of more lines the best by either metric are drawn."""
_NUMBER = (0.05, 0.05)
"""Share of the horizontal and of the vertical axis that a written number takes."""


@dataclass(frozen=True, slots=True)
class Map:
    """A numbered point per simulator with its intervals; cross-hairs are the prior and people.

    Attributes:
        metrics: Of the horizontal and of the vertical axis.
        ends: Low end, mean and high end of each point on both, shape (points, 2, 3).
        hairs: Name of a cross-hair -> its values; NaN where the board does not hold it.
    """

    metrics: tuple[Metric, Metric]
    ends: Floats
    hairs: dict[str, tuple[float, float]]

    @property
    def height(self) -> float:
        """Centimetres."""
        return 7.0

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas."""
        axes = canvas.subplots()
        x, y = self.ends[:, 0], self.ends[:, 1]
        known = [np.nan_to_num(part, nan=0.0) for part in (x[:, 1:2] - x, y[:, 1:2] - y)]
        errors = [np.abs(part[:, [0, 2]]).T for part in known]
        axes.errorbar(
            x[:, 1], y[:, 1], xerr=errors[0], yerr=errors[1], fmt="none", ecolor=style.COLOURS[5], elinewidth=0.7
        )
        axes.plot(x[:, 1], y[:, 1], "o", color=style.COLOURS[0])
        limits = [self._limits(axis) for axis in (0, 1)]
        axes.set(xlim=limits[0], ylim=limits[1])
        self._number(axes, np.array(limits))
        across, up = (
            f"{metric.name} {metric.arrow}, better {side}" for metric, side in zip(self.metrics, "→↑", strict=True)
        )
        axes.set(xlabel=across, ylabel=up)
        for (name, values), line, ink in zip(
            self.hairs.items(), ("--", ":"), (style.INK, style.COLOURS[1]), strict=True
        ):
            self._hair(axes, name, values, line, ink)

    def _number(self, axes: Any, limits: Floats) -> None:
        """Write the numbers of the points; those that would cover each other share a list, at the first one's point."""
        places = (self.ends[:, :, 1] - limits[:, 0]) / np.diff(limits).T[0]
        lists: list[list[int]] = []
        for point in range(len(places)):
            new = [point]
            while met := next((said for said in lists if _meet(places, said, new)), None):
                lists.remove(met)
                new = sorted(met + new)
            lists.append(new)
        for said in lists:
            text, at = ", ".join(str(point + 1) for point in said), self.ends[said[0], :, 1].tolist()
            left = places[said[0], 0] + _NUMBER[0] * len(said) > 1.05
            axes.annotate(text, at, (3 - 6 * left, 3), textcoords="offset points", ha="right" if left else "left")

    def _limits(self, axis: int) -> tuple[float, float]:
        """Return the ends of an axis, the better one last: those of points and prior, with a margin."""
        shown = np.append(self.ends[:, axis].ravel(), next(iter(self.hairs.values()))[axis])
        low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
        margin = 0.06 * (high - low) or 0.5
        ends = low - margin, high + margin
        return ends if self.metrics[axis].higher_is_better else ends[::-1]

    def _hair(self, axes: Any, name: str, values: tuple[float, float], line: str, ink: str) -> None:
        """Draw a cross-hair; where it leaves the figure an arrow says to which side and its value."""
        for value, across, limits in zip(values, (True, False), (axes.get_xlim(), axes.get_ylim()), strict=True):
            part = (value - limits[0]) / (limits[1] - limits[0])
            at, turn = axes.transAxes, 90 if across else 0
            if 0 <= part <= 1:
                (axes.axvline if across else axes.axhline)(value, color=ink, linestyle=line, linewidth=0.8, zorder=0)
                right = across or self._free(part, axes.get_xlim(), limits)
                place = (part, 0.02) if across else (0.98 if right else 0.02, part)
                axes.text(
                    *place, name, transform=at, color=ink, rotation=turn, ha="right" if right else "left", va="bottom"
                )
            elif not math.isnan(value):
                said = (
                    f"{name} {number(value)} " + ("→" if across else "↑") if part > 1 else f"← {name} {number(value)}"
                )
                place = (float(part > 1), 1.0) if across else (0.02, 0.93)
                axes.text(
                    *place, said, transform=at, color=ink, ha="right" if across and part > 1 else "left", va="bottom"
                )

    def _free(self, height: float, *limits: tuple[float, float]) -> bool:
        """Return whether the right end of a line at this height has no more points next to it than the left end."""
        ends = np.array(limits)
        x, y = ((self.ends[:, :, 1] - ends[:, 0]) / np.diff(ends).T[0]).T
        level = np.abs(y - height) < 2 * _NUMBER[1]
        return bool((level & (x > 0.8)).sum() <= (level & (x < 0.2)).sum())


def _meet(places: Floats, one: list[int], other: list[int]) -> bool:
    """Return whether two lists of numbers, each written to the right of its first point, cover each other."""
    a, b = (places[said[0]] for said in (one, other))
    wide, high = _NUMBER
    return bool(-wide * len(one) < a[0] - b[0] < wide * len(other) and abs(a[1] - b[1]) < high)


def front(view: RankedTable, name: str) -> tuple[Plot, Sequence[int]] | None:
    """Return the figure of a table, and the lines that its numbers stand for; None without a line that has both."""
    table, ranking = view.table, view.ranking
    attention, click = (get(metric) for metric in headlines())
    columns = [table.metric_index(metric.name) for metric in (click, attention)]
    both = [i for i, row in enumerate(table.rows) if row.ranked and not np.isnan(ranking.mean[i, columns]).any()]
    if not both:
        return None
    best = [[i for i in order(view, metric.name) if i in both] for metric in (attention, click)]
    lines = sorted(
        set(list(dict.fromkeys(i for pair in zip(*best, strict=True) for i in pair))[:MOST]), key=best[0].index
    )
    ends = np.stack([x[np.ix_(lines, columns)] for x in (ranking.low, ranking.mean, ranking.high)], axis=2)

    def values(names: tuple[str, str]) -> tuple[float, float]:
        rows = [table.find(one) for one in names]
        found = [math.nan if i is None else float(ranking.mean[i, j]) for i, j in zip(rows, columns, strict=True)]
        return found[0], found[1]

    hairs = {"prior": values((click.prior, attention.prior))}
    hairs["people"] = values((click.human_reference, attention.human_reference))
    words = f"{attention.name} against {click.name}: " + ", ".join(
        f"{plain(table.rows[i].name, 40)} {number(up)} and {number(right)}"
        for i, (right, up) in zip(lines, ends[:, :, 1].tolist(), strict=True)
    )
    return plot(f"front-{name}", "", words, Map((click, attention), ends, hairs)), lines
