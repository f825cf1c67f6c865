"""The t-test over users and screens, where screens repeat (PROTOCOL section 8; see ``statistics.design``)."""

import math

from scipy.special import stdtr

from benchmark.statistics.statistic import Sample, Statistic


def two_way_p(sample: Sample) -> float:
    """Return the two-sided p; NaN where screens do not repeat, or where nothing varies over users and screens."""
    found = sample.clustered
    if found is None or found.error <= sample.unit:
        return math.nan
    return float(2 * stdtr(found.degrees, -abs(float(sample.values.mean())) / found.error))


STATISTIC = Statistic(
    "two_way", "users and screens", "test", "t-test over users and screens (two-way clustered).", two_way_p
)
