"""What a run or a scoring found, as one object that notebooks show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import tasks
from benchmark import statistics
from benchmark.metrics import get
from benchmark.output.figure_style import Drawing, Picture
from benchmark.output.rendering import html, render
from benchmark.report import figures, reading, variance
from benchmark.report.order import order
from benchmark.runs import paths
from benchmark.scores import results, table, verdict
from benchmark.scores.results import Results
from benchmark.statistics.registry import corrected_p
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.task import Task

PLOTS = ("means", "users", "variance", "training", "paths")


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """Simulators on one split of a task, scored; notebooks show it as its table.

    Attributes:
        results: Means, intervals and comparisons as typed values, as ``results.json`` holds them.
        scores: A row per simulator, seed and session, with a column per metric; float64, NaN where it is not claimed.
        said: The predictions as an Arrow table.
        folder: Folder of the run; None if nothing was kept.
        task: The task; None where the run was read from its folder and the task was not needed yet.
    """

    results: Results
    scores: pd.DataFrame
    said: pa.Table
    folder: Path | None = None
    task: Task | None = None

    @property
    def notice(self) -> str:
        """What is simulated or a stand-in; say it with every number."""
        return self.results.notice

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row per simulator, seed and session, with what was predicted; ``score`` takes it."""
        found: pd.DataFrame = self.said.to_pandas()
        return found

    @property
    def table(self) -> pd.DataFrame:
        """Means over users: a row per simulator, a column per metric; those that are never ranked are in brackets."""
        rows = {
            row.name if row.ranked else f"({row.name})": {name: value.mean for name, value in row.metrics.items()}
            for row in sorted(self.results.simulators, key=lambda row: not row.ranked)
        }
        found = pd.DataFrame.from_dict(rows, orient="index", columns=[m.name for m in table.metrics_of(self.results)])
        return self._noted(found.rename_axis("simulator"))

    @property
    def verdict(self) -> tuple[str, ...]:
        """What the tests say, in sentences."""
        return tuple(verdict.of(self.results))

    def compare(self, a: str, b: str, metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Compare two simulators, paired over users, and over users and screens where screens repeat.

        Args:
            a: A simulator of the table.
            b: The one that is subtracted.
            metrics: Names; None for the main metrics that both have.

        Returns:
            A row per metric: ``difference`` (mean over users of a minus b), its 95 % interval ``low`` and ``high``,
            ``p_users`` and ``p_users_screens`` (NaN where screens do not repeat), ``p_holm`` (the larger of both,
            corrected over the rows), ``resolves`` (the smallest difference that would show with 80 % power), and how
            many ``users``, ``screens`` and ``sessions`` it is over. Seeds and sessions never count as people.

        InputError: a simulator or metric is unknown, or a simulator lacks a metric.
        """
        cube, rows = statistics.ScoreCube(self.scores), {}
        for name in (a, b):
            if name not in cube.simulators:
                raise unknown_name("simulator", name, cube.simulators)
        for metric in (get(name).name for name in metrics or self.results.family):
            means = cube.session_means(metric) if metric in self.scores.columns else None
            lacking = [name for name in (a, b) if means is None or name not in means.names]
            if lacking and metrics:
                raise InputError(f"{lacking[0]} has no {metric}, so that there is nothing to compare.")
            if means is None or lacking:
                continue
            found = statistics.compare_pairs(means, [(a, b)], n_resamples=0)[a, b]
            design = means.design
            rows[metric] = {
                **{"difference": found.mean_difference, "low": found.low, "high": found.high},
                **{"p_users": found.tests["t"], "p_users_screens": found.tests["two_way"]},
                **{"p_holm": corrected_p(found.tests), "resolves": found.smallest_difference},
                **{"users": len(design.users), "screens": len(design.screens or ()), "sessions": len(cube.sessions)},
            }
        if not rows:
            raise InputError(f"{a} and {b} have no main metric in common; name metrics.")
        frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")
        frame["p_holm"] = statistics.holm_adjust(frame["p_holm"].to_numpy())
        return self._noted(frame)

    def plot(self, kind: str = "means", of: str | None = None) -> Drawing:
        """Return a figure that notebooks display and ``save`` writes.

        Args:
            kind: ``means`` (with 95 % intervals), ``users`` (each user's difference from the reference) or ``variance``
                (the parts of that of each difference); of a run that was kept also ``training`` (the curves of a
                simulator) and ``paths`` (steps and revisits).
            of: A metric, None for the first main one; for ``training`` a simulator.

        InputError: the kind, metric or simulator is unknown, or there is nothing to draw.
        """
        if kind not in PLOTS:
            raise unknown_name("kind of plot", kind, PLOTS)
        made: Picture | None = None
        chosen = get(of or self.results.family[0]) if kind in PLOTS[:3] else None
        if chosen is not None and kind == "means":
            made = figures.means(self.results, chosen)
        elif chosen is not None and kind == "users":
            made = figures.users(self.results, self.scores, chosen)
        elif chosen is not None:
            lines = [one for one in variance.lines(self.results, self.scores, [chosen.name]) if one.reference]
            made = figures.parts(lines) if lines else None
        elif self.folder is None:
            raise InputError(f"{kind} are kept in a run's folder; run with out=FOLDER.")
        elif kind == "training":
            curves = reading.curves(reading.read(self.folder).trials)
            if of not in curves:
                raise unknown_name("simulator with curves in the run", of or "", curves)
            made = figures.Training.of(curves[of])
        else:
            shown = order(reading.read(self.folder), self.with_task().task).plots
            made = shown[0].drawing.picture if shown else None
        if made is None:
            raise InputError(f"there is nothing to draw of {of or 'paths'}: no simulator, or none but one, has it.")
        return Drawing(made, (self.notice,) if self.notice else ())

    def paths(self, session_id: str, simulators: Sequence[str] | None = None) -> list[tuple[str, list[int]]]:
        """Return the path that each of some simulators drew for a session, as slots; None for three at most.

        InputError: the run was not kept in a folder, or a simulator that is named drew none.
        """
        if self.folder is None:
            raise InputError("paths are kept in a run's folder; run with out=FOLDER.")
        return paths.drawn(self.folder, self.results, session_id, simulators)

    def with_task(self, task: Task | None = None) -> Result:
        """Return the result with its task, which is loaded from where the run had it if it is not given.

        InputError: the data are not available, or not those of the result.
        """
        if self.task is not None:
            return self
        task = task or tasks.load(self.results.task, self.results.data)
        results.check_digest(self.results, task, self.folder or Path())
        return replace(self, task=task)

    def _noted(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame.attrs["notice"] = self.notice
        return frame

    def __repr__(self) -> str:
        return render(table.document(self.results), "terminal")

    def _repr_html_(self) -> str:
        return html(table.document(self.results))
