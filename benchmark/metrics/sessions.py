"""Measures many sessions at once: groups them by their number of slots and works in bounded blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.metrics.block import TIES, Block, Scores
from benchmark.metrics.inputs import Human, human, read_cells, require
from benchmark.metrics.registry import Metric, asked_of, get
from benchmark.parts import PARTS, next_visit, part_names
from benchmark.parts.ragged import Floats, Ints, Ragged
from tasks.errors import InputError, require_known

if TYPE_CHECKING:
    import pandas as pd

BLOCK_NUMBERS = 1 << 16
"""Numbers per array of a block (512 KiB in float64): what a metric allocates stays in the processor's cache."""


def evaluate_sessions(
    gaze: Any,
    click: Any,
    attention: Any = None,
    probabilities: Any = None,
    answer: Any = None,
    ties: str = "expected",
    session_ids: Sequence[Any] | None = None,
    *,
    metrics: Sequence[str] | None = None,
    visits: Any = None,
    **later: Any,
) -> pd.DataFrame:
    """Compute the metrics of every session (PROTOCOL sections 5 and 10).

    ``gaze``, ``attention`` and ``probabilities`` are 2-D arrays of shape (sessions, K) or sequences of 1-D
    arrays, whose lengths may differ between sessions. Gaze (any unit) and attention are divided by their
    sums. A part may be missing as a whole, or for single sessions (None in its place, -1 also for an answer).

    Args:
        gaze: Human dwell times per slot, non-negative with a positive sum.
        click: The clicked slot of every session, 0..K-1.
        attention: The simulator's attention per slot, non-negative with a positive sum.
        probabilities: Its click probabilities, of sum 1 within 1e-3 (the rest is divided out).
        answer: The slot it answered with. Where it is missing, Accuracy falls back on the probabilities.
        ties: ``expected`` ranks equal values by expectation over random orders; ``last`` is the parity mode,
            where the last slot goes first in CSH, TGO and Accuracy (AUC counts ties one half in both).
        session_ids: Names of the sessions, for messages and for the index.
        metrics: Names of the metrics to compute; by default all, those of the order family only with ``next_visit``.
        visits: The slots that each session visited, in time order, for ``next_visit``; an empty list or None where they
            were not recorded: such a session has no metric of the order family.
        later: Parts that are newer than these three, by name: ``next_visit``, given the path so far, an array of shape
            (visits + 1, K + 1) per session.

    Returns:
        One row per session in the order given, one float64 column per metric in the registry's order, NaN where the
        part was not supplied. The index is ``session_ids``, or 0..n-1.

    InputError if a session has fewer than two slots, a NaN, infinite or negative number, a zero sum, a part of the
    wrong length, a click or answer that is none of its slots; the message names the session and the part. Or ``ties``
    or a metric's name is unknown.
    """
    import pandas as pd

    require_known("ties mode", [str(ties)], TIES)
    given = {**dict(zip(part_names(), (attention, probabilities, answer), strict=False)), **later}
    supplied = [name for name, values in given.items() if values is not None]
    chosen = asked_of(supplied) if metrics is None else tuple(get(name) for name in metrics)
    ids = [] if session_ids is None else list(session_ids)

    def names(position: int) -> str:
        return f"session {ids[position] if position < len(ids) else position}"

    if gaze is None:
        raise InputError("gaze is missing. Give one array of dwell times per session.")
    people = human(gaze, click, visits, names)
    slots = people.dwell.lengths
    count = len(slots)
    if session_ids is not None and len(ids) != count:
        raise InputError(f"session_ids has {len(ids)} entries for {count} sessions. Give one per session.")
    cells = {}
    for part in PARTS:
        cells[part.name] = read_cells(part, given.get(part.name), count, names)
        along = (people.path.lengths + 1, slots + 1) if part.name == next_visit.PART.name else None
        require(part, cells[part.name], slots, names, along)
    every = np.arange(count)
    values = measure(chosen, people, cells, every, every, ties)
    index = None if session_ids is None else pd.Index(ids, name="session_id")
    table: pd.DataFrame = pd.DataFrame(values.T, columns=[metric.name for metric in chosen], index=index)
    return table


def measure(
    metrics: Sequence[Metric],
    people: Human,
    cells: Mapping[str, Ragged],
    sessions: Ints,
    rows: Ints,
    ties: str = TIES[0],
) -> Floats:
    """Compute metrics of predictions that were checked.

    ``cells`` are part -> its cells, one per prediction. ``sessions``, shape (n,), says which session of ``people`` is
    measured, possibly many times, and ``rows``, shape (n,), with which prediction, -1 where there is none. Returns
    shape (metrics, n); NaN where the prediction has none of the parts that a metric needs, or the session was not
    recorded in what it is compared with.
    """
    values = np.full((len(metrics), len(rows)), np.nan)
    there = {name: (rows >= 0) & found.present[rows] for name, found in cells.items() if found.present.any()}
    asked = [(i, m, [there[need] for need in m.needs if need in there]) for i, m in enumerate(metrics)]
    lengths = people.dwell.lengths[sessions]
    for slots in np.unique(lengths).tolist():
        group = np.flatnonzero(lengths == slots)
        step = max(1, BLOCK_NUMBERS // slots)
        for start in range(0, len(group), step):
            some = group[start : start + step]
            which = sessions[some]
            gaze = Scores.of(people.dwell.matrix(which, slots, 1.0))
            block = Block(gaze, people.clicks[which], cells, rows[some], ties, people.path, which)
            for column, metric, needs in asked:
                measured = np.logical_or.reduce([need[some] for need in needs]) if needs else np.False_
                if measured.any():
                    values[column, some] = np.where(measured, metric.function(block), np.nan)
    return values
