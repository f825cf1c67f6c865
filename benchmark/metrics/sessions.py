"""Measures many sessions at once: groups them by their number of slots and works in bounded blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.metrics.block import TIES, Block
from benchmark.metrics.inputs import Names, check_slots, read_indices, read_part
from benchmark.metrics.registry import all_metrics, get
from tasks.errors import InputError, unknown_name

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
) -> pd.DataFrame:
    """Compute the metrics of PROTOCOL section 5 for every session.

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
        metrics: Names of the metrics to compute; all by default.

    Returns:
        One row per session in the order given, one float64 column per metric in the registry's order (KL, JS,
        Cosine, CSH@1, CSH@3, CSH@5, TGO@1, TGO@3, TGO@5, Accuracy, LogLoss, AUC), NaN where the part was not
        supplied. The index is ``session_ids``, or 0..n-1.

    Raises:
        InputError: A session has fewer than two slots, a NaN, infinite or negative number, a zero sum, a part
            of the wrong length, a click or answer that is none of its slots; the message names the session
            and the part. Or ``ties`` or a metric's name is unknown.
    """
    import pandas as pd

    if ties not in TIES:
        raise unknown_name("ties mode", str(ties), TIES)
    chosen = all_metrics() if metrics is None else tuple(get(name) for name in metrics)
    names = Names(() if session_ids is None else list(session_ids))
    if gaze is None:
        raise InputError("gaze is missing. Give one array of dwell times per session.")
    human = read_part("gaze", gaze, None, names)
    count = len(human.lengths)
    if session_ids is not None and len(names.ids) != count:
        raise InputError(f"session_ids has {len(names.ids)} entries for {count} sessions. Give one per session.")
    seen = read_part("attention", attention, count, names)
    odds = read_part("probabilities", probabilities, count, names)
    check_slots(human, (seen, odds))
    clicks = read_indices("click", click, human.lengths, names, optional=False)
    answers = read_indices("answer", answer, human.lengths, names, optional=True)
    present = {"attention": seen.present, "probabilities": odds.present, "answer": answers >= 0}

    values = np.full((len(chosen), count), np.nan)
    for slots in np.unique(human.lengths).tolist():
        group = np.flatnonzero(human.lengths == slots)
        step = max(1, BLOCK_NUMBERS // slots)
        for start in range(0, len(group), step):
            rows = group[start : start + step]
            block = Block(
                gaze=human.scores(rows, slots),
                click=clicks[rows],
                attention=seen.scores(rows, slots),
                probabilities=odds.scores(rows, slots),
                answer=answers[rows],
                ties=ties,
            )
            for column, metric in enumerate(chosen):
                measured = np.logical_or.reduce([present[need][rows] for need in metric.needs])
                if measured.any():
                    values[column, rows] = np.where(measured, metric.function(block), np.nan)
    index = None if session_ids is None else pd.Index(names.ids, name="session_id")
    table: pd.DataFrame = pd.DataFrame(values.T, columns=[metric.name for metric in chosen], index=index)
    return table
