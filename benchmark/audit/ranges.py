"""Values that no data can give, and values that are worse than knowing nothing."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from benchmark.audit.findings import Finding, Outcome
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Cell, Reported, Row, Setting

_AT = re.compile(r"(CSH|TGO)@\d{1,4}", re.ASCII)
_CSH = re.compile(r"CSH@(\d{1,4})", re.ASCII)

_LIMITS: dict[str, tuple[float, float, str]] = {
    "KL": (0.0, math.inf, "KL of two distributions is never negative"),
    "JS": (0.0, math.log(2), "JS in nats is at most ln 2 = 0.6931, which no two distributions pass"),
    "Cosine": (0.0, 1.0, "the cosine of two vectors without negative numbers lies in 0..1"),
    "Accuracy": (0.0, 1.0, "a share lies in 0..1"),
    "LogLoss": (0.0, math.inf, "a logarithmic loss over slots is never negative"),
    "AUC": (0.0, 1.0, "a share lies in 0..1"),
}
"""Metric -> lowest value, highest value, why. KL and LogLoss are open above: their largest value hangs on an eps."""

SLACK = 1e-9


def limits(metric: str) -> tuple[float, float, str] | None:
    """Return the lowest and highest value of a metric and why, or None for one that is not known."""
    return _LIMITS["AUC"] if _AT.fullmatch(metric) else _LIMITS.get(metric)


def check_range(reported: Reported) -> Outcome:
    """Find values, and SDs, that lie outside of what the metric can be."""
    found: list[Finding] = []
    checked = 0
    for row, metric, cell in reported.cells():
        known = limits(metric)
        if known is None:
            continue
        checked += 1
        low, high, why = known
        if cell.mean.high < low - SLACK or cell.mean.low > high + SLACK:
            hint = _hint(metric, cell.mean)
            bound = f"< {low:g}" if cell.mean.high < low else f"> {high:.6g}"
            found.append(
                Finding("impossible", "range", row.where, metric, f"{why}{hint}.", f"{metric} = {cell.mean} {bound}")
            )
        elif cell.sd is not None:
            found.extend(_spread(reported, row, metric, cell, low, high))
    return Outcome("range", "values and SDs", checked, tuple(found))


def _hint(metric: str, mean: Printed) -> str:
    if metric == "JS" and 0 <= mean.value <= 1:
        return "; in bits, or as the distance (the square root), it would be possible"
    if metric not in ("KL", "JS", "LogLoss") and 1 < mean.value <= 100:
        return "; if the value is in percent, say so (write 52.7%)"
    return ""


def _spread(reported: Reported, row: Row, metric: str, cell: Cell, low: float, high: float) -> list[Finding]:
    """Find an SD that is negative, or larger than values between ``low`` and ``high`` with that mean can have."""
    assert cell.sd is not None
    if cell.sd.high < 0:
        why = "an SD is never negative."
        return [Finding("impossible", "range", row.where, metric, why, f"SD = {cell.sd} < 0")]
    seeds = reported.seeds(row)
    if math.isinf(high) or seeds == 1:
        return []
    # the farthest apart that values can be is at the two ends; a sample SD widens that by s / (s - 1)
    widen = Fraction(2) if seeds is None else Fraction(seeds, seeds - 1)
    ends = Fraction(low), Fraction(high)
    nearest = min(max(sum(ends) / 2, cell.mean.low), cell.mean.high)
    largest = max(Fraction(0), (nearest - ends[0]) * (ends[1] - nearest)) * widen
    if max(cell.sd.low, Fraction(0)) ** 2 <= largest + Fraction(SLACK):
        return []
    what = f"values in {low:g}..{high:.4g} with mean {cell.mean} have no SD as large as {cell.sd}."
    arithmetic = (
        f"SD <= sqrt((mean - {low:g}) ({high:.4g} - mean) x {float(widen):g}) = {math.sqrt(float(largest)):.4f}"
    )
    return [Finding("impossible", "range", row.where, metric, what, arithmetic)]


def check_order(reported: Reported) -> Outcome:
    """Find CSH@k that falls as k grows: the slots among the first 3 are among the first 5."""
    found: list[Finding] = []
    checked = 0
    for row in reported.rows:
        ranked = sorted((int(match[1]), name) for name in row.cells if (match := _CSH.fullmatch(name)))
        for (_, narrow), (_, wide) in zip(ranked, ranked[1:], strict=False):
            checked += 1
            few, many = row.cells[narrow].mean, row.cells[wide].mean
            if few.low > many.high + Fraction(SLACK):
                what = f"{narrow} is above {wide}: a hit among fewer slots is a hit among more."
                metrics = f"{narrow}, {wide}"
                found.append(Finding("impossible", "order", row.where, metrics, what, f"{few} > {many}"))
    return Outcome("order", "pairs of CSH@k", checked, tuple(found))


def _bracket(names: list[str]) -> str:
    return f" ({', '.join(names)})" if any(names) else ""


def _of_uniform(setting: Setting) -> tuple[float, str] | None:
    """Return the LogLoss of uniform probabilities and its name, or None where it is not known."""
    if setting.uniform_logloss is not None:
        return setting.uniform_logloss, "uniform"
    return None if setting.n_slots is None else (math.log(setting.n_slots), f"ln {setting.n_slots}")


def check_uniform(reported: Reported) -> Outcome:
    """Note LogLoss that is worse than that of uniform probabilities, method by method."""
    groups: dict[tuple[str, str, float, str], list[tuple[Row, Cell]]] = {}
    left = 0
    for row, metric, cell in reported.subjects():
        if metric == "LogLoss":
            chance = _of_uniform(reported.setting(row))
            if chance is None:
                left += 1
            else:
                groups.setdefault((row.task, row.method, *chance), []).append((row, cell))
    found = []
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
        found.append(Finding("note", "uniform", where, "LogLoss", what, "; ".join(listed)))
    reason = f"{left} left out: the number of slots is not given" if left else ""
    return Outcome("uniform", "LogLoss", sum(map(len, groups.values())), tuple(found), reason)
