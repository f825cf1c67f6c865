"""Statistics by PROTOCOL section 8: the unit of analysis is the user.

:mod:`clusters` turns the score table into user means, :mod:`design` says what users and screens a mean varies with,
:mod:`comparison` compares two simulators by the tests and intervals of :mod:`registry` (one file each), :mod:`holm`
corrects a family of comparisons, :mod:`power` says what the test set can resolve, :mod:`seeds` reports the spread over
training seeds and the paper's test.
"""

from benchmark.statistics.bootstrap import (
    bootstrap_indices,
    bootstrap_interval,
    bootstrap_means,
    bootstrap_p,
    bootstrap_tables,
)
from benchmark.statistics.clusters import (
    CLUSTER,
    ID_COLUMNS,
    ScoreCube,
    SessionMeans,
    metric_names,
    seed_means,
    session_means,
    user_means,
)
from benchmark.statistics.comparison import Comparison, Interval, compare_pairs, mean_interval, paired_comparison
from benchmark.statistics.holm import holm, holm_adjust
from benchmark.statistics.power import paired_t_power, smallest_resolvable_difference
from benchmark.statistics.registry import STATISTICS
from benchmark.statistics.seeds import PaperComparison, paper_mode, seed_sd, under_every_seed

__all__ = [
    "CLUSTER",
    "ID_COLUMNS",
    "STATISTICS",
    "Comparison",
    "Interval",
    "PaperComparison",
    "ScoreCube",
    "SessionMeans",
    "bootstrap_indices",
    "bootstrap_interval",
    "bootstrap_means",
    "bootstrap_p",
    "bootstrap_tables",
    "compare_pairs",
    "holm",
    "holm_adjust",
    "mean_interval",
    "metric_names",
    "paired_comparison",
    "paired_t_power",
    "paper_mode",
    "seed_means",
    "seed_sd",
    "session_means",
    "smallest_resolvable_difference",
    "under_every_seed",
    "user_means",
]
