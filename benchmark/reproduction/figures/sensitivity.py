"""Figure 5: how a method's scores move with one setting at a time, all others at their defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, ClassVar

import pandas as pd
from matplotlib.figure import Figure as Canvas
from msgspec import Meta

from benchmark.metrics import get
from benchmark.output import figure_style as style
from benchmark.output.units import number
from benchmark.published import SIMULATORS
from benchmark.reproduction.figures.base import Figure, FigureLayout, LoadTask
from benchmark.reproduction.groups import Choice, Found, Group, Missing, Varied, groups_of, spelt
from benchmark.reproduction.provenance import checkpoints, notes, settings_of, short_notice
from benchmark.reproduction.section import Names, Text
from benchmark.reproduction.table import within_range
from benchmark.scores.results import SimulatorResult
from benchmark.statistics import compare_pairs
from benchmark.statistics.clusters import ScoreCube
from benchmark.statistics.statistic import known
from tasks.errors import InputError

_WHERE = ("backbone", "operator", "used_backbone", "used_operator", "shown")

Numbers = Annotated[tuple[int | float, ...], Meta(min_length=1)]


@dataclass(frozen=True, slots=True)
class Steps:
    """How a setting is varied; its default is a point of the curve whether it is named here or not."""

    label: Text
    values: Numbers
    quick: Numbers


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one setting on one metric, and what is written of it as data.

    Attributes:
        setting: Its name as the user knows it.
        default: The value of the method as it is, whose trials are those of the tables.
        low: Lower end of the 95 % interval over users; ``high`` is the upper one.
        seed_sd: SD over seeds, None for one seed.
        difference: Mean over users minus that at the default; ``difference_low`` and ``difference_high`` are the ends
            of its 95 % interval, paired over users.
        trials: Identities of the runs.
        label: What the setting is called in print; ``shown``, what backbone and operator are.
    """

    backbone: str
    operator: str
    used_backbone: str
    used_operator: str
    setting: str
    value: float
    default: bool
    metric: str
    mean: float
    low: float | None
    high: float | None
    seed_sd: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    trials: tuple[str, ...]
    label: str
    shown: tuple[str, str]

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference from the default leaves 0 out."""
        low, high = self.difference_low, self.difference_high
        return low is not None and high is not None and (low > 0 or high < 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity(FigureLayout):
    """A curve per backbone, a column per setting, a row per metric."""

    simulator: str
    metrics: Names
    varied: Annotated[Mapping[str, Steps], Meta(min_length=1)]

    KIND: ClassVar[str] = "sensitivity"

    def __post_init__(self) -> None:
        self.check([self.simulator], self.metrics)

    def groups(self, choice: Choice) -> list[Group]:
        """Return the method as it is and with one setting moved; the preset quick takes the first backbone alone."""
        if choice.quick:
            first = [name for name in self.backbones if name in choice.backbones][:1]
            choice = replace(choice, backbones={name: choice.backbones[name] for name in first})
        found = groups_of(self, choice)
        for setting, steps in self.varied.items():
            for value in steps.quick if choice.quick else steps.values:
                found += groups_of(self, choice, Varied(self.simulator, setting, value))
        return found

    def points(self, found: Sequence[Found]) -> list[Point]:
        """Return the points of all curves, by backbone, operator, setting, metric and value.

        Groups whose other simulators alone are complete are left out.
        """
        found = [f for f in found if self.simulator in f.identities]
        points = []
        for backbone, operator in dict.fromkeys((f.group.backbone, f.group.operator) for f in found):
            block = [f for f in found if (f.group.backbone, f.group.operator) == (backbone, operator)]
            base = next((f for f in block if f.group.varied is None), None)
            for setting in self.varied:
                moved = [f for f in block if f.group.varied is not None and f.group.varied.setting == setting]
                by_value = {self._setting(f, setting): f for f in [*moved, *([] if base is None else [base])]}
                points += [
                    self._point(by_value[value], base, setting, value, metric)
                    for metric in self.metrics
                    for value in sorted(by_value)
                    if metric in _row(by_value[value], self.simulator).metrics
                ]
        return points

    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return the one figure."""
        found = [f for f in found if self.simulator in f.identities]
        points = self.points(found)
        if not points:
            return []
        first = found[0].results
        seeds = ", ".join(map(str, first.seeds))
        users = f"{first.n_sessions} test sessions of {first.n_users} users"
        captions = [
            *notes(found, [one for one in missing if one.simulator == self.simulator], SIMULATORS),
            f"{SIMULATORS.get(self.simulator, self.simulator)} with one setting moved at a time, all others as in the "
            "tables (dotted line).",
            f"{first.task} {first.version}, split {first.split}: {users}; seeds {seeds}.",
            "Mean over users of the mean over seeds; bars: SD over seeds. Filled: the 95 % interval of the difference "
            "from the default, paired over users, leaves 0 out (uncorrected); open: it does not, or it is the default.",
            *checkpoints(found),
        ]
        curves = dict.fromkeys(point.shown for point in points)
        return [
            Figure(
                name=self.named(),
                kind=self.KIND,
                title=self.title,
                captions=tuple(dict.fromkeys(captions)),
                headers=("backbone", "operator", "setting", "value", *(f"{m}{get(m).arrow}" for m in self.metrics)),
                summary=tuple(
                    _summary(points, curve, step, self.metrics)
                    for curve in curves
                    for step in dict.fromkeys((p.label, p.value) for p in points if p.shown == curve)
                ),
                records=tuple(
                    {name: value for name, value in asdict(point).items() if name not in ("label", "shown")}
                    for point in points
                ),
                digests={f.results.task: f.results.digest for f in found},
                identities={_named(f, self.simulator): f.identities[self.simulator] for f in found},
                picture=Curves(tuple(points), self.metrics),
                notice=short_notice(found[0]),
                settings={_named(f, self.simulator): settings_of(f, self.simulator) for f in found},
            )
        ]

    def _setting(self, found: Found, setting: str) -> float:
        """Return the value that a setting had in a run."""
        value = _row(found, self.simulator).settings.get(setting)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InputError(f"the setting {setting} of {self.simulator} is {value!r}; a figure needs a number.")
        return value

    def _point(self, found: Found, base: Found | None, setting: str, value: float, metric: str) -> Point:
        result = _row(found, self.simulator).metrics[metric]
        lowest, highest = within_range(metric, result.low, result.high)
        difference = low = high = None
        if base is not None and found is not base:
            difference, low, high = self._difference(found, base, metric)
        return Point(
            **{name: getattr(found.group, name) for name in _WHERE},
            setting=spelt(setting),
            label=self.varied[setting].label,
            value=value,
            default=found is base,
            metric=metric,
            mean=result.mean,
            low=lowest,
            high=highest,
            seed_sd=result.seed_sd,
            difference=difference,
            difference_low=low,
            difference_high=high,
            trials=found.identities[self.simulator],
        )

    def _difference(self, found: Found, base: Found, metric: str) -> tuple[float, float | None, float | None]:
        """Return the difference from the default and its interval over users and, where they repeat, screens."""
        named = {"this": found.scores, "default": base.scores}
        own = [one[one["simulator"] == self.simulator].assign(simulator=name) for name, one in named.items()]
        pair = ("this", "default")
        compared = compare_pairs(ScoreCube(pd.concat(own)).session_means(metric), [pair], n_resamples=0)[pair]
        return compared.mean_difference, known(compared.low), known(compared.high)


