"""Values that no data can give, and values that are worse than knowing nothing."""

import math
from fractions import Fraction
from itertools import pairwise

from benchmark.audit.findings import Outcome
from benchmark.audit.granularity import hits_at, known
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Cell, Reported, Row, Setting

SLACK = 1e-9


def limits(metric: str) -> tuple[float, float] | None:
    """Return the lowest and the highest value of a metric, or None for one that is not known."""
    found = known(metric)
    if found is None:
        return None
    low, high = found.range
    if not found.unbounded:
        return low, high
    return (-math.inf, high) if found.higher_is_better else (low, math.inf)


def check_range(reported: Reported) -> Outcome:
    """Find values, and SDs, that lie outside of what the metric can be; note metrics that are not known."""
    found = Outcome("range", "values and SDs", "the metric is not known")
    unknown: dict[str, int] = {}
    for row, metric, cell in reported.cells():
        ends = limits(metric)
        if ends is None:
            unknown[metric] = unknown.get(metric, 0) + 1
            found.left += 1
            continue
        found.checked += 1
        low, high = ends
        if cell.mean.high < low - SLACK or cell.mean.low > high + SLACK:
            below = cell.mean.high < low
            what = f"{metric} is never {f'below {low:g}' if below else f'above {high:.6g}'}{_hint(metric, cell.mean)}."
            arithmetic = f"{metric} = {cell.mean} {f'< {low:g}' if below else f'> {high:.6g}'}"
            found.add("impossible", row.where, metric, what, arithmetic)
        elif cell.sd is not None:
            _check_spread(found, reported.seeds(row), row, metric, cell, low, high)
    for name, count in unknown.items():
        what = "this suite does not know the metric: its range, direction and granularity are not checked."
        found.add("note", "the table", name, what, f"values: {count}")
    return found


def _hint(metric: str, mean: Printed) -> str:
    about = known(metric)
    if about is not None and about.unit == "nats" and 0 <= mean.value <= about.range[1] / math.log(2):
        return "; in bits, or as its square root, it would be possible"
    if about is not None and about.range == (0.0, 1.0) and 1 < mean.value <= 100:
        return "; if the value is in percent, say so (write 52.7%)"
    return ""


def _check_spread(
    found: Outcome, seeds: int | None, row: Row, metric: str, cell: Cell, low: float, high: float
) -> None:
    """Find an SD that is negative, or larger than values between ``low`` and ``high`` with that mean can have."""
    assert cell.sd is not None
    if cell.sd.high < 0:
        found.add("impossible", row.where, metric, "an SD is never negative.", f"SD = {cell.sd} < 0")
        return
    if math.isinf(high) or seeds == 1:
        return
    # the farthest apart that values can be is at the two ends; a sample SD widens that by s / (s - 1)
    widen = Fraction(2) if seeds is None else Fraction(seeds, seeds - 1)
    ends = Fraction(low), Fraction(high)
    nearest = min(max(sum(ends) / 2, cell.mean.low), cell.mean.high)
    largest = max(Fraction(0), (nearest - ends[0]) * (ends[1] - nearest)) * widen
    if max(cell.sd.low, Fraction(0)) ** 2 > largest + Fraction(SLACK):
        what = f"values in {low:g}..{high:.4g} with mean {cell.mean} have no SD as large as {cell.sd}."
        bound = f"sqrt((mean - {low:g}) ({high:.4g} - mean) x {float(widen):g})"
        found.add("impossible", row.where, metric, what, f"SD <= {bound} = {math.sqrt(float(largest)):.4f}")


def check_order(reported: Reported) -> Outcome:
    """Find CSH@k, or another hit among k slots, that falls as k grows: the first 3 slots are among the first 5."""
    found = Outcome("order", "pairs of CSH@k")
    for row in reported.rows:
        named = sorted((*at, name) for name in row.cells if (at := hits_at(name)))
        for (stem, _, narrow), (other, _, wide) in pairwise(named):
            if stem != other:
                continue
            found.checked += 1
            few, many = row.cells[narrow].mean, row.cells[wide].mean
            if few.low > many.high + Fraction(SLACK):
                what = f"{narrow} is above {wide}: a hit among fewer slots is a hit among more."
                found.add("impossible", row.where, f"{narrow}, {wide}", what, f"{few} > {many}")
    return found


def _bracket(names: list[str]) -> str:
    return f" ({', '.join(names)})" if any(names) else ""


def _of_uniform(setting: Setting) -> tuple[float, str] | None:
    """Return the LogLoss of uniform probabilities and its name, or None where it is not known."""
    if setting.uniform_logloss is not None:
        return setting.uniform_logloss, "uniform"
    return None if setting.n_slots is None else (math.log(setting.n_slots), f"ln {setting.n_slots}")


def check_uniform(reported: Reported) -> Outcome:
    """Note LogLoss that is worse than that of uniform probabilities, method by method."""
    found = Outcome("uniform", "LogLoss", "the number of slots is not given")
    groups: dict[tuple[str, str, float, str], list[tuple[Row, Cell]]] = {}
    for row, metric, cell in reported.subjects():
        if metric == "LogLoss":
            chance = _of_uniform(reported.setting(row))
            if chance is None:
                found.left += 1
            else:
                found.checked += 1
                groups.setdefault((row.task, row.method, *chance), []).append((row, cell))
    for (task, method, uniform, name), entries in groups.items():
        worse = [(row, cell) for row, cell in entries if float(cell.mean.low) > uniform + SLACK]
        if not worse:
            continue
        every = "the" if len(entries) == 1 else f"{len(worse)} of {len(entries)}"
        rows = "row is" if len(worse) == 1 and len(entries) == 1 else "rows are"
        what = f"{every} {rows} worse than uniform probabilities ({name} = {uniform:.3f}), which know nothing."
        operators: dict[tuple[str, Printed], list[str]] = {}
        for row, cell in worse:
            operators.setdefault((row.backbone or row.method, cell.mean), []).append(row.operator)
        listed = [
            f"{subject}{_bracket(names)}: {mean} - {uniform:.4f} = +{float(mean) - uniform:.4f}".removeprefix(": ")
            for (subject, mean), names in operators.items()
        ]
        where = ", ".join(filter(None, (task, method))) or "the table"
        found.add("note", where, "LogLoss", what, "; ".join(listed))
    return found
