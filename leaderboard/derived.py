"""What is derived from a ranked table: normalised scores, differences to baselines, personal gain."""

import math
from dataclasses import dataclass

import numpy as np

from benchmark.naming import SHARED
from benchmark.statistics.bootstrap import ROUNDING
from benchmark.statistics.t_interval import t_quantile
from leaderboard.board_table import UNSCORED, BoardTable
from leaderboard.entries import SWAPPED
from tasks.types import Floats


@dataclass(frozen=True, slots=True)
class UserEstimate:
    """A mean over users with its 95 % interval; ``reason`` says why it is NaN, and is empty otherwise."""

    mean: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    def scaled(self, factor: float) -> "UserEstimate":
        """Return the estimate in another unit, its ends in order."""
        low, high = sorted((self.low * factor, self.high * factor))
        return UserEstimate(self.mean * factor, low, high, self.reason)


def differences(table: BoardTable, a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean and 95 % limits of a minus b, paired over users (and screens where they repeat).

    ``a`` and ``b`` hold scores by session, shape (sessions, ...). The three arrays returned have the shape (...); the
    limits are NaN for fewer than two users, all are NaN where a or b is.
    """
    apart = a - b
    apart[np.abs(apart) <= ROUNDING * np.maximum(np.abs(a), np.abs(b))] = 0.0
    mean, error, degrees = table.design.estimate(apart.reshape(len(apart), -1))
    half = t_quantile(degrees) * error
    return tuple(end.reshape(apart.shape[1:]) for end in (mean, mean - half, mean + half))  # type: ignore[return-value]


def difference(table: BoardTable, a: Floats, b: Floats) -> UserEstimate:
    """Return :func:`differences` of two simulators on one metric, shape (sessions,) each."""
    if np.isnan(a).any() or np.isnan(b).any():
        return UserEstimate(reason="one of the two does not claim the metric")
    mean, low, high = differences(table, a, b)
    return UserEstimate(float(mean), float(low), float(high))


def scale(table: BoardTable, metric: int) -> tuple[float, float, str]:
    """Return what counts as 0 and as 1 on a metric, and why it has no scale (then both are NaN).

    They are the means of the prior and of the human reference of its family.
    """
    ends = table.metrics[metric].prior, table.metrics[metric].human_reference
    prior, human = map(table.find, ends)
    name = ends[1]
    if prior is None:
        return math.nan, math.nan, f"the board does not hold the {ends[0]}"
    if human is None:
        return math.nan, math.nan, f"no human reference: too few screens were seen by enough users ({name})"
    zero, one = (float(table.by_user[i][:, metric].mean()) for i in (prior, human))
    if math.isnan(zero) or math.isnan(one):
        return math.nan, math.nan, UNSCORED
    better = one > zero if table.metrics[metric].higher_is_better else one < zero
    if not better:
        return math.nan, math.nan, f"the human reference ({name}) does not beat the {ends[0]} here"
    return zero, one, ""


@dataclass(frozen=True, slots=True, eq=False)
class Normalised:
    """Scores between the prior of a metric's family (0) and the human reference (1), shape (rows, metrics).

    (score - prior) / (human - prior); above 1 and below 0 are possible, NaN is where a metric is not claimed or has no
    scale. The interval is that of the paired difference from the prior, with the two ends of the scale taken as fixed.
    ``reasons`` says per metric why it has no scale, and is empty where it has one.
    """

    mean: Floats
    low: Floats
    high: Floats
    reasons: tuple[str, ...]


def normalise(table: BoardTable) -> Normalised:
    """Return the normalised scores of a table."""
    shape = (len(table.rows), len(table.metrics))
    mean, low, high = (np.full(shape, np.nan) for _ in range(3))
    reasons = []
    for j, metric in enumerate(table.metrics):
        prior = table.find(metric.prior)
        zero, one, reason = scale(table, j)
        reasons.append(reason)
        if not reason and prior is not None:
            values = table.by_session[:, :, j].T
            ends = [end / (one - zero) for end in differences(table, values, values[:, prior, None])]
            mean[:, j], low[:, j], high[:, j] = ends[0], np.minimum(*ends[1:]), np.maximum(*ends[1:])
    return Normalised(mean, low, high, tuple(reasons))


@dataclass(frozen=True, slots=True)
class PersonalGain:
    """What a user's own prompt does for that user, in the metric's unit, positive is better.

    The own prompt against one prompt for all is the gain. Another user's prompt against the one for all is the control:
    a gain that is personal vanishes here. What needs swapped predictions is NaN if the submission gives none.
    """

    own_over_shared: UserEstimate
    swapped_over_shared: UserEstimate
    own_over_swapped: UserEstimate


def personal_gain(table: BoardTable, row: int, metric: int) -> PersonalGain | None:
    """Return the personal gain of a line, None where its submission gives no control predictions."""
    controls = table.rows[row].controls
    if not controls:
        return None
    sign = 1.0 if table.metrics[metric].higher_is_better else -1.0
    means = {name: values[:, :, metric].mean(axis=0) for name, values in controls.items()}
    own = table.by_session[row][:, metric]

    def gain(a: Floats | None, b: Floats | None) -> UserEstimate:
        if a is None or b is None:
            return UserEstimate(reason="not submitted")
        return difference(table, a, b).scaled(sign)

    shared, swapped = means.get(SHARED), means.get(SWAPPED)
    return PersonalGain(gain(own, shared), gain(swapped, shared), gain(own, swapped))