@dataclass(frozen=True, slots=True)
class Curves:
    """The picture."""

    points: tuple[Point, ...]
    metrics: tuple[str, ...]

    @property
    def height(self) -> float:
        """Height in centimetres."""
        return 2.9 * len(self.metrics) + 1.4

    def draw(self, canvas: Canvas) -> None:
        """Draw a panel per metric and setting."""
        labels = {point.setting: point.label for point in self.points}
        curves = list(dict.fromkeys(point.shown for point in self.points))
        panels = canvas.subplots(len(self.metrics), len(labels), sharey="row", sharex="col", squeeze=False)
        for row, metric in enumerate(self.metrics):
            for column, setting in enumerate(labels):
                axes = panels[row][column]
                mine = [p for p in self.points if p.metric == metric and p.setting == setting]
                _panel(axes, mine, curves)
                if column == 0:
                    axes.set_ylabel(f"{metric} {get(metric).arrow}")
                if row == len(self.metrics) - 1:
                    axes.set_xlabel(labels[setting])
        handles, names = [], []
        for index, curve in enumerate(curves):
            (line,) = panels[0][0].plot([], [], color=_colour(index), marker=_marker(index))
            handles.append(line)
            names.append(" ".join(curve) if len({c[1] for c in curves}) > 1 else curve[0])
        canvas.legend(handles, names, loc="outside upper center", ncols=min(2, len(names)))


def _panel(axes: Any, points: Sequence[Point], curves: Sequence[tuple[str, str]]) -> None:
    """Draw the curves of one panel; values are at equal steps, since they grow by factors."""
    values = sorted({point.value for point in points})
    for value in sorted({point.value for point in points if point.default}):
        axes.axvline(values.index(value), color="0.6", linestyle=":", linewidth=0.8, zorder=0)
    for index, curve in enumerate(curves):
        mine = [point for point in points if point.shown == curve]
        aside = 0.14 * (index - (len(curves) - 1) / 2)  # bars of two curves next to each other
        at = [values.index(point.value) + aside for point in mine]
        axes.plot(at, [point.mean for point in mine], color=_colour(index), zorder=2)
        for x, point in zip(at, mine, strict=True):
            axes.errorbar(
                x,
                point.mean,
                yerr=point.seed_sd,
                color=_colour(index),
                marker=_marker(index),
                markerfacecolor=_colour(index) if point.differs else "white",
                elinewidth=0.7,
                capsize=1.5,
                zorder=3,
            )
    axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
    axes.set_xlim(-0.4, len(values) - 0.6)
    axes.locator_params(axis="y", nbins=4)


def _colour(index: int) -> str:
    return style.COLOURS[index % len(style.COLOURS)]


def _marker(index: int) -> str:
    return style.MARKERS[index % len(style.MARKERS)]


def _row(found: Found, simulator: str) -> SimulatorResult:
    return next(row for row in found.results.simulators if row.name == simulator)


def _named(found: Found, simulator: str) -> str:
    """Return what a group is called in the list of identities."""
    varied = found.group.varied
    moved = "" if varied is None else f", {spelt(varied.setting)} = {varied.value:g}"
    return f"{found.group.backbone}, {found.group.operator}, {simulator}{moved}"


def _summary(
    points: Sequence[Point], curve: tuple[str, str], step: tuple[str, float], metrics: Sequence[str]
) -> tuple[str, ...]:
    mine = {p.metric: p for p in points if p.shown == curve and (p.label, p.value) == step}
    default = any(point.default for point in mine.values())
    spread = {m: "" if p.seed_sd is None else f" ± {number(p.seed_sd)}" for m, p in mine.items()}
    cells = [number(mine[metric].mean) + spread[metric] if metric in mine else "" for metric in metrics]
    return (*curve, step[0], f"{step[1]:g}{' (default)' if default else ''}", *cells)
