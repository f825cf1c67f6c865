"""Do numbers that are said to be means over seeds look like those of one run?

The total of s counts is a multiple of s only now and then: if every remainder is as likely, once in s. Then the mean
is a whole count over n, as in a single run. One such mean says nothing, a whole table of them much.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from benchmark.audit import granularity
from benchmark.audit.findings import UNLIKELY, Outcome
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Cell, Reported, Row

CENTRES = 64
"""Places between two whole counts over which the chance is averaged."""

SHOWN = 6
AUC = "AUC"


@dataclass(frozen=True, slots=True)
class _Value:
    """A mean over seeds, whether it is printed as a whole count over ``most`` is, and the chance of that."""

    row: Row
    metric: str
    cell: Cell
    most: int
    whole: bool
    chance: float


def check(reported: Reported) -> Outcome:
    """Count, per task, the means over seeds that are whole counts of one run."""
    why = "sessions or seeds are not given, the digits are too few, or sessions do not count whole"
    found = Outcome("one-run", "means over seeds", why)
    for task in dict.fromkeys(row.task for row in reported.rows):
        for metrics in ("count metrics", AUC):
            values, left = _values(reported, task, pairs=metrics == AUC)
            found.checked += len(values)
            found.left += left if metrics != AUC else 0
            if values and _together(values) < UNLIKELY:
                _add(found, task, metrics, values, reported)
    return found


def _values(reported: Reported, task: str, *, pairs: bool) -> tuple[list[_Value], int]:
    """Return the means over seeds of count metrics, and how many cannot be distinguished from those of one run.

    With ``pairs`` those of AUC: with K slots and no ties a session scores a multiple of 1 / (K - 1).
    """
    values, left = [], 0
    for row, metric, cell in reported.subjects():
        setting, seeds = reported.setting(row), reported.seeds(row)
        per_session = granularity.per_session(metric, setting.n_slots)
        looked = granularity.counts_pairs(metric) if pairs else per_session is not None
        if row.task != task or not looked or row.deterministic or seeds == 1:
            continue
        most = granularity.counts(metric, setting)
        if most is None or seeds is None or not granularity.decides(cell.mean, most * seeds):
            left += 1
            continue
        whole = granularity.fits(cell.mean, most)
        values.append(_Value(row, metric, cell, most, whole, chance(cell.mean, cell.sd, most, seeds)))
    return values, left


def chance(mean: Printed, sd: Printed | None, most: int, seeds: int) -> float:
    """Return the chance that a mean over seeds is printed as a whole count over ``most``, which one run can score.

    Without an SD every remainder of the total, divided by ``seeds``, is taken to be as likely. With one the counts
    are taken to be normal with that SD (its lower end) and rounded, averaged over where between two counts they are
    centred: seeds that hardly differ are more often whole.
    """
    near = [r for r in range(seeds) if min(r, seeds - r) <= 2 * mean.half * most * seeds]
    spread = math.inf if sd is None else max(0.0, float(sd.low)) * most
    if spread >= seeds:
        return len(near) / seeds
    remainders = _remainders(spread, seeds)
    return float(min(1.0, sum(remainders[r] for r in near)))


def _remainders(spread: float, seeds: int) -> npt.NDArray[np.float64]:
    """Return the chance of each remainder of the total of ``seeds`` rounded normals, shape (seeds,)."""
    found = np.zeros(seeds)
    reach = math.ceil(8 * spread) + 1
    counts = np.arange(-reach, reach + 2)
    for centre in (np.arange(CENTRES) + 0.5) / CENTRES:
        if spread > 0:
            shares = ndtr((counts + 0.5 - centre) / spread) - ndtr((counts - 0.5 - centre) / spread)
        else:
            shares = (counts == np.floor(centre + 0.5)).astype(np.float64)
        single = np.bincount(counts % seeds, weights=shares, minlength=seeds)
        # the remainder of a sum is a circular convolution, a power in the Fourier domain
        found += np.fft.ifft(np.fft.fft(single) ** seeds).real
    return np.clip(found / CENTRES, 0.0, 1.0)


def tail(chances: Sequence[float], at_least: int) -> float:
    """Return the chance that at least so many of independent events of these chances happen."""
    shares = np.zeros(len(chances) + 1)
    shares[0] = 1.0
    for p in chances:
        shares[1:] = shares[1:] * (1 - p) + shares[:-1] * p
        shares[0] *= 1 - p
    return float(min(1.0, shares[at_least:].sum()))


def _add(found: Outcome, task: str, metrics: str, values: list[_Value], reported: Reported) -> None:
    whole = [v for v in values if v.whole]
    others = [v for v in values if not v.whole]
    seeds = reported.setting(values[0].row).n_seeds
    what = (
        f"{len(whole)} of {len(values)} values of simulators that are not deterministic are whole counts of one run, "
        f"though they are said to be means over {seeds} seeds: they are of one run, or their seeds hardly differ. "
        f"{_by_grid(values)}."
    )
    differing = sum(v.cell.sd is not None and v.cell.sd.low > 0 for v in whole)
    if differing:
        what += f" {differing} of them have an SD above 0, so that their seeds do differ."
    if others:
        listed = [f"{v.metric} {v.cell.mean} ({v.row.where})" for v in others[:SHOWN]]
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        what += f" Not of this kind: {', '.join(listed)}{more}."
    if metrics == AUC:
        what += f" This takes AUC per session, without ties.{_deterministic_auc(task, values[0].most, reported)}"
    rows: dict[tuple[str, ...], list[_Value]] = {}
    for value in values:
        rows.setdefault(value.row.subject, []).append(value)
    # whatever hangs together within a row, all of it is whole no more often than its least likely value
    per_row = [min(v.chance for v in of_row) for of_row in rows.values()]
    whole_rows = sum(all(v.whole for v in of_row) for of_row in rows.values())
    distinct = _distinct(values)
    apart = " that differ within their row" if len(distinct) < len(values) else ""
    arithmetic = (
        f"a mean over {seeds} seeds is whole with chance {_range([v.chance for v in values])}; "
        f"{sum(v.whole for v in distinct)} or more of {len(distinct)}{apart}: "
        f"{_small(_together(values))} if they are independent; all values whole in {whole_rows} or more of "
        f"{len(rows)} rows: {_small(tail(per_row, whole_rows))} at most, whatever hangs together within a row"
    )
    found.add("unlikely", task or "the table", metrics, what, arithmetic)


def _distinct(values: list[_Value]) -> list[_Value]:
    """Return the values without those that repeat mean and SD of another metric of their row, which add nothing."""
    found: dict[tuple[object, ...], _Value] = {}
    for value in values:
        sd = None if value.cell.sd is None else value.cell.sd.value
        found.setdefault((value.row.subject, value.most, value.cell.mean.value, sd), value)
    return list(found.values())


def _together(values: list[_Value]) -> float:
    """Return the chance that so many of the distinct values are whole, if they are independent."""
    distinct = _distinct(values)
    return tail([v.chance for v in distinct], sum(v.whole for v in distinct))


def _by_grid(values: list[_Value]) -> str:
    parts = []
    for most in sorted({v.most for v in values}):
        on = [v for v in values if v.most == most]
        metrics = "/".join(dict.fromkeys(v.metric for v in on))
        parts.append(f"{metrics}: {sum(v.whole for v in on)} of {len(on)} multiples of 1/{most}")
    return "; ".join(parts)


def _deterministic_auc(task: str, most: int, reported: Reported) -> str:
    """Return a warning if AUC of deterministic rows is off the grid too: then the AUC is another one."""
    given = [
        cell.mean
        for row, metric, cell in reported.subjects()
        if row.task == task and granularity.counts_pairs(metric) and row.deterministic
    ]
    off = sum(not granularity.fits(mean, 2 * most) for mean in given)
    if not off:
        return ""
    return (
        f" {off} of {len(given)} deterministic values are no multiple of 1/{2 * most} either, as one run with ties "
        "would be: AUC may be defined otherwise."
    )


def _range(chances: list[float]) -> str:
    low, high = min(chances), max(chances)
    return (
        f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f} (the larger where the SD is small)"
    )


def _small(p: float) -> str:
    return "below 1e-300" if p < 1e-300 else f"{p:.2g}"
