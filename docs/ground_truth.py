"""Measure AdSERP's confirmation dialog on the public trials: figures, numbers and tables of ``docs/ground-truth.md``.

    python docs/ground_truth.py --data DIR [--raw DIR]

DIR is a folder of the replay layout; ``--raw`` is one of the raw layout, for how well the press is estimated. Writes
``docs/figures/truth-*.svg`` and what lies between the markers of the page, and prints the same. Figures and numbers are
aggregated: no recording, no screenshot, no trial id.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from baselines import registry  # noqa: E402
from benchmark.output import figure_style as style  # noqa: E402
from benchmark.output.units import number  # noqa: E402
from benchmark.runs.runner import run  # noqa: E402
from benchmark.scores.results import Results  # noqa: E402
from benchmark.trials.configuration import RunConfig, read_config  # noqa: E402
from tasks.adserp.dialogs import ZONE, on_dialog, window_y  # noqa: E402
from tasks.adserp.replay import read_replay, replay_files  # noqa: E402
from tasks.adserp.sessions import slot_of_points  # noqa: E402
from tasks.adserp.trial import SCREEN_WIDTH, VIEWPORT_HEIGHT, Trial  # noqa: E402
from tasks.definition import ReadOptions  # noqa: E402
from tasks.registry import load  # noqa: E402
from tasks.task import Task  # noqa: E402
from tasks.types import Floats, visits  # noqa: E402
from tests.performance.printing import script  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

DOCS = ROOT / "docs"
TASKS, TRUTHS = ("adserp", "adserp-page"), (1, 2)
METRICS = ("KL", "Accuracy", "LogLoss")
STEP_MS, SPAN_MS = 200.0, 5000.0
NEAR, FAR = (0.0, 900.0), (2500.0, 4000.0)
"""Two spans of time before the click, ms: most of it on the dialog, and before the dialog."""
CELL = 40.0


@dataclass(frozen=True)
class Drawing:
    """A figure as ``figure_style`` draws it: its own picture, without notes."""

    height: float
    draw: Callable[[Canvas], None]
    notes: tuple[str, ...] = ()

    @property
    def picture(self) -> Drawing:
        """The figure itself."""
        return self


def before_click(trial: Trial, near: float, far: float) -> Floats:
    """Return how much of each fixation lies between ``far`` and ``near`` ms before the last logged click, ms."""
    end, click = trial.fixations.end, trial.clicks.t[-1]
    inside = np.minimum(end, click - near) - np.maximum(end - trial.fixations.duration, click - far)
    return np.clip(inside, 0.0, None)


def share_on_dialog(trials: Sequence[Trial], near: float, far: float) -> float:
    """Return the share of fixation time in the dialog's place, all trials together."""
    parts = [(before_click(trial, near, far), on_dialog(trial.fixations, trial.scrolls)) for trial in trials]
    total = sum(float(ms.sum()) for ms, _ in parts)
    return sum(float(ms[hit].sum()) for ms, hit in parts) / total if total else float("nan")


def density(trials: Sequence[Trial], near: float, far: float) -> Floats:
    """Return the share of fixation time per cell of the window, rows from its top."""
    found = [(t.fixations.x, window_y(t.fixations, t.scrolls), before_click(t, near, far)) for t in trials]
    x, y, ms = (np.concatenate(column) for column in zip(*found, strict=True))
    edges = [np.arange(0.0, size + CELL, CELL) for size in (VIEWPORT_HEIGHT, SCREEN_WIDTH)]
    cells, _, _ = np.histogram2d(y, x, edges, weights=ms)
    return cells / max(ms.sum(), 1e-9)


