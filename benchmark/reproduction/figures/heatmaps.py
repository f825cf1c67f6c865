"""Figure 2a: where people click on the screen, and where simulators with and without eyes do."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from msgspec import Meta

from benchmark.metrics import evaluate_sessions
from benchmark.output import figure_style as style
from benchmark.output.units import number
from benchmark.parts.answer import choice
from benchmark.reproduction.checkpoints import is_stand_in
from benchmark.reproduction.figures.base import Figure, FigureLayout, LoadTask
from benchmark.reproduction.groups import Found, Missing
from benchmark.reproduction.provenance import checkpoints, notes, settings_of, short_notice
from benchmark.reproduction.section import Rows, Text
from benchmark.scores import predictions, tested
from benchmark.simulator import Floats, Prediction
from tasks.errors import InputError
from tasks.task import Task
from tasks.types import Session

HUMANS = "humans"


@dataclass(frozen=True, slots=True)
class Clicks:
    """The share of people's or one simulator's clicks per slot, shape (K,), and how many of all clicks it counts."""

    name: str
    label: str
    shares: Floats
    answered: int
    asked: int
    trials: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmaps(FigureLayout):
    """A map of people's clicks and one per simulator; a figure per backbone and operator."""

    humans: Text
    rows: Rows
    columns: Annotated[int, Meta(ge=1)]

    KIND: ClassVar[str] = "heatmaps"

    def __post_init__(self) -> None:
        self.check(self.rows)

    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return a figure per backbone and operator."""
        return [self._figure(f, load_task(self.task), [m for m in missing if m.group is f.group]) for f in found]

    def _figure(self, found: Found, task: Task, missing: Sequence[Missing]) -> Figure:
        sessions = tested.of_task(task, found.results.split).sessions
        k = self._slots(sessions)
        people = np.bincount([s.click for s in sessions], minlength=k) / len(sessions)
        maps = [Clicks(HUMANS, self.humans, people, len(sessions), len(sessions))]
        for simulator, label in self.rows.items():
            said = predictions.chosen(found.predictions, simulator=simulator)
            rows = [row for row in predictions.rows_of(said) if row.target != "label"]
            if rows:
                maps.append(_clicks(simulator, label, rows, k, found.identities.get(simulator, ())))
        distances = [divergence(one.shares, people) for one in maps]
        noise = (k - 1) / (4 * len(sessions))
        captions = [
            *notes([found], missing, self.rows, operators=False),
            f"Share of the clicks per slot, in percent: {self.task} {task.version}, split {found.results.split}, "
            f"{len(sessions)} test sessions of {len({s.user for s in sessions})} users; "
            f"simulators over seeds {', '.join(map(str, found.results.seeds))}.",
            "JS: Jensen-Shannon divergence from the human map, nats. Two samples of this many clicks on "
            f"{k} slots from one and the same distribution differ by about {noise:.3f}.",
            *(
                f"{one.label}: {one.asked - one.answered} of {one.asked} without an answer."
                for one in maps[1:]
                if one.answered < one.asked
            ),
            *uninformative(maps[1:], noise, stand_in=is_stand_in(found.group.used_backbone)),
            *checkpoints([found]),
        ]
        several = len(self.operators) > 1
        name = self.named(found.group.backbone, found.group.operator if several else "")
        return Figure(
            name=name,
            kind=self.KIND,
            title=f"{self.title}: {found.group.shown[0]}",
            captions=tuple(captions),
            headers=("clicks of", "JS to humans", "largest share", "smallest share", "clicks"),
            summary=tuple(
                (
                    one.label,
                    "" if one.name == HUMANS else number(distance),
                    f"{one.shares.max():.1%}",
                    f"{one.shares.min():.1%}",
                    str(one.answered),
                )
                for one, distance in zip(maps, distances, strict=True)
            ),
            records=tuple(
                {
                    "backbone": found.group.backbone,
                    "used_backbone": found.group.used_backbone,
                    "clicks_of": one.name,
                    "label": one.label,
                    "slot": slot,
                    "row": slot // self.columns,
                    "column": slot % self.columns,
                    "share": float(share),
                    "clicks": one.answered,
                    "trials": one.trials,
                }
                for one in maps
                for slot, share in enumerate(one.shares)
            ),
            digests={found.results.task: found.results.digest},
            identities={one.name: one.trials for one in maps[1:]},
            picture=Maps(tuple(maps), tuple(distances), self.columns),
            notice=short_notice(found, operators=False),
            settings={one.name: settings_of(found, one.name) for one in maps[1:]},
        )

    def _slots(self, sessions: Sequence[Session]) -> int:
        """Return K, which must be the same in all sessions and fill the rows."""
        counts = {len(s.slots) for s in sessions}
        if len(counts) != 1 or (k := min(counts)) % self.columns:
            found = ", ".join(map(str, sorted(counts)))
            raise InputError(
                f"figure {self.name} draws {self.columns} slots a row, but the sessions of {self.task} have {found} "
                "slots; choose another task or 'columns' in its layout."
            )
        return k


def _clicks(simulator: str, label: str, rows: Sequence[Prediction], k: int, trials: tuple[str, ...]) -> Clicks:
    """Count what a simulator clicks: its answers, and where it gives none its likeliest slots, ties in equal parts."""
    counts, answered = np.zeros(k), 0
    for row in rows:
        chosen = choice(row.answer, row.probabilities, k)
        if chosen is not None:
            counts += chosen
            answered += 1
    return Clicks(simulator, label, counts / max(1, answered), answered, len(rows), trials)


def divergence(a: Floats, b: Floats) -> float:
    """Return the Jensen-Shannon divergence of two shares, nats; NaN where one of them is all 0."""
    if not (a.sum() > 0 and b.sum() > 0):
        return float("nan")
    return float(evaluate_sessions([b], [0], attention=[a], metrics=["JS"])["JS"].iloc[0])


def uninformative(maps: Sequence[Clicks], noise: float, *, stand_in: bool) -> list[str]:
    """Return captions on simulators' maps that are as good as even, and on those that look the same.

    Two samples of one distribution differ by about ``noise``, JS in nats.
    """
    lines = []
    even = [(one.label, divergence(one.shares, np.full(len(one.shares), 1 / len(one.shares)))) for one in maps]
    even = [(label, distance) for label, distance in even if distance < noise]
    if even:
        names, distances = " and ".join(label for label, _ in even), ", ".join(number(js) for _, js in even)
        of_stand_in = "; on a stand-in that says nothing of published models" if stand_in else ""
        lines.append(f"{names}: not distinguishable from even clicks on all slots (JS {distances}){of_stand_in}.")
    for one, other in itertools.combinations(maps, 2):
        if np.array_equal(np.round(100 * one.shares), np.round(100 * other.shares)):
            lines.append(f"{one.label} and {other.label}: the same to the percent in every slot.")
    return lines


@dataclass(frozen=True, slots=True)
class Maps:
    """The picture: clicks, people first, and the JS of each from theirs."""

    clicks: tuple[Clicks, ...]
    distances: tuple[float, ...]
    columns: int

    @property
    def height(self) -> float:
        """Height in centimetres."""
        lines = -(-len(self.clicks) // 2)
        rows = len(self.clicks[0].shares) // self.columns
        return 1.6 + lines * (0.9 + max(1.0, 0.72 * rows))

    def draw(self, canvas: Canvas) -> None:
        """Draw two maps a line, all on one scale."""
        panels = canvas.subplots(-(-len(self.clicks) // 2), min(2, len(self.clicks)), squeeze=False)
        scale = Normalize(0.0, 100 * max(float(one.shares.max()) for one in self.clicks))
        for axes in panels.flat[len(self.clicks) :]:
            axes.set_axis_off()
        image: Any = None
        for axes, one, distance in zip(panels.flat, self.clicks, self.distances, strict=False):
            grid = 100 * one.shares.reshape(-1, self.columns)
            image = axes.imshow(grid, norm=scale, cmap=style.SHARES, aspect="auto")
            for (row, column), share in np.ndenumerate(grid):
                shade = style.contrast(colormaps[style.SHARES](scale(share)))
                axes.text(column, row, f"{share:.0f}", ha="center", va="center", color=shade)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            far = "" if one.name == HUMANS else f"\nJS {number(distance)}"
            axes.set_title(f"{one.label}{far or f'{chr(10)}n = {one.answered}'}")
        bar = canvas.colorbar(image, ax=panels, location="bottom", aspect=40, fraction=0.05, pad=0.03)
        bar.outline.set_visible(False)
        bar.set_label("share of clicks, %")
