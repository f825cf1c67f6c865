"""Predictions against human sessions: one row of metrics per simulator, seed and session."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmark.metrics import all_metrics, evaluate_sessions

if TYPE_CHECKING:
    import pandas as pd

    from tasks.task import Task

KEYS = ("simulator", "seed", "fold", "session_id", "user", "failed")
"""The columns of a scores table that are not metrics."""


def test_slots(task: Task, split: str) -> dict[str, int]:
    """Return session_id -> K of every test session of a split, fold by fold."""
    found = {}
    for _, test in task.split(split).folds:
        for session in task.sessions_at(test):
            found[session.session_id] = len(session.slots)
    return found


def shown_name(simulator: str, target: str) -> str:
    """Return the name of a results row; attention computed for the true click has a row of its own."""
    return f"{simulator} [label]" if target == "label" else simulator


def score(task: Task, split: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Score predictions (PROTOCOL section 5).

    A part (attention, probabilities, answer) that a simulator gives for no session at all is not claimed: its
    metrics are blank. A session without a part that the simulator claims counts with the worst value of each
    metric of that part.

    Args:
        task: The task the predictions are about.
        split: Name of the split.
        frame: Predictions, columns of ``predictions.schema``, checked.

    Returns:
        A table with the columns ``KEYS`` and one column per metric. ``failed`` counts the claimed metrics that a
        session has for want of a part and that count with their worst value. Rows of attention computed for the
        true click carry a name of their own, ``shown_name``.
    """
    import pandas as pd

    sessions = [(fold, s) for fold, (_, test) in enumerate(task.split(split).folds) for s in task.sessions_at(test)]
    named = frame.assign(simulator=[shown_name(s, t) for s, t in zip(frame["simulator"], frame["target"], strict=True)])
    tables = []
    for simulator, of_simulator in named.groupby("simulator", sort=False):
        claims = {part: bool(of_simulator[part].notna().any()) for part in ("attention", "probabilities", "answer")}
        for seed, rows in of_simulator.groupby("seed", sort=False):
            by_session = {row.session_id: row for row in rows.itertuples(index=False)}
            found = [by_session.get(session.session_id) for _, session in sessions]
            parts = {
                part: [_value(row, part) for row in found] if claimed else None for part, claimed in claims.items()
            }
            values = evaluate_sessions(
                [s.gaze_ms for _, s in sessions],
                [s.click for _, s in sessions],
                parts["attention"],
                parts["probabilities"],
                parts["answer"],
                session_ids=[s.session_id for _, s in sessions],
            ).reset_index(drop=True)
            failed = _fill_worst(values, claims)
            keys = pd.DataFrame(
                {
                    "simulator": simulator,
                    "seed": seed,
                    "fold": [fold for fold, _ in sessions],
                    "session_id": [s.session_id for _, s in sessions],
                    "user": [s.user for _, s in sessions],
                    "failed": failed,
                }
            )
            tables.append(pd.concat([keys, values], axis=1))
    table: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return table


def _value(row: object, part: str) -> Any:
    """Return a part of a prediction row, None where it is missing."""
    value = getattr(row, part, None)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    import pandas as pd

    return None if value is pd.NA else value


def _fill_worst(values: pd.DataFrame, claims: dict[str, bool]) -> list[int]:
    """Put the worst value where a claimed metric is blank; return how many were blank per session."""
    parts = {part for part, claimed in claims.items() if claimed}
    failed = [0] * len(values)
    for metric in all_metrics():
        if metric.claimed(parts):
            blank = values[metric.name].isna()
            values.loc[blank, metric.name] = metric.worst
            failed = [n + int(b) for n, b in zip(failed, blank, strict=True)]
    return failed
