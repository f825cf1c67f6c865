"""What a statistic is: a test of a difference between two simulators, or an interval of a mean over users."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def known(value: float | None) -> float | None:
    """Return a number that is finite, None for any other: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)


@dataclass(frozen=True, slots=True)
class Clustered:
    """The standard error of a mean over users and screens, and its degrees of freedom (``statistics.design``)."""

    error: float
    degrees: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range of what is averaged; ``open_above`` where its upper end is none by nature, as that of KL."""

    low: float
    high: float
    open_above: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What a statistic is computed from.

    Attributes:
        values: One value per user, shape (n,), n at least 2: means, or paired differences of two simulators.
        unit: Differences between values of at most this size are rounding.
        resampled: Means of the values over bootstrap resamples of users, shape (n_resamples,), the same resamples for
            all simulators; None where none were drawn.
        clustered: What the mean varies with over users and screens; None where screens do not repeat.
        bounds: The range of the values; None for what has none, as differences.
    """

    values: Floats
    unit: float = 0.0
    resampled: Floats | None = None
    clustered: Clustered | None = None
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic, declared next to its function; its name in ``results.json``, its title in tables and pages.

    A ``test`` gives the two-sided p of no difference, NaN where there is none, an ``interval`` the lower and the upper
    limit of a mean or of a mean difference.
    """

    name: str
    title: str
    kind: Literal["test", "interval"]
    definition: str
    function: Callable[[Sample], Any] = field(repr=False)
