"""Stars compared with mean, SD and number of seeds.

Stars come from paired t-tests over s seeds: t = d / (sd_d / sqrt(s)) with s - 1 degrees of freedom, two-sided, where d
is the difference of two means and sd_d the SD of the s differences. sd_d is hardly ever reported. It depends on both
SDs and on the correlation r between the two simulators over seeds:

    sd_d^2 = sd_a^2 + sd_b^2 - 2 r sd_a sd_b.

So the stars say what r must have been, or that no r will do:

- The baseline is deterministic: sd_b = 0, sd_d = sd_a, and the stars follow.
- Both SDs are given: |sd_a - sd_b| <= sd_d <= sd_a + sd_b.
- Only sd_a is given: with D = |d| sqrt(s) / t_crit, the largest sd_d that earns the stars, any baseline with a small SD
  will do if sd_a <= D; otherwise r must be at least sqrt(1 - (D / sd_a)^2), which it is for sd_b = sqrt(sd_a^2 - D^2).

Numbers are taken at the end of their rounding that favours the report.
"""

import math
from dataclasses import dataclass

from scipy.special import stdtr, stdtrit

from benchmark.audit.findings import UNLIKELY, Outcome, Severity
from benchmark.audit.granularity import known
from benchmark.audit.reported import Cell, Reported, Row

NOTED = 0.05
"""Chance of the needed correlation between independent seeds below which it is noted; below ``UNLIKELY`` it is that."""


@dataclass(frozen=True, slots=True)
class _Test:
    """One starred value and its baseline; ``base_sd``: least and largest SD of that, None if nothing is known of it."""

    row: Row
    metric: str
    cell: Cell
    base: Cell
    seeds: int
    base_sd: tuple[float, float] | None

    @property
    def gap(self) -> float:
        """The difference of the numbers as printed."""
        return float(self.cell.mean) - float(self.base.mean)

    @property
    def difference(self) -> tuple[float, float]:
        """Least and largest absolute difference of what is printed so."""
        low = float(self.cell.mean.low - self.base.mean.high)
        high = float(self.cell.mean.high - self.base.mean.low)
        return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))

    @property
    def sd(self) -> tuple[float, float]:
        """Least and largest SD that is printed so."""
        assert self.cell.sd is not None
        return max(0.0, float(self.cell.sd.low)), float(self.cell.sd.high)


def check(reported: Reported) -> Outcome:
    """Compare every starred value with its mean, SD and the number of seeds."""
    found = Outcome("stars", "values with stars", "SD, seeds or the baseline's value are not there")
    fixed: list[_Test] = []
    for row, metric, cell in reported.cells():
        if cell.stars is None:
            continue
        base, seeds = reported.baseline_of(row, metric), reported.seeds(row)
        if base is None or cell.sd is None or seeds is None or seeds < 2 or cell.stars > len(reported.levels):
            found.left += 1
            continue
        found.checked += 1
        _check_direction(found, row, metric, cell, base[1])
        given = base[1].sd
        base_sd = None if given is None else (max(0.0, float(given.low)), float(given.high))
        if base[0].deterministic:
            base_sd = (0.0, 0.0)
        test = _Test(row, metric, cell, base[1], seeds, base_sd)
        if _follows(found, test, reported) and base_sd == (0.0, 0.0):
            fixed.append(test)
    if fixed:
        _add_summary(found, fixed, reported)
    return found


def _check_direction(found: Outcome, row: Row, metric: str, cell: Cell, base: Cell) -> None:
    """Find stars that are said to mark a gain where the value is the worse one, or the other way round."""
    about = known(metric)
    if not cell.stars or cell.better is None or about is None:
        return
    larger, smaller = cell.mean.low > base.mean.high, cell.mean.high < base.mean.low
    gain, loss = (larger, smaller) if about.higher_is_better else (smaller, larger)
    if loss if cell.better else gain:
        what = f"the stars are said to mark a {'gain' if cell.better else 'loss'}, which it is not."
        found.add("impossible", row.where, metric, what, f"{cell.mean} against {base.mean}")