def time_figure(trials: Sequence[Trial]) -> Drawing:
    """Draw the share of fixation time in the dialog's place against the time before the click."""
    edges = np.arange(0.0, SPAN_MS + STEP_MS, STEP_MS)
    shares = [share_on_dialog(trials, a, b) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        axes.stairs(shares, edges / 1000, fill=True, color=style.COLOURS[0])
        axes.set(xlim=(SPAN_MS / 1000, 0), ylim=(0, 1), xlabel="time before the logged click (s)")
        axes.set_ylabel("share of fixation time\nin the dialog's place")

    return Drawing(4.5, draw)


def density_figure(trials: Sequence[Trial]) -> Drawing:
    """Draw where in the window people looked, just before the click and earlier."""
    cells = [density(trials, *span) for span in (NEAR, FAR)]

    def draw(canvas: Canvas) -> None:
        from matplotlib.colors import PowerNorm
        from matplotlib.patches import Rectangle

        x0, x1, _, y1 = ZONE
        top, picture = max(c.max() for c in cells), None
        panels = canvas.subplots(1, 2, sharey=True)
        for axes, shares, (near, far) in zip(panels, cells, (NEAR, FAR), strict=True):
            extent = (0, CELL * shares.shape[1], CELL * shares.shape[0], 0)
            scale = PowerNorm(0.5, 0, top)  # a few cells on the dialog would leave everything else black
            picture = axes.imshow(shares, cmap=style.SHARES, norm=scale, extent=extent, interpolation="none")
            axes.add_patch(Rectangle((x0, 0), x1 - x0, y1, fill=False, ls="--", lw=0.8, ec="white"))
            axes.set(title=f"{near / 1000:g} to {far / 1000:g} s before", xlabel="x in the window (px)")
            axes.set_xticks((0, 500, 1000))
        panels[0].set_ylabel("y in the window (px)")
        assert picture is not None
        canvas.colorbar(picture, ax=panels, label="share of fixation time", shrink=0.8)

    return Drawing(4.2, draw)


def last_visits(task: Task) -> tuple[float, float, int]:
    """Return how often the last visited slot is the clicked one: mean, half its 95 % interval over users, and n."""
    users: dict[str, list[bool]] = {}
    for session in task.sessions_at(range(len(task))):
        users.setdefault(session.user, []).append(visits(session)[-1].slot == session.click)
    hits, sizes = (np.array([f(v) for v in users.values()], dtype=float) for f in (sum, len))
    mean = float(hits.sum() / sizes.sum())
    # The delta method for a ratio of sums over users, who bring one session or several.
    error = float(np.sqrt(((hits - mean * sizes) ** 2).sum()) / sizes.sum())
    return mean, 1.96 * error, len(task)


def visit_figure(found: dict[tuple[str, int], tuple[float, float, int]]) -> Drawing:
    """Draw the last visited slot against the clicked one, version 1 next to version 2."""

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for truth in TRUTHS:
            at = np.arange(len(TASKS)) + 0.36 * (truth - 1.5)
            means, halves, _ = zip(*(found[name, truth] for name in TASKS), strict=True)
            axes.bar(at, means, 0.34, yerr=halves, color=style.COLOURS[truth - 1], label=f"version {truth}", capsize=2)
        axes.set(ylim=(0, 1), ylabel="last visited slot\nis the clicked one")
        axes.set_xticks(range(len(TASKS)), TASKS)
        canvas.legend(loc="outside upper center", ncols=2)

    return Drawing(4.5, draw)


def dismissed(trials: Sequence[Trial]) -> list[tuple[int, int]]:
    """Return the slots of the first and the last click of each trial with several, from 1 down the page, 0 for none."""
    found = []
    for trial in trials:
        if len(trial.clicks) > 1:
            boxes = np.array([area.box for area in trial.areas], dtype=np.float64).reshape(-1, 4)
            first, *_, last = (slot_of_points(boxes, trial.clicks.x, trial.clicks.y) + 1).tolist()
            found.append((first, last))
    return found


def dismissed_figure(pairs: Sequence[tuple[int, int]]) -> Drawing:
    """Draw the slot of the first click against that of the last."""
    counts = {pair: pairs.count(pair) for pair in pairs}

    def draw(canvas: Canvas) -> None:
        from matplotlib.ticker import MultipleLocator

        axes = canvas.subplots()
        top = max((max(pair) for pair in pairs), default=1) + 0.7
        axes.plot([0, top], [0, top], color="0.7", lw=0.6, zorder=0)
        for (first, last), count in counts.items():
            colour = style.COLOURS[2 if first == last else 1]
            axes.scatter(first, last, 70 * count, color=colour, alpha=0.9, lw=0)
            axes.text(first, last, str(count), ha="center", va="center", color="white")
        axes.set(xlim=(-0.7, top), ylim=(-0.7, top), xlabel="slot of the first click", aspect="equal")
        axes.set_ylabel("slot of the last click")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(2))

    return Drawing(6.0, draw)


def measured(task: Task, folder: Path) -> Results:
    """Run the cheap simulators and the oracles with the suite's own functions, as ``configs/priors.yaml`` says."""
    values: dict[str, Any] = read_config(ROOT / "configs" / "priors.yaml")
    values |= {"task": task.name, "split": "kfold", "data": str(task.folder), "seeds": (42,)}
    return run(RunConfig(**values), task, registry, folder)


