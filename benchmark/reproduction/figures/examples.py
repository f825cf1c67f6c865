"""Figures 6-7: screens with the backbone's attention, human gaze and the tuned simulator's attention side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta

from benchmark.output import figure_style as style
from benchmark.output.drawing import ATTENTION_COLOUR, GAZE_COLOUR
from benchmark.output.units import number
from benchmark.reproduction.figures.base import Figure, FigureLayout, LoadTask
from benchmark.reproduction.groups import Found, Missing
from benchmark.reproduction.provenance import checkpoints, notes, settings_of, short_notice
from benchmark.reproduction.section import Text
from benchmark.scores import predictions
from benchmark.simulator import Floats
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from PIL.Image import Image

    from tasks.task import Task
    from tasks.types import Session

HUMANS = "human gaze"
NAMED = 3
"""So many of a panel's largest shares are written into their slots."""

PIXELS = 480
"""A screen is embedded at most this wide: half as much again as 300 dpi show at a third of a column."""


@dataclass(frozen=True, slots=True)
class View:
    """One panel: a screen with a share per slot, shape (K,), of sum 1, and its KL from the gaze (None for the gaze)."""

    source: str
    shares: Floats
    kl: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """One line of panels; ``quantile`` is that of its gain, None where the layout names the session."""

    session: Session
    screen: Image
    quantile: float | None
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples(FigureLayout):
    """Some sessions, a line each; a figure per backbone and operator.

    Attributes:
        rows: The frozen and the tuned simulator -> heading of their columns.
        quantiles: Sessions are those at these quantiles of the gain (KL of the first minus KL of the second): 1 is the
            largest gain, 0.5 the median one. A rule, so that nobody picks what looks well.
        sessions: Ids of sessions to show instead.
    """

    rows: Annotated[Mapping[str, Text], Meta(min_length=2, max_length=2)]
    quantiles: tuple[Annotated[float, Meta(ge=0, le=1)], ...] = ()
    sessions: tuple[str, ...] = ()

    KIND: ClassVar[str] = "examples"

    def __post_init__(self) -> None:
        self.check(self.rows)
        if bool(self.sessions) == bool(self.quantiles):
            raise InputError("'layout' needs either quantiles or sessions.")

    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return a figure per backbone and operator with both simulators."""
        whole = [f for f in found if set(self.rows) <= set(f.identities)]
        return [self._figure(one, load_task(self.task)) for one in whole]

    def _figure(self, found: Found, task: Task) -> Figure:
        views = {name: _views(found, name) for name in self.rows}
        chosen = self._chosen(views)
        frozen, tuned = self.rows
        examples = []
        for session_id, quantile in chosen:
            session = task.find(session_id)
            if session.image is None:
                raise InputError(
                    f"figure {self.name} needs screens, but {task.name} was prepared without images; prepare it again."
                )
            shown = (views[frozen][session_id], View(HUMANS, session.gaze, None), views[tuned][session_id])
            examples.append(Example(session, session.image.open(), quantile, shown))
        seed = found.results.seeds[0]
        labels = {**self.rows, HUMANS: HUMANS.capitalize()}
        rule = (
            "Sessions named in the layout."
            if self.sessions
            else f"Sessions at the quantiles {', '.join(f'{q:g}' for q in self.quantiles)} of the gain, KL of "
            f"{self.rows[frozen]} minus KL of {self.rows[tuned]}, among {len(_both(views))} test sessions: a rule, no "
            "selection by eye."
        )
        several = len(self.operators) > 1
        return Figure(
            name=self.named(found.group.backbone, found.group.operator if several else ""),
            kind=self.KIND,
            title=f"{self.title}: {found.group.shown[0]}",
            captions=(
                *notes([found]),
                f"{task.name} {task.version}, split {found.results.split}; operator {found.group.used_operator}, seed "
                f"{seed}, attention for the simulator's own answer. {rule}",
                f"Opacity: root of the share of attention or dwell, one scale per line; the {NAMED} largest shares of "
                "a panel in percent. Outlined: the clicked slot. KL: of the attention from the gaze, nats. Screens are "
                "drawn in grey.",
                *checkpoints([found]),
            ),
            headers=("session", "quantile of the gain", *(f"KL {self.rows[name]}" for name in self.rows)),
            summary=tuple(
                (
                    e.session.session_id,
                    "" if e.quantile is None else f"{e.quantile:g}",
                    *(number(view.kl) for view in e.views if view.kl is not None),
                )
                for e in examples
            ),
            records=tuple(
                {
                    "backbone": found.group.backbone,
                    "used_backbone": found.group.used_backbone,
                    "used_operator": found.group.used_operator,
                    "session_id": e.session.session_id,
                    "user": e.session.user,
                    "screen": e.session.screen,
                    "quantile": e.quantile,
                    "source": view.source,
                    "seed": None if view.source == HUMANS else seed,
                    "slot": slot,
                    "label": e.session.slots[slot].label,
                    "share": float(share),
                    "clicked": slot == e.session.click,
                    "kl": view.kl,
                    "trials": found.identities.get(view.source, ()),
                }
                for e in examples
                for view in e.views
                for slot, share in enumerate(view.shares)
            ),
            digests={found.results.task: found.results.digest},
            identities={name: found.identities[name] for name in self.rows},
            picture=Screens(tuple(examples), labels),
            notice=short_notice(found),
            settings={name: settings_of(found, name) for name in self.rows},
        )

    def _chosen(self, views: Mapping[str, Mapping[str, View]]) -> list[tuple[str, float | None]]:
        """Return the sessions to show, each with its quantile."""
        both = _both(views)
        for name in self.sessions:
            if name not in both:
                raise unknown_name(f"test session in the layout {self.name}:", name, sorted(both))
        if self.sessions:
            return [(name, None) for name in self.sessions]
        if not both:
            raise InputError(f"figure {self.name}: no session has attention of both {' and '.join(self.rows)}.")
        frozen, tuned = (views[name] for name in self.rows)
        gains = sorted(((frozen[i].kl or 0.0) - (tuned[i].kl or 0.0), i) for i in both)
        places = {round(q * (len(gains) - 1)): q for q in self.quantiles}  # no session twice
        return [(gains[place][1], q) for place, q in places.items()]


def _both(views: Mapping[str, Mapping[str, View]]) -> list[str]:
    """Return the sessions that all simulators have attention for."""
    first, *others = views.values()
    return [name for name in first if all(name in other for other in others)]


def _views(found: Found, simulator: str) -> dict[str, View]:
    """Return session -> attention under the first seed; sessions without attention are left out."""
    said = predictions.chosen(found.predictions, simulator=simulator)
    seed = found.results.seeds[0] if simulator not in found.deterministic else said["seed"][0].as_py()
    scores = found.scores
    scores = scores[(scores["simulator"] == simulator) & (scores["seed"] == seed)]
    kl = dict(zip(scores["session_id"], scores["KL"], strict=True))
    shares = predictions.drawn(predictions.chosen(said, seed=seed))
    return {
        session_id: View(simulator, each[simulator], float(kl[session_id]))
        for session_id, each in shares.items()
        if simulator in each
    }


@dataclass(frozen=True, slots=True)
class Screens:
    """The picture: examples, a line each; a view's source -> heading of its column."""

    examples: tuple[Example, ...]
    labels: Mapping[str, str]

    @property
    def height(self) -> float:
        """Height in centimetres: every panel has the shape of its screen."""
        wide = style.WIDTH / 3 - 0.15
        return 0.45 + sum(wide * e.screen.height / e.screen.width + 0.48 for e in self.examples)

    def draw(self, canvas: Canvas) -> None:
        """Draw a line per session."""
        ratios = [e.screen.height / e.screen.width for e in self.examples]
        columns = len(self.examples[0].views)
        panels = canvas.subplots(len(self.examples), columns, squeeze=False, height_ratios=ratios)
        engine = canvas.get_layout_engine()
        assert engine is not None
        engine.set(w_pad=0.02, h_pad=0.02, wspace=0.0, hspace=0.0)  # type: ignore[call-arg]
        for index, (line, example) in enumerate(zip(panels, self.examples, strict=True)):
            top = max(float(view.shares.max()) for view in example.views)
            screen = _faded(example.screen)
            for axes, view in zip(line, example.views, strict=True):
                _screen(axes, example, screen, view, top)
                if index == 0:
                    axes.set_title(self.labels[view.source])
                middle = example.session.session_id if view.kl is None else f"KL {number(view.kl)}"
                axes.set_xlabel(middle, labelpad=1.5)


