"""Statistics by PROTOCOL section 8: the unit of analysis is the user.

:mod:`clusters` turns the score table into user means, :mod:`design` says what users and screens a mean varies with,
:mod:`comparison` compares two simulators by the tests and intervals of :mod:`registry` (one file each), :mod:`holm`
corrects a family of comparisons, :mod:`power` says what the test set can resolve, :mod:`seeds` reports the spread over
training seeds and the paper's test.
"""

from benchmark.statistics.bootstrap import bootstrap_tables
from benchmark.statistics.clusters import CLUSTER, ScoreCube, session_means, user_means
from benchmark.statistics.comparison import Comparison, compare_pairs, mean_interval, paired_comparison
from benchmark.statistics.holm import holm, holm_adjust
from benchmark.statistics.seeds import PaperComparison, paper_mode, seed_sd, under_every_seed

__all__ = [
    "CLUSTER",
    "Comparison",
    "PaperComparison",
    "ScoreCube",
    "bootstrap_tables",
    "compare_pairs",
    "holm",
    "holm_adjust",
    "mean_interval",
    "paired_comparison",
    "paper_mode",
    "seed_sd",
    "session_means",
    "under_every_seed",
    "user_means",
]