def table(results: dict[tuple[str, int], Results]) -> Iterator[str]:
    """Yield a Markdown table per task: each simulator with version 1 next to version 2."""
    for name in TASKS:
        one, two = (results[name, truth] for truth in TRUTHS)
        yield f"`{name}`: {one.n_sessions} and {two.n_sessions} test sessions of {two.n_users} users.\n"
        yield (
            "| simulator | " + " | ".join(f"{metric}, version {truth}" for metric in METRICS for truth in TRUTHS) + " |"
        )
        yield "|---" * (1 + len(METRICS) * len(TRUTHS)) + "|"
        for rows in zip(one.simulators, two.simulators, strict=True):
            found = [row.metrics.get(metric) for metric in METRICS for row in rows]
            cells = [number(None if value is None else value.mean) for value in found]
            yield f"| {rows[0].name if rows[0].ranked else f'({rows[0].name})'} | " + " | ".join(cells) + " |"
        yield ""


def numbers(
    trials: Sequence[Trial], pairs: Sequence[tuple[int, int]], last: dict[tuple[str, int], tuple[float, float, int]]
) -> Iterator[str]:
    """Yield what was measured, one list item each."""
    spans = ((0.0, 300.0), (300.0, 900.0), NEAR, FAR)
    told = [f"{share_on_dialog(trials, *s):.0%} at {s[0] / 1000:g} to {s[1] / 1000:g} s" for s in spans]
    yield (
        f"- {len(trials)} trials with a click. Fixation time in the dialog's place, before the last logged click: "
        + (", ".join(told) + ".")
    )
    other = sum(first != final for first, final in pairs)
    yield f"- {len(pairs)} trials have several clicks; in {other} of them the first and the last are on other slots."
    for name in TASKS:
        told = [f"{m:.0%} ± {h:.0%} of {n} sessions with version {t}" for t in TRUTHS for m, h, n in [last[name, t]]]
        yield f"- `{name}`: the last visited slot is the clicked one in " + ", in ".join(told) + "."


def estimates(raw: Path) -> str:
    """Return how much fixation time the estimated press misplaces on the raw trials."""
    from tests.performance.press_estimate import misplaced

    with contextlib.redirect_stdout(io.StringIO()):
        found = misplaced(raw)
    told = [f"{np.mean(ms):.0f} ms on average (median {np.median(ms):.0f})" for ms in found]
    return (
        f"- {len(found[0])} clicks of raw trials, whose press is recorded: the estimated press misplaces {told[0]} of "
        f"fixation time, the logged click {told[1]}."
    )


def between(text: str, name: str, new: str) -> str:
    """Return a page with what lies between the markers of that name replaced."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    head, found, rest = text.partition(start)
    tail = rest.partition(end)[2]
    if not found or not tail:
        raise SystemExit(f"docs/ground-truth.md has no markers '{start}' and '{end}'.")
    return f"{head}{start}\n\n{new.strip()}\n\n{end}{tail}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, draw, write and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the replay layout")
    parser.add_argument("--raw", type=Path, metavar="DIR", help="folder of the raw layout")
    asked = parser.parse_args(arguments)
    read = (read_replay(path, asked.data) for path in replay_files(asked.data))
    trials = [trial for trial in read if trial is not None and len(trial.clicks)]
    pairs, last, results = dismissed(trials), {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in TASKS:
            for truth in TRUTHS:
                task = load(name, asked.data, options=ReadOptions(truth=truth))
                last[name, truth] = last_visits(task)
                results[name, truth] = measured(task, Path(scratch) / f"{name}-{truth}")
    figures = {
        "time": time_figure(trials),
        "density": density_figure(trials),
        "last-visit": visit_figure(last),
        "dismissed": dismissed_figure(pairs),
    }
    (DOCS / "figures").mkdir(exist_ok=True)
    for name, figure in figures.items():
        (DOCS / "figures" / f"truth-{name}.svg").write_bytes(style.encode(figure)["svg"])  # type: ignore[arg-type]
    lines = [*numbers(trials, pairs, last), *([estimates(asked.raw)] if asked.raw else [])]
    page, tables = DOCS / "ground-truth.md", "\n".join(table(results))
    text = between(page.read_text(encoding="utf-8"), "numbers", "\n".join(lines))
    page.write_text(between(text, "table", tables), encoding="utf-8")
    sys.stdout.write("\n".join([*lines, "", tables]))
    return 0


if __name__ == "__main__":
    script(lambda: sys.exit(main()))
