"""Do reported numbers fit together? Checks of any table of results, from what is printed alone.

``audit(reported)`` returns what is found, ``examine(reported)`` also what was looked at. ``read(path)`` takes in a
file, ``from_values`` numbers that you have. No data and no model is needed.
"""

from benchmark.audit import copies, grim, grimmer, improvement, intervals, one_run, ranges, stars
from benchmark.audit.findings import Finding, Outcome, in_order
from benchmark.audit.reading import from_values, read
from benchmark.audit.reported import Reported, Setting

CHECKS = (
    ranges.check_range,
    ranges.check_order,
    intervals.check,
    intervals.check_range,
    grim.check,
    grimmer.check,
    improvement.check,
    stars.check,
    one_run.check,
    ranges.check_uniform,
    copies.check_repeats,
    copies.check_coinciding,
    copies.check_quoted,
)
"""The checks; a new one is a function here."""


def examine(reported: Reported) -> list[Outcome]:
    """Return what each check looked at and found."""
    return [check(reported) for check in CHECKS]


def audit(reported: Reported) -> list[Finding]:
    """Return everything that is impossible, unlikely or worth a note in a reported table, the gravest first."""
    return in_order(examine(reported))


__all__ = ["Finding", "Outcome", "Reported", "Setting", "audit", "examine", "from_values", "in_order", "read"]