def _faded(screen: Image) -> Image:
    """Return a screen in light grey, so that the only colours are those of the shares."""
    from PIL import Image as PilImage

    size = (min(PIXELS, screen.width), round(min(PIXELS, screen.width) * screen.height / screen.width))
    grey = screen.convert("L").resize(size, PilImage.Resampling.LANCZOS)
    return grey.point([round(105 + 150 * level / 255) for level in range(256)]).convert("RGB")


def _screen(axes: Any, example: Example, screen: Image, view: View, top: float) -> None:
    """Draw one panel; opacity is proportional to the root of the share, full at ``top``."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    extent = (0, example.screen.width, example.screen.height, 0)
    axes.imshow(screen, interpolation="none", extent=extent)
    colour = tuple(c / 255 for c in (GAZE_COLOUR if view.kl is None else ATTENTION_COLOUR))
    largest = set(np.argsort(-view.shares, kind="stable")[:NAMED].tolist())
    for slot, share in enumerate(view.shares):
        x0, y0, x1, y1 = example.session.slots[slot].box
        opacity = 0.85 * float(np.sqrt(share / top))
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, facecolor=colour, alpha=opacity, linewidth=0))
        if slot == example.session.click:
            for width, ink in ((2.4, "white"), (1.2, "black")):
                axes.add_patch(
                    Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=ink, linewidth=width, zorder=3)
                )
        if slot in largest and round(100 * share) >= 1:
            middle = _middle((x0, y0, x1, y1), example.screen.height, slot)
            outline = [withStroke(linewidth=1.6, foreground="white")]
            text = axes.text(*middle, f"{100 * share:.0f}", ha="center", va="center", color="black", zorder=4)
            text.set(path_effects=outline, clip_on=False)
    axes.set_xlim(0, example.screen.width)
    axes.set_ylim(example.screen.height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("0.7")


def _middle(box: tuple[float, float, float, float], height: float, slot: int) -> tuple[float, float]:
    """Return where a slot's number is written: where slots are flat, next to that of the slot above."""
    x0, y0, x1, y1 = box
    aside = 0.5 if x1 - x0 < 4 * (y1 - y0) else (0.35, 0.65)[slot % 2]
    edge = 0.05 * height  # a slot may be cut by the screen's edge, its number must not
    return x0 + aside * (x1 - x0), min(max((y0 + y1) / 2, edge), height - edge)
