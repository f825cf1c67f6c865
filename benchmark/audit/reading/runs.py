"""Our own results: ``results.json`` of a run, or what ``table --format json`` prints."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmark.audit.granularity import known
from benchmark.audit.printed import computed
from benchmark.audit.reading import mapping
from benchmark.audit.reported import Cell, Interval, Reported, Row, Setting
from benchmark.scores.results import MetricResult, Results

UNIFORM = "uniform"
"""The simulator whose LogLoss is that of uniform probabilities, wherever the number of slots varies."""


def from_results(found: Results, source: str) -> Reported:
    """Return the results of a run as a reported table; it has no stars."""
    data = {name: getattr(found, name) for name in ("n_sessions", "n_users", "slots", "uniform_logloss")}
    setting = setting_of(data, max(1, len(found.seeds)))
    rows = []
    for row in found.simulators:
        cells = {name: _cell(name, value) for name, value in row.metrics.items()}
        fixed = all(cell.sd is None for cell in cells.values())
        rows.append(Row("", found.task, "", "", row.name, fixed, cells))
        if row.name == UNIFORM and "LogLoss" in cells and setting.uniform_logloss is None:
            setting = replace(setting, uniform_logloss=float(cells["LogLoss"].mean))
    notes = (found.notice,) if found.notice else ()
    return Reported(source, tuple(rows), {found.task: setting}, notes=notes)


def setting_of(data: Mapping[str, Any], seeds: int) -> Setting:
    """Return how the numbers of this suite came about (PROTOCOL sections 5 and 8), from what is said of its sessions.

    Where each user has one session, the mean over users is a plain mean over sessions.
    """
    sessions, users = int(data["n_sessions"]), int(data.get("n_users", 0))
    slots = [int(count) for count in data.get("slots") or ()]
    given = {
        "n_sessions": sessions,
        "n_seeds": seeds,
        "n_slots": data.get("n_slots") or (slots[0] if len(slots) == 1 else None),
        "most_slots": max(slots, default=None),
        "uniform_logloss": data.get("uniform_logloss"),
        "average": "sessions" if sessions == users else "users",
        "ties": "broken" if data.get("ties") == "last" else "expected",
        "sd": "sample",
        "improvement": "gain",
    }
    return mapping.setting_of(given, "its data")


def interval_of(metric: str, low: float | None, high: float | None) -> Interval | None:
    """Return an interval of this suite; one that ends where the metric's range does may have been cut there."""
    if low is None or high is None:
        return None
    found = known(metric)
    cut = found is not None and (low == found.range[0] or high == found.range[1])
    return Interval(computed(low), computed(high), own=not cut)


def _cell(metric: str, value: MetricResult) -> Cell:
    sd = None if value.seed_sd is None else computed(value.seed_sd)
    return Cell(computed(value.mean), sd, interval=interval_of(metric, value.low, value.high))
