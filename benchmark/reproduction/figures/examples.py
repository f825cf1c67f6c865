"""Figures 6-7: screens with the backbone's attention, human gaze and the tuned simulator's attention side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from msgspec import Meta

from benchmark.output.drawing import ATTENTION, FAINT, GAZE, NAMED, Panels, Row, View, screen_of
from benchmark.output.units import number
from benchmark.reproduction.figures.base import Figure, FigureLayout, LoadTask
from benchmark.reproduction.groups import Found, Missing
from benchmark.reproduction.provenance import checkpoints, notes, settings_of, short_notice
from benchmark.reproduction.section import Text
from benchmark.scores import predictions
from benchmark.simulator import Floats
from tasks.errors import InputError, require_known
from tasks.task import Task
from tasks.types import Session

HUMANS = "human gaze"


@dataclass(frozen=True, slots=True)
class Attended:
    """One panel: a screen with a share per slot, shape (K,), of sum 1, and its KL from the gaze (None for the gaze)."""

    source: str
    shares: Floats
    kl: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """One line of panels; ``quantile`` is that of its gain, None where the layout names the session."""

    session: Session
    quantile: float | None
    views: tuple[Attended, ...]


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
            shown = (views[frozen][session_id], Attended(HUMANS, session.gaze, None), views[tuned][session_id])
            examples.append(Example(session, quantile, shown))
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
                f"Opacity: root of the share of attention or dwell, one scale; numbers: shares of {FAINT:.0%} and more "
                f"and the {NAMED} largest of a panel, percent. Outlined: the clicked slot. KL: of the attention from "
                "the gaze, nats. Screens are drawn in grey.",
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
            picture=_picture(examples, labels),
            notice=short_notice(found),
            settings={name: settings_of(found, name) for name in self.rows},
        )

    def _chosen(self, views: Mapping[str, Mapping[str, Attended]]) -> list[tuple[str, float | None]]:
        """Return the sessions to show, each with its quantile."""
        both = _both(views)
        require_known(f"test session in the layout {self.name}:", self.sessions, sorted(both))
        if self.sessions:
            return [(name, None) for name in self.sessions]
        if not both:
            raise InputError(f"figure {self.name}: no session has attention of both {' and '.join(self.rows)}.")
        frozen, tuned = (views[name] for name in self.rows)
        gains = sorted(((frozen[i].kl or 0.0) - (tuned[i].kl or 0.0), i) for i in both)
        places = {round(q * (len(gains) - 1)): q for q in self.quantiles}  # no session twice
        return [(gains[place][1], q) for place, q in places.items()]


def _both(views: Mapping[str, Mapping[str, Attended]]) -> list[str]:
    """Return the sessions that all simulators have attention for."""
    first, *others = views.values()
    return [name for name in first if all(name in other for other in others)]


def _views(found: Found, simulator: str) -> dict[str, Attended]:
    """Return session -> attention under the first seed; sessions without attention are left out."""
    said = predictions.chosen(found.predictions, simulator=simulator)
    seed = found.results.seeds[0] if simulator not in found.deterministic else said["seed"][0].as_py()
    scores = found.scores
    scores = scores[(scores["simulator"] == simulator) & (scores["seed"] == seed)]
    kl = dict(zip(scores["session_id"], scores["KL"], strict=True))
    shares = predictions.drawn(predictions.chosen(said, seed=seed))
    return {
        session_id: Attended(simulator, each[simulator], float(kl[session_id]))
        for session_id, each in shares.items()
        if simulator in each
    }


def _picture(examples: Sequence[Example], labels: Mapping[str, str]) -> Panels:
    """Return the picture: examples, a row each; ``labels`` are a view's source -> heading of its column."""
    rows = []
    for index, example in enumerate(examples):
        views = [
            View(
                labels[one.source] if index == 0 else "",
                one.shares,
                GAZE if one.kl is None else ATTENTION,
                below=example.session.session_id if one.kl is None else f"KL {number(one.kl)}",
            )
            for one in example.views
        ]
        rows.append(Row.of(example.session, screen_of(example.session), views))
    return Panels(tuple(rows))
