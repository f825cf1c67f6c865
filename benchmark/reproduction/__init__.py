"""The paper's tables from our own runs: layouts, the runs behind them, and five formats to read them in."""

from benchmark.reproduction.groups import Choice, Found, Group, Missing, Ran, groups_of, run_groups, trials_of
from benchmark.reproduction.printing import document, write
from benchmark.reproduction.section import Layout, layouts, read_layout
from benchmark.reproduction.table import ReproducedTable, build

__all__ = [
    "Choice",
    "Found",
    "Group",
    "Layout",
    "Missing",
    "Ran",
    "ReproducedTable",
    "build",
    "document",
    "groups_of",
    "layouts",
    "read_layout",
    "run_groups",
    "trials_of",
    "write",
]
