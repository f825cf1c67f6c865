"""Compares predictions under a condition with those on the unaltered stimuli: session by session, then over users.

Where a prediction names no single slot (no answer and several largest probabilities, several largest attentions), ties
count in expectation, as in the metrics.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics import get
from benchmark.parts.answer import choice, largest
from benchmark.simulator import Floats, Prediction
from benchmark.statistics import mean_interval, paired_comparison
from benchmark.statistics.clusters import SessionMeans
from benchmark.statistics.design import Design, Factor
from benchmark.statistics.registry import corrected_p
from benchmark.statistics.statistic import Bounds, known
from tasks.altered import NOWHERE, Altered

ITEM, PLACE, LABEL, NEITHER = "answer_item", "answer_place", "answer_label", "answer_neither"
CHANCE = "chance"
TOP_ITEM, TOP_PLACE, R_ITEM, R_PLACE = "top_item", "top_place", "correlation_item", "correlation_place"
FOLLOWING = (ITEM, PLACE, LABEL, NEITHER, CHANCE, TOP_ITEM, TOP_PLACE, R_ITEM, R_PLACE)
"""The columns of :func:`following`."""

OFFERED = "top_offered"
"""Column: chance that the largest attention is on the slot whose label was offered."""


def following(
    own: Prediction, other: Prediction, altered: Altered, labels: tuple[Sequence[str], Sequence[str]]
) -> dict[str, float]:
    """Return what a prediction goes with once items, places and labels have been taken apart, for one session.

    ``own`` is the prediction on the unaltered stimulus, ``other`` that on the altered one; ``labels`` are the names
    that the simulator has for the slots, before and after.

    Returns:
        Column of ``FOLLOWING`` -> value; NaN where the prediction has no such part or the session cannot show it: the
        slot chosen before has the same item, place and label after.
    """
    found = dict.fromkeys(FOLLOWING, math.nan)
    k = len(altered.item)
    item, place = np.array(altered.item), np.array(altered.place)
    bears = {label: slot for slot, label in enumerate(labels[0])}
    label = np.array([bears.get(name, NOWHERE) for name in labels[1]])
    same = (item == place) & (item == label)
    before, after = (choice(row.answer, row.probabilities, k) for row in (own, other))
    if before is not None and after is not None and not before[item[same]].any():
        found[ITEM] = _share(before, after, item)
        found[PLACE] = _share(before, after, place)
        found[LABEL] = _share(before, after, label)
        ways = np.array([item, place, label])
        gone = [1.0 - sum({int(w): before[w] for w in ways[:, j] if w != NOWHERE}.values()) for j in range(k)]
        found[NEITHER] = float(after @ np.array(gone))
        found[CHANCE] = 1.0 / k
    first, second = own.attention, other.attention
    if first is None or second is None:
        return found
    top = largest(first), largest(second)
    assert top[0] is not None and top[1] is not None
    if not top[0][item[same]].any():
        found[TOP_ITEM], found[TOP_PLACE] = _share(top[0], top[1], item), _share(top[0], top[1], place)
    moved = ~same
    found[R_ITEM] = _correlation(first[item[moved]], second[moved])
    if (place != NOWHERE).all():
        found[R_PLACE] = _correlation(first[place[moved]], second[moved])
    return found


def offered(attention: Any, slot: int) -> float:
    """Return the chance that the largest attention is on ``slot``; NaN without attention."""
    top = largest(attention)
    return math.nan if top is None else float(top[slot])


def _share(before: Floats, after: Floats, comes_from: np.ndarray[Any, Any]) -> float:
    """Return the chance that a slot chosen afterwards comes from the one chosen before; NaN if that is nowhere."""
    if (comes_from == NOWHERE).all():
        return math.nan
    there = comes_from != NOWHERE
    return float(after[there] @ before[comes_from[there]])


def _correlation(a: Floats, b: Floats) -> float:
    """Return Pearson's r, NaN where one side does not vary."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    return float(np.corrcoef(a, b)[0, 1])


LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over users (sessions and seeds averaged within) with its 95 % interval over users and, known, screens.

    Attributes:
        value: The mean; None without a single value.
        low: Lower end; None for fewer than two users.
        p: Of the paired t-test against what it was compared with, the larger of that over users and, where screens
            repeat, that over users and screens; None without one.
        n: Sessions in the mean.
    """

    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int

    @property
    def shown(self) -> bool:
        """Whether its test shows a difference."""
        return self.p is not None and self.p <= LEVEL


def estimate(
    values: pd.DataFrame, column: str, against: str | None = None, *, difference: bool = False, metric: str = ""
) -> Estimate:
    """Average over users a column of ``values``: a row per session and seed, NaN where a session says nothing.

    ``against`` is another column that it is tested against, paired over users; sessions need both. With ``difference``
    the difference of the two is estimated instead of ``column`` itself. ``metric`` is the metric that the columns hold;
    without one they are shares or correlations. Screens count where ``values`` has a column ``screen``.
    """
    columns = [column] if against is None else [column, against]
    kept = values.dropna(subset=columns)
    if kept.empty:
        return Estimate(None, None, None, None, 0)
    keys = [name for name in ("user", "session_id", "screen") if name in kept]
    sessions = kept.groupby(keys, sort=True)[columns].mean().reset_index()
    screens = Factor.of_labels(sessions["screen"].tolist()) if "screen" in keys else None
    of = sessions[columns].to_numpy(dtype=np.float64)
    means = SessionMeans(tuple(columns), of, Design(Factor.of_labels(sessions["user"].tolist()), screens))
    users = means.users.to_numpy()
    p = None
    if against is not None:
        apart = means.clustered(of[:, 0] - of[:, 1])
        compared = paired_comparison(users[:, 0], users[:, 1], n_resamples=0, clustered=apart)
        p = known(corrected_p(compared.tests))
    if difference and against is not None:
        return Estimate(compared.mean_difference, known(compared.low), known(compared.high), p, len(sessions))
    low = -1.0 if column in (R_ITEM, R_PLACE) else 0.0
    bounds = get(metric).bounds if metric else Bounds(low, 1.0)
    shown = mean_interval(users[:, 0], clustered=means.clustered(of[:, 0]), bounds=bounds)
    return Estimate(shown.mean, known(shown.low), known(shown.high), p, len(sessions))
