"""Predictions against human sessions: one row of metrics per simulator, seed and session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmark.metrics import asked_of, measure
from benchmark.naming import labelled
from benchmark.parts.checking import claimed
from benchmark.parts.ragged import Ints
from benchmark.scores import tested
from benchmark.scores.checking import codes
from benchmark.scores.predictions import cells_of

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tasks.task import Task

KEYS = ("simulator", "seed", "fold", "session_id", "user", "screen", "failed")
"""The columns of a scores table that are not metrics."""


def test_slots(task: Task, split: str) -> dict[str, int]:
    """Return session_id -> K of every test session of a split, fold by fold."""
    found = tested.of_task(task, split)
    return dict(zip(found.ids, found.slots.tolist(), strict=True))


def score(task: Task, split: str, found: pa.Table) -> pd.DataFrame:
    """Score predictions (PROTOCOL section 5).

    A part that a simulator gives for no session at all is not claimed: its metrics are blank. A session without a part
    that the simulator claims counts with the worst value of each metric of that part. Where a test session's path was
    not recorded, as in data without fixations, the metrics that are compared with paths are blank, see ``unrecorded``.

    Args:
        task: The task the predictions are about.
        split: Name of the split.
        found: Checked predictions, columns of ``predictions.schema``.

    Returns:
        A table with the columns ``KEYS`` and one column per metric, those of a family that stays apart only if one is
        claimed. ``failed`` counts the claimed metrics that a session has for want of a part and that count with their
        worst value. Rows of attention computed for the true click carry a name of their own, ``labelled``.
    """
    import pandas as pd
    import pyarrow as pa

    sessions = tested.of_task(task, split)
    count = len(sessions.sessions)
    cells = cells_of(found)
    names, of_row = _shown_names(found)
    group, pairs = pd.factorize(codes([pa.array(of_row), found["seed"].combine_chunks()]))
    first = np.full(len(pairs), len(found))
    np.minimum.at(first, group, np.arange(len(found)))
    order = np.argsort(of_row[first], kind="stable")  # simulator by simulator, each with its seeds as they come
    first, group = first[order], np.argsort(order)[group]
    places = sessions.places(found["session_id"].combine_chunks())
    rows = np.full(len(first) * count, -1, dtype=np.int64)
    known = np.flatnonzero(places >= 0)
    rows[group[known] * count + places[known]] = known
    session, simulator = np.tile(np.arange(count), len(first)), np.repeat(of_row[first], count)

    metrics = asked_of(claimed(cells))
    values = measure(metrics, sessions.people, cells, session, rows)
    claims = {name: np.bincount(of_row[c.present], minlength=len(names)) > 0 for name, c in cells.items()}
    failed = np.zeros(len(rows), dtype=np.int64)
    for metric, measured in zip(metrics, values, strict=True):
        if not sessions.people.recorded(metric.against).all():
            measured[:] = np.nan
            continue
        asked = np.logical_or.reduce([claims[need] for need in metric.needs])
        blank = asked[simulator] & np.isnan(measured)
        measured[blank] = metric.worst
        failed += blank
    columns = {
        "simulator": pd.array(names, dtype="str").take(simulator),
        "seed": np.repeat(found["seed"].to_numpy()[first], count),
        "fold": sessions.folds[session],
        "session_id": pd.array(sessions.ids, dtype="str").take(session),
        "user": pd.array([s.user for s in sessions.sessions], dtype="str").take(session),
        "screen": pd.array([s.screen for s in sessions.sessions], dtype="str").take(session),
        "failed": failed,
    }
    table: pd.DataFrame = pd.DataFrame(
        {**columns, **{m.name: measured for m, measured in zip(metrics, values, strict=True)}}, copy=False
    )
    return table


def unrecorded(task: Task, split: str, found: pa.Table) -> str:
    """Return what must be said where predictions of next visits have no recorded path to compare with; empty if not."""
    paths = tested.of_task(task, split).people.path.lengths
    missing = int((paths == 0).sum())
    if not missing or "next_visit" not in claimed(cells_of(found)):
        return ""
    return f"{missing} of {len(paths)} test sessions have no recorded fixations, so no metric of the order is computed"


def _shown_names(found: pa.Table) -> tuple[list[str], Ints]:
    """Return the names of results rows, in the order in which they come, and which of them each prediction is of."""
    import pandas as pd

    columns = [found[name].combine_chunks().dictionary_encode() for name in ("simulator", "target")]
    simulators, targets = ([value.as_py() for value in column.dictionary] for column in columns)
    which, pairs = pd.factorize(columns[0].indices.to_numpy() * len(targets) + columns[1].indices.to_numpy())
    shown = [labelled(simulators[pair // len(targets)], targets[pair % len(targets)]) for pair in pairs.tolist()]
    of_pair, names = pd.factorize(np.array(shown, dtype=object))
    return names.tolist(), of_pair[which]
