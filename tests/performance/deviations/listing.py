"""All deviations, in the order of docs/deviations.md."""

from __future__ import annotations

from tests.performance.deviations import adserp, metrics, probing, recgaze, splits, tuning
from tests.performance.deviations.measuring import Deviation

DEVIATIONS: tuple[Deviation, ...] = (
    *adserp.DEVIATIONS,
    *recgaze.DEVIATIONS,
    *splits.DEVIATIONS,
    *metrics.DEVIATIONS,
    *probing.DEVIATIONS,
    *tuning.DEVIATIONS,
)