def critical(seeds: int, level: float) -> float:
    """Return the t that a two-sided paired t-test over ``seeds`` seeds needs for p = ``level``."""
    return float(stdtrit(seeds - 1, 1 - level / 2))


def p_value(difference: float, sd: float, seeds: int) -> float:
    """Return the two-sided p of a paired t-test, from the SD of the differences over seeds (ddof = 1).

    It is 0 for a difference without spread, 1 for no difference.
    """
    if difference == 0:
        return 1.0
    if sd == 0:
        return 0.0
    return float(2 * stdtr(seeds - 1, -abs(difference) / (sd / math.sqrt(seeds))))


def needed_correlation(sd_a: float, sd_b: float | None, largest: float) -> float | None:
    """Return the least correlation over seeds with which the SD of differences is at most ``largest``.

    It is -1 if any will do, None if none will. An unknown ``sd_b`` is the one that needs the least correlation.
    """
    if sd_b is None:
        return -1.0 if sd_a <= largest else math.sqrt(1 - (largest / sd_a) ** 2)
    if sd_a * sd_b == 0:
        return -1.0 if max(sd_a, sd_b) <= largest else None
    needed = (sd_a**2 + sd_b**2 - largest**2) / (2 * sd_a * sd_b)
    return None if needed > 1 else max(-1.0, needed)


def correlation_chance(least: float, seeds: int) -> float:
    """Return the chance that two independent normal samples of size ``seeds`` correlate at least so much."""
    if least <= -1:
        return 1.0
    if seeds < 3:
        return 0.5
    if least >= 1:
        return 0.0
    return float(stdtr(seeds - 2, -least * math.sqrt((seeds - 2) / (1 - least**2))))


def _follows(found: Outcome, test: _Test, reported: Reported) -> bool:
    """Return whether the stars of one value follow from its numbers; add what is wrong if they do not."""
    stars = test.cell.stars or 0
    if stars:
        level = reported.levels[stars - 1]
        largest = test.difference[1] * math.sqrt(test.seeds) / critical(test.seeds, level)
        needed = _least_needed(test, largest)
        if needed is None or correlation_chance(needed, test.seeds) < NOTED:
            _add_too_many(found, test, level, largest, needed)
            return False
    if stars < len(reported.levels) and test.base_sd is not None:
        # the fewest stars come about with the largest spread of the differences: correlation -1
        level = reported.levels[stars]
        worst = test.sd[1] + test.base_sd[1]
        p = p_value(test.difference[0], worst, test.seeds)
        if p < level:
            said = f"{_stars(test)} only" if stars else "no star"
            what = f"{said}, though p is below {level:g} whatever the correlation over seeds."
            arithmetic = f"{_reckoning(test)}; the SD of differences is at most {worst:.4f}, so p <= {p:.2g}"
            found.add("impossible", test.row.where, test.metric, what, arithmetic)
            return False
    return True


def _least_needed(test: _Test, largest: float) -> float | None:
    """Return the least correlation needed over all SDs that are printed as these are."""
    if test.base_sd is None:
        return needed_correlation(test.sd[0], None, largest)
    # for one SD fixed, the least correlation is needed where the other is sqrt(fixed^2 - largest^2), or at an end of
    # its rounding; both cannot be inside their rounding at once
    pairs = []
    for fixed in test.sd:
        pairs += [(fixed, other) for other in _candidates(fixed, test.base_sd, largest)]
    for fixed in test.base_sd:
        pairs += [(other, fixed) for other in _candidates(fixed, test.sd, largest)]
    known = [needed for a, b in pairs if (needed := needed_correlation(a, b, largest)) is not None]
    return min(known) if known else None


def _candidates(fixed: float, ends: tuple[float, float], largest: float) -> list[float]:
    low, high = ends
    best = math.sqrt(max(0.0, fixed**2 - largest**2))
    return [low, high, min(max(best, low), high)]


def _reckoning(test: _Test) -> str:
    return f"d = {test.cell.mean} - {test.base.mean}, SD {test.cell.sd}, {test.seeds} seeds"


