"""Predictions against human sessions: one row of metrics per simulator, seed and session."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.metrics import asked_of, measure
from benchmark.metrics.families import FAMILIES
from benchmark.naming import labelled
from benchmark.parts.checking import claimed
from benchmark.parts.ragged import Ints
from benchmark.scores import tested
from benchmark.scores.checking import codes
from benchmark.scores.predictions import cells_of
from tasks.task import Task

KEYS = ("simulator", "seed", "fold", "session_id", "user", "screen", "failed")
"""The columns of a scores table that are not metrics."""

UNINFORMED = "uniform"


def test_slots(task: Task, split: str) -> dict[str, int]:
    """Return session_id -> K of every test session of a split, fold by fold."""
    found = tested.of_task(task, split)
    return dict(zip(found.ids, found.slots.tolist(), strict=True))


def score(task: Task, split: str, found: pa.Table, ties: str = "expected") -> pd.DataFrame:
    """Score predictions (PROTOCOL section 5).

    A part that a simulator gives for no session at all is not claimed: its metrics are blank. A session without a part
    that the simulator claims counts with the worst value of each metric of that part. Where a test session's path was
    not recorded, as in data without fixations, there are no metrics that are compared with paths, see ``unrecorded``.

    ``found`` are checked predictions, columns of ``predictions.schema``; ``ties`` says how equal values are ranked, see
    ``metrics.evaluate_sessions``. Returns a table with the columns ``KEYS`` and one column per metric, those of a
    family that stays apart only if one is claimed. ``failed`` counts the claimed metrics that a session has for want of
    a part and that count with their worst value. Rows of attention computed for the true click carry a name of their
    own, ``labelled``.
    """
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

    metrics = asked_of(claims_of(task, split, found))
    values = measure(metrics, sessions.people, cells, session, rows, ties)
    claims = {name: np.bincount(of_row[c.present], minlength=len(names)) > 0 for name, c in cells.items()}
    failed = np.zeros(len(rows), dtype=np.int64)
    for metric, measured in zip(metrics, values, strict=True):
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


def claims_of(task: Task, split: str, found: pa.Table) -> tuple[str, ...]:
    """Return the parts that predictions claim and that can be scored, in the order of columns.

    A part of a family that stays apart counts only where every test session has a recorded path, and if not only
    ``uniform`` has it, which says something of every part.
    """
    recorded = tested.of_task(task, split).people.recorded.all()
    return tuple(name for name in _informed(found) if recorded or name not in _apart())


def unrecorded(task: Task, split: str, found: pa.Table) -> str:
    """Return what must be said where predictions of next visits have no recorded path to compare with; empty if not."""
    recorded = tested.of_task(task, split).people.recorded
    if recorded.all() or not _apart().intersection(_informed(found)):
        return ""
    said = f"{int((~recorded).sum())} of {len(recorded)} test sessions have no recorded fixations"
    return f"{said}, so no metric of the order is computed"


def _apart() -> set[str]:
    return {part for one in FAMILIES if one.apart for part in one.parts}


def _informed(found: pa.Table) -> tuple[str, ...]:
    """Return the parts that are claimed; of families that stay apart, those that others than ``uniform`` claim."""
    cells, apart = cells_of(found), _apart()
    informed = pc.not_equal(found["simulator"], UNINFORMED).to_numpy()
    return tuple(name for name in claimed(cells) if name not in apart or (cells[name].present & informed).any())


def _shown_names(found: pa.Table) -> tuple[list[str], Ints]:
    """Return the names of results rows, in the order in which they come, and which of them each prediction is of."""
    columns = [found[name].combine_chunks().dictionary_encode() for name in ("simulator", "target")]
    simulators, targets = ([value.as_py() for value in column.dictionary] for column in columns)
    which, pairs = pd.factorize(columns[0].indices.to_numpy() * len(targets) + columns[1].indices.to_numpy())
    shown = [labelled(simulators[pair // len(targets)], targets[pair % len(targets)]) for pair in pairs.tolist()]
    of_pair, names = pd.factorize(np.array(shown, dtype=object))
    return names.tolist(), of_pair[which]
