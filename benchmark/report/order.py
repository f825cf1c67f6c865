"""The order of looking on the page: paths that simulators drew, next to the recorded ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.output.drawing import draw_session, path_views
from benchmark.report import figures
from benchmark.report.figures import Plot
from benchmark.report.gallery import encode
from benchmark.report.reading import Run
from benchmark.reproduction.figures.paths import HEADERS, PEOPLE, SIMILARITY, Moves, Steps, cells, compared
from benchmark.runs import paths
from tasks.task import Task
from tasks.types import Session, visits

BUDGET = 350_000
"""Bytes of the picture."""


@dataclass(frozen=True, slots=True)
class Order:
    """A table, a figure and a picture (``data:``, size in pixels, session), where there are; none without ``rows``."""

    headers: tuple[str, ...] = HEADERS
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = SIMILARITY
    plots: tuple[Plot, ...] = ()
    picture: str = ""
    size: tuple[int, int] = (0, 0)
    session: str = ""


def order(run: Run, task: Task | None) -> Order:
    """Return the section of a run."""
    drawn = paths.of_run(run.folder, run.results)
    if task is None or not drawn:
        return Order()
    tested = {name for of in drawn.values() for name in of}
    sessions = [session for session in map(task.session, range(len(task))) if session.session_id in tested]
    lines = compared(sessions, drawn)
    return section(lines, sessions, task.notice, lambda shown: paths.drawn(run.folder, run.results, shown))


def section(
    lines: Sequence[Moves],
    sessions: Sequence[Session],
    notice: str,
    drawn: Callable[[str], Sequence[tuple[str, Sequence[int]]]],
    name: str = "steps",
) -> Order:
    """Return the section on how people and simulators move; ``name`` is unique on the page.

    The session with the median number of visits is shown, with the paths that ``drawn`` returns for its id.
    """
    if not lines:
        return Order()
    rows = tuple(cells(line) for line in lines)
    words = "Revisits: " + ", ".join(f"{line.name} {line.revisits:.0%}" for line in lines)
    points = "; points are people's" if lines[0].name == PEOPLE else ""
    plots = (figures.plot(name, f"Steps and revisits{points}", words, Steps(tuple(lines))),)
    shown = sorted(
        (s for s in sessions if s.image is not None and visits(s)), key=lambda s: (len(visits(s)), s.session_id)
    )
    if not shown:
        return Order(rows=rows, plots=plots)
    session = shown[len(shown) // 2]
    views = path_views(session, drawn=drawn(session.session_id))
    picture, size = encode(draw_session(session, views, notice).image(), BUDGET)
    return Order(rows=rows, plots=plots, picture=picture, size=size, session=session.session_id)
