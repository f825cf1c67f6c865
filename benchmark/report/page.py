"""The page of a run: what is shown of it, and the file."""

import base64
import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from benchmark import __version__
from benchmark.files.replacing import replace_file
from benchmark.metrics import all_metrics, get
from benchmark.metrics.families import FAMILIES
from benchmark.output import units
from benchmark.output.pages import environment
from benchmark.output.pages import style as common_style
from benchmark.output.units import number
from benchmark.report import figures, gallery, order, reading, variance
from benchmark.report.reading import Run
from benchmark.scores import results, verdict
from benchmark.scores.results import MetricResult
from benchmark.scores.table import COMPARED, comparison_cells, legend, marks
from benchmark.statistics.registry import INTERVALS
from tasks.errors import InputError
from tasks.task import Task

TEMPLATES = Path(__file__).parent / "templates"


def write(
    run: str | Path, file: str | Path, *, task: Task | None = None, simulators: Sequence[str] | None = None
) -> None:
    """Write the page of a finished run; a file that is there is replaced in one step.

    The same run gives the same bytes, as long as the packages that draw stay the same.

    Args:
        run: Folder of the run.
        file: The page to write.
        task: The run's task, whose sessions are drawn; None loads it from where the run had it. Without the data the
            page says so in place of the sessions.
        simulators: Whose attention is drawn on the sessions; None chooses the best and one to compare it with.

    InputError if the folder holds no finished run, a file of it is damaged, the task that is given is not the run's, a
    simulator is unknown, or the page cannot be written.
    """
    path = Path(file)
    if path.is_dir() or not path.absolute().parent.is_dir():
        why = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise InputError(f"cannot write {path}: {why}. Name a file in a folder that exists.")
    found = reading.read(Path(run))
    reason = ""
    if task is not None:
        results.check_digest(found.results, task, found.folder)
    else:
        task, reason = _task_of(found)
    text = render(found, task, reason, simulators)
    replace_file(path, lambda partial: partial.write_text(text, encoding="utf-8", newline="\n"))


def render(run: Run, task: Task | None, reason: str = "", simulators: Sequence[str] | None = None) -> str:
    """Return the page; ``reason`` says why there is no task."""
    made = environment(TEMPLATES, shown)
    made.filters.update(number=number, limits=limits)
    made.filters.update(seconds=units.seconds, count=units.count, bytes=units.memory, counted=units.counted)
    script, style = (Markup((TEMPLATES / name).read_text(encoding="utf-8")) for name in ("report.js", "report.css"))
    found = run.results
    metrics = [m for m in all_metrics() if any(m.name in row.metrics for row in found.simulators)]
    lines, no_variance = _variance(run)
    differences = [line for line in lines if line.reference]
    values: dict[str, Any] = {
        "results": found,
        "seeds": sorted(run.scores["seed"].unique().tolist()),  # those that were really run
        "run": run,
        "version": __version__,
        "script": script,
        "script_digest": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "style": Markup(common_style()) + style,
        "metrics": metrics,
        "families": [one for one in FAMILIES if any(m.family == one.name for m in metrics)],
        "family_of": lambda name: get(name).family,
        "marks": marks(found),
        "ranked": [row for row in found.simulators if row.ranked],
        "apart": [row for row in found.simulators if not row.ranked],
        "verdict": verdict.of(found),
        "legend": legend(found),
        "compared": ("simulator", *COMPARED),
        "comparisons": [(c.simulator, *comparison_cells(c)) for c in found.comparisons if c.metric in found.family],
        "session_failures": results.failures(found),
        "gallery_metric": gallery.METRIC,
        "gallery": gallery.gallery(run, task, reason, simulators),
        "order": order.order(run, task),
        "costs": reading.costs(run.trials),
        "places": reading.places(run.trials),
        "recipe": reading.recipe(run),
        "variance_headers": variance.HEADERS,
        "variance_rows": [variance.cells(line) for line in differences or lines],
        "variance_legend": variance.legend(differences or lines),
        "variance_advice": variance.advice(lines),
        "no_variance": no_variance,
        "stress": _stress(run),
        **_figures(run, differences),
    }
    return made.get_template("report.html").render(values)


def shown(value: object) -> object:
    """Return what a template prints of a value: text without characters that steer a terminal or turn the writing."""
    if not isinstance(value, str) or isinstance(value, Markup) or (value.isascii() and value.isprintable()):
        return value
    return "".join(c for c in value if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def _task_of(run: Run) -> tuple[Task | None, str]:
    """Return the task of a run, or why it is not available."""
    import tasks

    try:
        task: Task = tasks.load(run.results.task, run.results.data)
        results.check_digest(run.results, task, run.folder)
    except InputError as error:
        return None, f"The task's data is not available: {error}"
    return task, ""


def limits(value: MetricResult) -> list[str]:
    """Return the intervals of a mean as printed."""
    ends = [(value.low, value.high), *(value.intervals.get(one.name, (None, None)) for one in INTERVALS)]
    return [f"{number(low)} .. {number(high)}" for low, high in ends if low is not None and high is not None]


def _variance(run: Run) -> tuple[list[variance.Line], str]:
    """Return the decompositions of a run, or why there are none."""
    try:
        return variance.lines(run.results, run.scores), ""
    except InputError as error:
        return [], str(error)


def _figures(run: Run, differences: Sequence[variance.Line]) -> dict[str, Any]:
    curves = reading.curves(run.trials)
    found = run.results
    means = {m.name: figure for m in all_metrics() if (figure := figures.interval_plot(found, m)) is not None}
    users = [figures.user_plot(found, run.scores, get(name)) for name in found.family]
    by_metric: dict[str, list[variance.Line]] = {}
    for line in differences:
        by_metric.setdefault(line.metric, []).append(line)
    drawn = [figures.training_plot(i, name, of_name) for i, (name, of_name) in enumerate(curves.items())]
    return {
        "means": [figure for name, figure in means.items() if name in found.family],
        "more_means": [figure for name, figure in means.items() if name not in found.family],
        "users": [figure for figure in users if figure is not None],
        "parts": [figures.variance_plot(metric, of_metric) for metric, of_metric in by_metric.items()],
        "curves": [figure for figure in drawn if figure is not None],
        "has_curves": bool(curves),
    }


def _stress(run: Run) -> dict[str, Any]:
    """Return what stress tests found on this run, test by test; nothing if none was made on these sessions."""
    from benchmark.stress import records

    found = records.read(run.folder)
    if found is None or found.digest != run.results.digest:
        return {"tests": [], "notice": "", "stale": found is not None}
    tests = []
    for test in dict.fromkeys(row.test for row in found.rows):
        rows = [row for row in found.rows if row.test == test]
        shown = {"readings": records.readings(rows), "numbers": records.numbers(rows)}
        tests.append({"title": records.title(test), **shown})
    return {"tests": tests, "notice": found.notice, "stale": False}
