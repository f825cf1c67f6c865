"""Our own results: ``results.json`` of a run, or what ``table --format json`` prints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmark.audit.printed import computed
from benchmark.audit.reported import Cell, Reported, Row, Setting
from tasks.errors import InputError

FILE = "results.json"

UNIFORM = "uniform"
"""The simulator whose LogLoss is that of uniform probabilities, wherever the number of slots varies."""


def from_results(values: Mapping[str, Any], source: str) -> Reported:
    """Return the results of a run as a reported table.

    Means weigh users alike and count ties with their chance, so that no count has a grid. Stars are none of theirs.

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
            cells = {name: _cell(value) for name, value in row["metrics"].items()}
            fixed = all(cell.sd is None for cell in cells.values())
            rows.append(Row("", str(values["task"]), "", "", str(row["name"]), fixed, cells))
            if row["name"] == UNIFORM and "LogLoss" in cells:
                uniform = float(cells["LogLoss"].mean)
        setting = Setting(
            n_sessions=int(values["n_sessions"]),
            n_seeds=len(values["seeds"]) or None,
            uniform_logloss=uniform,
            average="users",
            ties="expected",
            sd="sample",
        )
        notice = str(values.get("notice") or "")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"these results of a run are damaged ({error!r}). Run again.") from error
    return Reported(source, tuple(rows), {str(values["task"]): setting}, notes=(notice,) if notice else ())


def _cell(value: Mapping[str, Any]) -> Cell:
    sd = value.get("seed_sd")
    return Cell(computed(float(value["mean"])), None if sd is None else computed(float(sd)))
