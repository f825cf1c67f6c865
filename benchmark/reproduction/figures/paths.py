"""How people and simulators move: steps and revisits of recorded paths and of paths that simulators drew."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure as Canvas

from benchmark.output import figure_style as style
from benchmark.output.units import counted, number
from benchmark.reproduction.figures.base import Figure, FigureLayout, LoadTask
from benchmark.reproduction.groups import Found, Missing
from benchmark.reproduction.provenance import notes, settings_of, short_notice
from benchmark.reproduction.section import Rows
from benchmark.scores import paths
from benchmark.scores.paths import STEPS, Slots
from benchmark.simulator import Floats
from tasks.types import Session, visits

PEOPLE, LIST, OTHERS = "people", "top to bottom", "other people"


@dataclass(frozen=True, slots=True)
class Moves:
    """How somebody moves, mean over paths, and how alike the paths are to the recorded ones of the same sessions.

    Attributes:
        steps: Shares of steps by size, shape (2 ``STEPS``,); see ``scores.paths.step_shares``.
        revisits: Share of visits to a slot visited before.
        visits: Visits per path.
        similarity: Mean over sessions; NaN for the recorded paths themselves, and where there is no recording.
    """

    name: str
    steps: Floats
    revisits: float
    visits: float
    similarity: float


def moves(name: str, recorded: Mapping[str, Slots], drawn: Mapping[str, Sequence[Slots]]) -> Moves:
    """Return how paths move that were drawn for sessions, of which ``recorded`` has the people's, if there are any."""
    every = [path for session in recorded for path in drawn.get(session, ())]
    alike = np.nan if name == PEOPLE or not any(recorded.values()) else paths.mean_similarity(recorded, drawn)
    counts = [len(path) for path in every]
    again = [paths.revisits(path) for path in every]
    return Moves(name, paths.step_shares(every), float(np.mean(again)), float(np.mean(counts)), alike)


def compared(sessions: Iterable[Session], drawn: Mapping[str, Mapping[str, Sequence[Slots]]]) -> list[Moves]:
    """Return how people move, then each simulator's drawn paths, then the plain list and other people on the screen.

    Where no screen was seen by two people, other people are some that saw other screens. Sessions without a recorded
    visit are left out (nothing is left where all are).
    """
    mine = {session.session_id: session for session in sessions}
    recorded = {name: [visit.slot for visit in visits(session)] for name, session in mine.items()}
    recorded = {name: path for name, path in recorded.items() if path}
    if not recorded:
        return []
    others = paths.other_people(recorded, {name: (mine[name].user, mine[name].screen) for name in recorded})
    found = [moves(PEOPLE, recorded, {name: [path] for name, path in recorded.items()})]
    found += [moves(name, recorded, of) for name, of in drawn.items() if any(of.get(session) for session in recorded)]
    found.append(moves(LIST, recorded, {name: [range(len(mine[name].slots))] for name in recorded}))
    return [*found, moves(OTHERS, recorded, others)] if any(others.values()) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths(FigureLayout):
    """Step sizes and revisits of people and of some simulators, side by side."""

    rows: Rows

    KIND: ClassVar[str] = "paths"

    def __post_init__(self) -> None:
        self.check(self.rows)

    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return the one figure; none where no simulator drew a path."""
        one = next(iter(found), None)
        if one is None:
            return []
        each = {label: paths.read(one.folders.get(name, ())) for name, label in self.rows.items()}
        drawn = {label: of for label, of in each.items() if of}
        if not drawn:
            return []
        task = load_task(self.task)
        tested = sorted({int(i) for _, test in task.split(one.results.split).folds for i in test})
        lines = compared(task.sessions_at(tested), drawn)
        if not lines:
            return []
        return [
            Figure(
                name=self.named(),
                kind=self.KIND,
                title=self.title,
                captions=(
                    *notes([one], [m for m in missing if m.simulator in self.rows], self.rows),
                    f"{task.name} {task.version}, split {one.results.split}: paths of "
                    f"{counted(len(tested), 'test session')}, {paths.PER_SESSION} drawn for each, by seed. Steps: by "
                    "how many slots, negative is up or back. Revisits: visits to a slot that was visited before.",
                    SIMILARITY,
                ),
                headers=HEADERS,
                summary=tuple(cells(line) for line in lines),
                records=tuple(
                    {"who": line.name, "step": step, "share": float(share), "revisits": line.revisits, "trials": ()}
                    for line in lines
                    for step, share in zip(_SIZES, line.steps, strict=True)
                ),
                digests={one.results.task: one.results.digest},
                identities={n: one.identities[n] for n in self.rows if n in one.identities},
                picture=Steps(tuple(lines)),
                notice=short_notice(one),
                settings={n: settings_of(one, n) for n in self.rows if n in one.identities},
            )
        ]


HEADERS = ("paths of", "visits", "revisits", "similarity")
SIMILARITY = (
    "Similarity: 1 - Levenshtein distance / longer length, of a path to the recorded one. It never ranks: the plain "
    "list from top to bottom may beat another person."
)
_NAME = 17
"""Characters of a name above a panel."""
_SIZES = [step for step in range(-STEPS, STEPS + 1) if step]


def cells(line: Moves) -> tuple[str, ...]:
    """Return a line as printed, under ``HEADERS``."""
    alike = "" if np.isnan(line.similarity) else number(line.similarity)
    return line.name, number(line.visits), number(line.revisits), alike


@dataclass(frozen=True, slots=True)
class Steps:
    """The picture: a panel per line, the steps as bars, with people's as points; the plain list has none."""

    moves: tuple[Moves, ...]

    @property
    def lines(self) -> list[Moves]:
        """Whom a panel shows."""
        return [line for line in self.moves if line.name != LIST]

    @property
    def height(self) -> float:
        """Height in centimetres."""
        return 0.8 + 2.3 * -(-len(self.lines) // 3)

    def draw(self, canvas: Canvas) -> None:
        """Draw a panel per line, three a row."""
        grid = canvas.subplots(-(-len(self.lines) // 3), 3, sharex=True, sharey=True, squeeze=False)
        people = self.lines[0].steps
        top = 135 * max(float(line.steps.max()) for line in self.lines)  # room for a line of text
        for axes, line in zip(grid.flat, self.lines, strict=False):
            mine = line.name == PEOPLE
            axes.bar(_SIZES, 100 * line.steps, color=style.INK if mine else style.COLOURS[0], width=0.8)
            if not mine and self.lines[0].name == PEOPLE:
                axes.plot(_SIZES, 100 * people, "o", color=style.INK, markersize=2)
            axes.set_title(line.name if len(line.name) <= _NAME else f"{line.name[: _NAME - 1]}…", loc="left")
            axes.text(0.02, 0.98, f"revisits {line.revisits:.0%}", transform=axes.transAxes, va="top")
            axes.set_ylim(0, top)
            axes.set_xticks([-STEPS, -1, 1, STEPS], [f"≤-{STEPS}", "-1", "1", f"≥{STEPS}"])
        for axes in list(grid.flat)[len(self.lines) :]:
            axes.set_axis_off()
        grid[-1][0].set_xlabel("step, slots")
        canvas.supylabel("share of steps, %", fontsize=style.TYPE_SIZE)
