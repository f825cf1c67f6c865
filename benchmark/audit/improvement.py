"""Improvement percentages compared with their parts.

The improvement on a baseline b is (a - b) / b where more is better and (b - a) / b where less is; both signs pass
for the latter unless the report says which it prints, and for a metric that the suite does not know. It may have been
worked out from unrounded numbers: every pair that is printed as the parts are is allowed.
"""

from collections.abc import Callable
from fractions import Fraction

from benchmark.audit.findings import Outcome
from benchmark.audit.granularity import known
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Cell, Gain, Reported, Row

_Formula = Callable[[Fraction, Fraction], Fraction]

_FORMULAS: dict[str, _Formula] = {
    "the difference in points": lambda a, b: (a - b) * 100,
    "the difference as a share of the value itself": lambda a, b: (a - b) / a * 100,
    "the ratio to the baseline": lambda a, b: a / b * 100,
}
"""Other numbers that are printed as improvements; all are monotone in each part while both are above 0."""


def gain(a: Fraction, b: Fraction) -> Fraction:
    """Return how much ``a`` lies above ``b``, in percent of ``b``."""
    return (a - b) / b * 100


def check(reported: Reported) -> Outcome:
    """Check every improvement against the value and the baseline's value."""
    found = Outcome("improvement", "improvement percentages", "the baseline's value is not there, or is not above 0")
    for row, metric, cell in reported.cells():
        if cell.improvement is None:
            continue
        base = reported.baseline_of(row, metric)
        if base is None or base[1].mean.low <= 0:
            found.left += 1
            continue
        found.checked += 1
        _compare(found, row, metric, cell, cell.improvement, base[1].mean, reported.setting(row).improvement)
    return found


def span(formula: _Formula, a: Printed, b: Printed) -> tuple[Fraction, Fraction]:
    """Return the least and largest result of a formula over all numbers that are printed as ``a`` and ``b``."""
    corners = [formula(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)


def _compare(
    found: Outcome, row: Row, metric: str, cell: Cell, said: Printed, base: Printed, meaning: Gain | None
) -> None:
    about = known(metric)
    if about is None:
        meaning = None  # what a gain is cannot be said
    lower = about is None or not about.higher_is_better
    low, high = span(gain, cell.mean, base)
    as_change = said.meets(low, high) and not (lower and meaning == "gain")
    as_gain = lower and meaning != "change" and said.meets(-high, -low)
    if as_change or as_gain:
        return
    sign = -1 if lower and meaning != "change" else 1
    first, last = sorted((float(sign * low), float(sign * high)))
    parts = f"({base} - {cell.mean}) / {base}" if sign < 0 else f"({cell.mean} - {base}) / {base}"
    arithmetic = f"{parts} = {first:.2f} .. {last:.2f} %, not {said} %"
    if said.meets(-high, -low) or said.meets(low, high):
        found.add("impossible", row.where, metric, "the improvement has the wrong sign.", arithmetic)
        return
    for name, formula in _FORMULAS.items() if cell.mean.low > 0 else ():
        other_low, other_high = span(formula, cell.mean, base)
        if said.meets(other_low, other_high) or said.meets(-other_high, -other_low):
            what = f"the improvement is {name}, not its share of the baseline."
            found.add("note", row.where, metric, what, arithmetic)
            return
    what = "the improvement does not follow from its parts, however they were rounded."
    found.add("impossible", row.where, metric, what, arithmetic)