def _stars(test: _Test) -> str:
    return f"{test.cell.stars} star{'s' if test.cell.stars != 1 else ''}"


def _add_too_many(found: Outcome, test: _Test, level: float, largest: float, needed: float | None) -> None:
    stars = f"{_stars(test)} (p < {level:g})"
    arithmetic = (
        f"{_reckoning(test)}; p < {level:g} needs |t| > {critical(test.seeds, level):.3f}, so an SD of differences of "
        f"at most {largest:.4f}"
    )
    severity: Severity = "impossible"
    if test.base_sd == (0.0, 0.0):
        p = p_value(test.difference[1], test.sd[0], test.seeds)
        what = f"{stars} do not follow: the baseline is the same under every seed, so that p is {p:.3g} or more."
    elif needed is None:
        what = f"{stars} do not follow from the two SDs, whatever the correlation over seeds."
        arithmetic += f"; it is at least the difference of the SDs, {test.cell.sd} and {test.base.sd}"
    else:
        of_base = f"the baseline's SD, {test.base.sd}" if test.base.sd else "the baseline's SD that suits them best"
        chance = correlation_chance(needed, test.seeds)
        what = (
            f"for {stars} the two must correlate by {needed:.3f} or more over seeds, with {of_base}; independent seeds "
            f"do so with chance {chance:.2g}."
        )
        severity = "unlikely" if chance < UNLIKELY else "note"
    found.add(severity, test.row.where, test.metric, what, arithmetic)


def _add_summary(found: Outcome, tests: list[_Test], reported: Reported) -> None:
    """Note that stars follow from a baseline without spread, and what they would need from one with it."""
    starred = [test for test in tests if test.cell.stars]
    earned = (sum(_p_as_printed(test) < level for level in reported.levels) for test in tests)
    as_printed = sum(stars == test.cell.stars for stars, test in zip(earned, tests, strict=True))
    what = (
        f"{len(tests)} of {len(tests)} stars follow from mean, SD and seeds within rounding ({as_printed} with the "
        "numbers as printed), taking the baseline to be the same under every seed, so that its SD is 0."
    )
    demands = []
    for test in starred:
        largest = abs(test.gap) * math.sqrt(test.seeds)
        largest /= critical(test.seeds, reported.levels[(test.cell.stars or 1) - 1])
        sd = float(test.cell.sd) if test.cell.sd is not None else 0.0
        if sd > 0:
            demands.append((needed_correlation(sd, sd, largest) or -1.0, test, largest))
    if not starred:
        what = (
            f"none of {len(tests)} values has a star, as follows from mean, SD and seeds within rounding, taking the "
            "baseline to be the same under every seed, so that its SD is 0."
        )
        nearest = min(tests, key=_p_as_printed)
        where = f"{nearest.row.where}, {nearest.metric}"
        arithmetic = f"the nearest: {where}: {_reckoning(nearest)}; p = {_p_as_printed(nearest):.3g}"
    elif not demands:
        arithmetic = "every SD is 0"
    else:
        positive = sum(needed > 0 for needed, _, _ in demands)
        needed, test, largest = max(demands, key=lambda demand: demand[0])
        what += (
            f" Were the baseline's SD as large as the value's, {positive} of {len(demands)} would need a correlation "
            "over seeds above 0."
        )
        low, high = (p_value(test.gap, sd, test.seeds) for sd in test.sd)
        arithmetic = (
            f"the most demanding: {test.row.where}, {test.metric}: {_reckoning(test)}, SD of differences at most "
            f"{largest:.4f}; p = {low:.3g} .. {high:.3g} with a fixed baseline, r >= {needed:.2f} with one of the same "
            "SD"
        )
    tables = list(dict.fromkeys(f"table {test.row.table}" if test.row.table else test.row.task for test in tests))
    metrics = ", ".join(dict.fromkeys(test.metric for test in tests))
    found.add("note", ", ".join(filter(None, tables)) or "the table", metrics, what, arithmetic)


def _p_as_printed(test: _Test) -> float:
    sd = float(test.cell.sd) if test.cell.sd is not None else 0.0
    return p_value(test.gap, sd, test.seeds)
