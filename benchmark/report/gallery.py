"""Sessions of a run as pictures: the best, the median and the worst of the best simulator, and some at random."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL.Image import Image

from benchmark import statistics
from benchmark.metrics import get
from benchmark.metrics.families import family
from benchmark.output import drawing
from benchmark.report.reading import Run
from benchmark.scores import predictions
from benchmark.scores import reading as scored
from benchmark.simulator import Floats
from tasks.errors import InputError, unknown_name
from tasks.task import Task

METRIC = family("attention").headline
"""What chooses the sessions that are shown."""

_SIGN = -1 if get(METRIC).higher_is_better else 1

BUDGET = 1_400_000
"""Bytes of all pictures together; base64 makes a third more of them."""

_CHOICES = (("best", 2), ("median", 1), ("worst", 2), ("random", 2))
_STEPS = ((1200, 82), (1000, 76), (800, 70), (640, 60), (480, 50), (320, 40))
"""Width in pixels and JPEG quality, tried in turn until a picture fits its share of the budget."""

_TALLEST = 1.6
"""Height of a picture over its width, at most: a result page may be many screens long."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One session.

    Attributes:
        word: Why it was chosen: best, median, worst or random.
        values: Simulator and its ``METRIC`` on the session.
        silent: Simulators of ``values`` that gave no attention for it; the metric has its worst value there.
        picture: Address with the picture in it (``data:``).
        size: Width and height in pixels.
    """

    word: str
    session_id: str
    user: str
    values: tuple[tuple[str, float], ...]
    silent: tuple[str, ...]
    picture: str
    alt: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Gallery:
    """The pictures, with the simulator by which sessions were chosen, or the reason why there are none."""

    best: str = ""
    simulators: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    reason: str = ""


def gallery(run: Run, task: Task | None, reason: str, simulators: Sequence[str] | None = None) -> Gallery:
    """Draw sessions of a run; without its task, whose data may not be available, the page says the ``reason``.

    ``simulators`` are those whose attention is drawn; None stands for the best simulator and, of fixate, the frozen
    backbone and the reference, the first other one that gives attention. InputError if a simulator that is named gives
    no attention in this run.
    """
    attending = [row.name for row in run.results.simulators if METRIC in row.metrics]
    for name in simulators or ():
        if name not in attending:
            raise unknown_name("simulator with attention in the run", name, attending)
    ranked = [row for row in run.results.simulators if row.ranked and METRIC in row.metrics]
    if not ranked:
        return Gallery(reason="No ranked simulator gives attention.")
    best = min(ranked, key=lambda row: (_SIGN * row.metrics[METRIC].mean, row.name)).name
    others = [name for name in ("fixate", "backbone", run.results.reference) if name in attending and name != best]
    drawn = tuple(simulators or [best, *others[:1]])
    if task is None:
        return Gallery(best, drawn, reason=reason)
    per_session = statistics.session_means(run.scores, METRIC).droplevel(statistics.CLUSTER)
    shown = []
    chosen = choose(per_session[best].to_dict())
    attention = _attention(run, [session_id for _, session_id in chosen], drawn)
    for word, session_id in chosen:
        session = task.find(session_id)
        if session.image is None:
            return Gallery(best, drawn, reason="The data was prepared without screen images.")
        given = attention.get(session_id, {})
        if any(len(values) != len(session.slots) for values in given.values()):
            raise InputError(
                f"{run.folder / 'predictions.parquet'} is damaged (attention of session {session_id} is not one value "
                "for each slot); run again."
            )
        views = drawing.views_of(session, [(name, given[name]) for name in drawn if name in given])
        sheet = drawing.draw_session(session, views, run.results.notice).image()
        picture, size = encode(sheet, BUDGET // len(chosen))
        values = tuple((name, float(per_session.loc[session_id, name])) for name in drawn)
        silent = tuple(name for name in drawn if name not in given)
        alt = f"Session {session_id}: the screen, human gaze, and attention of {', '.join(given)}"
        shown.append(Shown(word, session_id, session.user, values, silent, picture, alt, size))
    return Gallery(best, drawn, tuple(shown))


def _attention(run: Run, session_ids: Sequence[str], simulators: Sequence[str]) -> dict[str, dict[str, Floats]]:
    """Return session -> simulator -> attention, each seed normalised, averaged over the seeds that have it."""
    path = run.folder / "predictions.parquet"
    try:
        found = predictions.drawn(scored.stored(path))
    except InputError as error:
        raise InputError(f"{path} is missing or damaged ({error}); run again.") from error
    return {
        session: {name: found[session][name] for name in simulators if name in found[session]}
        for session in session_ids
        if session in found
    }


def choose(values: dict[str, float]) -> list[tuple[str, str]]:
    """Return why and which sessions are shown, no session twice, from the ``METRIC`` of the best simulator on each.

    Best, median, worst, then random ones, drawn by a generator of fixed seed.
    """
    ordered = sorted(values, key=lambda name: (_SIGN * values[name], name))
    middle = (len(ordered) - 1) // 2
    shuffled = [ordered[i] for i in np.random.default_rng(0).permutation(len(ordered))]
    queues = {
        "best": ordered,
        "median": [*ordered[middle:], *ordered[:middle]],
        "worst": ordered[::-1],
        "random": shuffled,
    }
    found: dict[str, str] = {}
    for word, count in _CHOICES:
        fresh = [name for name in queues[word] if name not in found]
        found.update(dict.fromkeys(fresh[:count], word))
    return [(word, name) for name, word in found.items()]


def encode(sheet: Image, budget: int) -> tuple[str, tuple[int, int]]:
    """Return a picture as a ``data:`` address and its size, made smaller until it fits so many bytes before base64.

    InputError if it does not fit at the smallest size.
    """
    for width, quality in _STEPS:
        small = sheet.copy()
        small.thumbnail((width, round(width * _TALLEST)))
        file = io.BytesIO()
        small.save(file, format="JPEG", quality=quality, optimize=True, progressive=True)
        if file.tell() <= budget:
            return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}", small.size
    raise InputError(f"a picture of {sheet.size} pixels does not fit {budget} bytes; choose fewer --simulators.")
