"""What a submission's clicks and attention depend on: its predictions under stress conditions, measured by the board.

A condition is a function of the data and the session, with the published seed (``benchmark.stress``), so the board can
work out what was altered. Per session it stores, next to the metrics, what the answer and the attention
followed; the page's numbers and readings are made from these columns alone.
"""

import math

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmark.metrics import names as metric_names
from benchmark.naming import LAYOUT, OWN, RELABEL, SWAP_USERS, TRUE_LABEL, WRONG_LABEL
from benchmark.scores import predictions, tested
from benchmark.simulator import Prediction
from benchmark.stress import conditions as published
from benchmark.stress import measures, rows
from benchmark.stress.records import StressRow
from leaderboard.board_scores import KEYS, MEASURED, PREFIX, STRESS_COLUMNS
from leaderboard.context import TaskContext
from leaderboard.entries import SWAPPED
from tasks.errors import InputError
from tasks.registry import definition, names
from tasks.task import Task
from tasks.types import Session

_CONDITION = {SWAPPED: SWAP_USERS}
"""Condition on the board -> condition of the stress tests, where the two have different names."""


def measured(task: Task, split: str, found: pa.Table) -> pd.DataFrame | None:
    """Return what canonical predictions under the conditions followed, one row each; None without any.

    The columns are condition, seed, session_id and ``STRESS_COLUMNS``. InputError if a prediction under a condition has
    none with the same seed on the stimuli as they were seen.
    """
    sessions = {s.session_id: s for s in tested.of_task(task, split).sessions}
    own = predictions.by_session(predictions.chosen(found, simulator=OWN))
    rows = []
    for condition in MEASURED:
        for (seed, session_id), row in predictions.by_session(predictions.chosen(found, simulator=condition)).items():
            before = own.get((seed, session_id))
            if before is None:
                raise InputError(
                    f"session '{session_id}' is predicted under '{condition}' with seed {seed} and not as it was seen; "
                    "give both the same seeds."
                )
            values = _values(condition, before, row, sessions[session_id], task.digests[split])
            key = {"condition": condition, "seed": seed, "session_id": session_id}
            rows.append({**key, **{PREFIX + name: value for name, value in values.items()}})
    return pd.DataFrame(rows) if rows else None


def _values(condition: str, before: Prediction, after: Prediction, session: Session, digest: str) -> dict[str, float]:
    """Return measure -> value for one session under a condition."""
    found = dict.fromkeys((*measures.FOLLOWING, measures.OFFERED), math.nan)
    if condition in (TRUE_LABEL, WRONG_LABEL):
        slot = session.click if condition == TRUE_LABEL else published.wrong_label(session, digest)
        chance = 1.0 / len(session.slots)
        return {**found, measures.OFFERED: measures.offered(after.attention, slot), measures.CHANCE: chance}
    altered = published.alter(condition, session.stimulus(), digest, None, draw=False)
    labels = tuple(s.label for s in session.slots), tuple(s.label for s in altered.stimulus.slots)
    return {**found, **measures.following(before, after, altered, labels)}


def with_measures(task: Task, split: str, said: pa.Table, scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores, with ``STRESS_COLUMNS`` where there are predictions under conditions."""
    found = measured(task, split, said)
    if found is None:
        return scores
    joined: pd.DataFrame = scores.merge(found, on=list(KEYS), how="left", validate="one_to_one")
    return joined


def stress_rows(name: str, scores: pa.Table, context: TaskContext) -> list[StressRow]:
    """Return what a page shows of the stress conditions in a result's stored scores; empty without any."""
    table = scores.to_pandas()
    there = set(table["condition"])
    if OWN not in there:
        return []
    user = dict(zip(context.sessions, context.users, strict=True))
    table["user"] = [user[session] for session in table["session_id"]]
    for column in STRESS_COLUMNS:
        if column not in table.columns:
            table[column] = math.nan
    table = table.rename(columns={column: column.removeprefix(PREFIX) for column in STRESS_COLUMNS})
    named: pd.DataFrame = table.assign(simulator=[_CONDITION.get(c, c) for c in table["condition"]])
    found: list[StressRow] = []
    if RELABEL in there:
        drawn = definition(context.task).info.answer_format if context.task in names() else "label"
        found += rows.relabel(name, named[named["condition"] == RELABEL], named, drawn)
    if SWAPPED in there:
        found += rows.swap_users(name, named, {}, unchanged=_equal(named, OWN, SWAPPED))
    if {TRUE_LABEL, WRONG_LABEL} <= there:
        found += rows.label_leak(name, named, named)
    if LAYOUT in there:
        found += rows.layout(name, named[named["condition"] == LAYOUT], named, sees_screen=True)
    return found


def _equal(table: pd.DataFrame, a: str, b: str) -> bool:
    """Return whether two conditions have the same scores, session by session."""
    key = ["seed", "session_id"]
    claimed = [name for name in metric_names() if name in table.columns]
    x, y = (table[table["condition"] == c].sort_values(key)[claimed].to_numpy(float) for c in (a, b))
    return x.shape == y.shape and bool(np.array_equal(x, y, equal_nan=True))
