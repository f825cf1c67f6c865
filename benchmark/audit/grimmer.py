"""GRIMMER: can this SD over seeds belong to this mean of whole counts?

The s counts behind a mean are whole numbers c_1 .. c_s with a known total T. Their sum of squares Q is whole too, is
odd or even as T is, and the SD is a function of T and Q alone. Where no Q in the interval that the printed SD leaves
open can be reached by s whole numbers of total T, the two numbers do not belong together. Source: Anaya 2016, The
GRIMMER test, PeerJ Preprints 4:e2400v1; the condition on odd and even after Allard 2018, Analytic-GRIMMER. Since s is
small, here the whole numbers are searched for, so the answer is exact.
"""

import functools
import math
from collections.abc import Callable
from fractions import Fraction

from benchmark.audit import granularity
from benchmark.audit.findings import Outcome
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Reported

DEGREES = {"sample": 1, "population": 0}
"""Kind of SD -> what is taken from the number of seeds in its divisor."""

MOST_SEEDS = 40
MOST_TOTALS = 2_000
MOST_STEPS = 20_000
"""Beyond these the search is given up and the numbers pass: it never objects to what it has not refuted."""

NEAR = 200
"""How far the nearest sums are looked for that a finding names."""


_Fitting = tuple[str, list[str], Callable[[str], str]]
"""Where an SD is, of which kinds it can be, and the arithmetic for a kind."""


def check(reported: Reported) -> Outcome:
    """Compare every SD over seeds of a count metric with its mean."""
    why = "sessions or seeds are not given, there is one seed, sessions do not count whole, or the mean failed"
    found = Outcome("grimmer", "SDs of count metrics", why)
    fitting: dict[str, list[_Fitting]] = {}
    for row, metric, cell in reported.cells():
        setting = reported.setting(row)
        if cell.sd is None or granularity.per_session(metric, setting.n_slots) is None:
            continue
        most, seeds = granularity.counts(metric, setting), reported.seeds(row)
        if most is None or seeds is None or seeds < 2 or not granularity.fits(cell.mean, most * seeds):
            found.left += 1
            continue
        found.checked += 1
        kinds = [setting.sd] if setting.sd else list(DEGREES)
        fit = [kind for kind in kinds if possible(cell.mean, cell.sd, most, seeds, DEGREES[kind])]
        if not fit:
            what = f"no {seeds} counts of 0 to {most} have mean {cell.mean} and SD {cell.sd} ({' or '.join(kinds)} SD)"
            parts = [_arithmetic(cell.mean, cell.sd, most, seeds, kind) for kind in kinds]
            severity, assumed = granularity.weight(setting)
            found.add(severity, row.where, metric, f"{what}{assumed}.", "; ".join(parts))
        elif setting.sd is None:
            reckoned = functools.partial(_arithmetic, cell.mean, cell.sd, most, seeds)
            fitting.setdefault(row.task, []).append((f"{row.where}, {metric}", fit, reckoned))
    for task, entries in fitting.items():
        _add_kind(found, task, entries)
    return found


def possible(mean: Printed, sd: Printed, most: int, seeds: int, degrees: int) -> bool:
    """Return whether ``seeds`` counts of 0..``most`` have this mean and SD of count / ``most``, as printed.

    ``degrees`` is 1 for a sample SD, 0 for a population SD.
    """
    if sd.high < 0:
        return False
    low, high = (max(Fraction(0), edge) ** 2 * most**2 * (seeds - degrees) for edge in (sd.low, sd.high))
    candidates = granularity.totals(mean.low, mean.high, most * seeds)
    if len(candidates) > MOST_TOTALS:
        return True
    for total in candidates:
        centre = Fraction(total * total, seeds)
        if reachable(seeds, total, math.ceil(centre + low), math.floor(centre + high), most):
            return True
    return False


def reachable(numbers: int, total: int, low: int, high: int, most: int) -> bool:
    """Return whether so many whole numbers of 0..``most`` have this total and a sum of squares of ``low``..``high``."""
    if not _bounded(numbers, total, low, high, most):
        return False
    if numbers > MOST_SEEDS:
        return True
    steps = 0
    refuted: set[tuple[int, int, int, int]] = set()

    def search(numbers: int, total: int, low: int, high: int, most: int) -> bool:
        """Take the largest number away, the rest being no larger."""
        nonlocal steps
        if not _bounded(numbers, total, low, high, most):
            return False
        if numbers == 1:
            return True
        key = numbers, total, high, most
        if key in refuted:
            return False
        for largest in range(min(most, total), -(-total // numbers) - 1, -1):
            steps += 1
            if steps > MOST_STEPS:
                return True
            square = largest * largest
            if search(numbers - 1, total - largest, low - square, high - square, largest):
                return True
        refuted.add(key)
        return False

    return search(numbers, total, low, high, most)


def _bounded(numbers: int, total: int, low: int, high: int, most: int) -> bool:
    """Return whether nothing simple rules it out: the least and largest sum of squares, and odd or even."""
    if not 0 <= total <= numbers * most:
        return False
    each, more = divmod(total, numbers)
    least = numbers * each * each + more * (2 * each + 1)
    full, rest = divmod(total, most) if most else (0, 0)
    largest = full * most * most + rest * rest
    low, high = max(low, least), min(high, largest)
    # a number and its square are both odd or both even, so the sum of squares is as odd as the total
    return low + (low - total) % 2 <= high


def _arithmetic(mean: Printed, sd: Printed, most: int, seeds: int, kind: str) -> str:
    """Return the interval of the sum of squared deviations, and the sums next to it that whole numbers can have."""
    degrees = DEGREES[kind]
    total = granularity.totals(mean.low, mean.high, most * seeds)[0]
    low, high = (max(0.0, float(edge)) ** 2 * most**2 * (seeds - degrees) for edge in (sd.low, sd.high))
    centre = total * total / seeds
    start = math.floor(centre + low)
    below = next((q for q in range(start, start - NEAR, -1) if reachable(seeds, total, q, q, most)), None)
    above = next((q for q in range(start + 1, start + NEAR) if reachable(seeds, total, q, q, most)), None)
    near = [
        f"{q - centre:.2f} (SD {math.sqrt((q - centre) / (seeds - degrees)) / most:.{sd.decimals + 1}f})"
        for q in (below, above)
        if q is not None
    ]
    return (
        f"{kind} SD {sd} over counts of total {total}: squared deviations must sum to {low:.2f} .. {high:.2f}; "
        f"the nearest that whole counts have: {', '.join(near) or 'none'}"
    )


def _add_kind(found: Outcome, task: str, entries: list[_Fitting]) -> None:
    """Note that SDs can only be of one kind, where the report does not say which."""
    for kind, other in (("sample", "population"), ("population", "sample")):
        only = [(where, reckoned) for where, fit, reckoned in entries if fit == [kind]]
        if only and all(kind in fit for _, fit, _ in entries):
            where, reckoned = only[0]
            what = (
                f"the SDs fit as {kind} SDs (all {len(entries)}), not as {other} SDs: "
                f"{len(only)} of them no counts can have. The first: {where}."
            )
            found.add("note", task or "the table", "count metrics", what, reckoned(other))
