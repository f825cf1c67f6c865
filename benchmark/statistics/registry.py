"""The registry of statistics: what results, tables and pages show of every comparison and mean.

To add one, write a file with a ``STATISTIC`` next to the others and add its name to ``MODULES``.
"""

import importlib
import math
from collections.abc import Mapping

from benchmark.statistics.statistic import Statistic

MODULES = ("t_interval", "paired_t", "two_way", "wilcoxon", "bootstrap")
"""The files of this folder that declare a statistic, in column order."""

STATISTICS: tuple[Statistic, ...] = tuple(
    importlib.import_module(f"benchmark.statistics.{module}").STATISTIC for module in MODULES
)

TESTS = tuple(one for one in STATISTICS if one.kind == "test")

MAIN_INTERVAL, *_OTHERS = (one for one in STATISTICS if one.kind == "interval")
"""The interval that results call ``low`` and ``high``."""

INTERVALS = tuple(_OTHERS)
"""The other intervals, each shown in a column of its own."""

CORRECTED = ("t", "two_way")
"""The tests of which the larger p is corrected over a family of comparisons."""


def corrected_p(tests: Mapping[str, float]) -> float:
    """Return the p that is corrected: the larger of those of ``CORRECTED``, NaN where none is known."""
    known = [tests[name] for name in CORRECTED if not math.isnan(tests.get(name, math.nan))]
    return max(known, default=math.nan)
