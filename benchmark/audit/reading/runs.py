"""Our own results: ``results.json`` of a run, or what ``table --format json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.audit.printed import computed
from benchmark.audit.reading.reproduced import interval_of, setting_of
from benchmark.audit.reported import Cell, Reported, Row
from tasks.errors import InputError

FILE = "results.json"

UNIFORM = "uniform"
"""The simulator whose LogLoss is that of uniform probabilities, wherever the number of slots varies."""


def from_results(values: Mapping[str, Any], source: str) -> Reported:
    """Return the results of a run as a reported table.

    Means weigh users alike and count ties with their chance: a count has a grid only where every user has one
    session. Stars are none of theirs.

    Args:
        values: The document.
        source: Where it was read from.

    Raises:
        InputError: It is damaged.
    """
    try:
        rows = []
        uniform = None
        for row in values["simulators"]:
            cells = {str(name): _cell(str(name), value) for name, value in row["metrics"].items()}
            fixed = all(cell.sd is None for cell in cells.values())
            rows.append(Row("", str(values["task"]), "", "", str(row["name"]), fixed, cells))
            if row["name"] == UNIFORM and "LogLoss" in cells:
                uniform = float(cells["LogLoss"].mean)
        if values.get("uniform_logloss") is not None:
            uniform = float(values["uniform_logloss"])
        slots = [int(count) for count in values.get("slots") or ()]
        setting = setting_of(
            int(values["n_sessions"]),
            int(values.get("n_users", 0)),
            max(1, len(values["seeds"])),
            n_slots=slots[0] if len(slots) == 1 else None,
            most_slots=max(slots, default=None),
            uniform_logloss=uniform,
        )
        notice = str(values.get("notice") or "")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"these results of a run are damaged ({error!r}). Run again.") from error
    return Reported(source, tuple(rows), {str(values["task"]): setting}, notes=(notice,) if notice else ())


def _cell(metric: str, value: Mapping[str, Any]) -> Cell:
    low, high, sd = (
        None if value.get(key) is None else computed(float(value[key])) for key in ("low", "high", "seed_sd")
    )
    interval = None if low is None or high is None else interval_of(metric, low, high)
    return Cell(computed(float(value["mean"])), sd, interval=interval)
