"""GRIM: can this mean be a mean of whole counts?

A mean over n sessions and s seeds is a whole number over n s (n k s for TGO@k). Where the last printed digit is
smaller than that grid, most decimal numbers are not such a mean. Source: Brown and Heathers 2017, The GRIM Test, Social
Psychological and Personality Science 8(4), doi 10.1177/1948550616673876.
"""

import math
from dataclasses import dataclass

from benchmark.audit import granularity
from benchmark.audit.findings import Outcome
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Reported, Row, Setting

SMALLEST_FROM = 3
"""Different values that are needed before a smallest n says anything."""

MOST_SESSIONS = 1000

SHOWN = 3
"""Means that a finding on many of them lists."""


def check(reported: Reported) -> Outcome:
    """Compare every count metric with its grid."""
    why = "sessions or seeds are not given, the digits are too few, or sessions do not count whole"
    found = Outcome("grim", "means of count metrics", why)
    by_ties: dict[str, list[_Between]] = {}
    for row, metric, cell in reported.cells():
        setting, seeds = reported.setting(row), reported.seeds(row)
        per_session = granularity.per_session(metric, setting.n_slots)
        if per_session is None:
            continue
        if setting.ties == "expected":
            between = _check_with_ties(found, row, metric, cell.mean, setting, seeds, per_session)
            by_ties.setdefault(row.task, []).extend([between] if between else [])
            continue
        one_run = granularity.counts(metric, setting)
        if one_run is None or seeds is None or not granularity.decides(cell.mean, one_run * seeds):
            found.left += 1
            continue
        found.checked += 1
        if not granularity.fits(cell.mean, one_run * seeds):
            _add_failed(found, row, metric, cell.mean, setting, seeds, one_run * seeds)
    for task, entries in by_ties.items():
        if entries:
            _add_only_ties(found, task, entries)
    _add_inferred(found, reported)
    return found


@dataclass(frozen=True, slots=True)
class _Between:
    """A mean that lies between two whole counts; ``most`` is what the runs behind it can score at most together."""

    row: Row
    metric: str
    mean: Printed
    most: int

    def __str__(self) -> str:
        return f"{self.metric} {self.mean} x {self.most} = {float(self.mean.value * self.most):.3f} ({self.row.where})"


def _check_with_ties(
    found: Outcome, row: Row, metric: str, mean: Printed, setting: Setting, seeds: int | None, per_session: int
) -> _Between | None:
    """Check a mean where ties count with their chance; return it if only a tie can give it."""
    if seeds is None or setting.n_sessions is None or setting.average != "sessions":
        found.left += 1
        return None
    most = setting.n_sessions * per_session * seeds
    parts = granularity.shares(metric, setting)
    by_shares = parts is not None and granularity.decides(mean, parts * seeds)
    same_slots = per_session == 1 or setting.n_slots is not None or setting.most_slots is None
    by_counts = same_slots and granularity.decides(mean, most)
    found.checked += by_shares or by_counts
    found.left += not (by_shares or by_counts)
    if by_shares and parts is not None and not granularity.fits(mean, parts * seeds):
        slots = setting.most_slots or setting.n_slots
        what = f"no mean over {most // per_session} sessions and seeds, with whatever ties among {slots} slots."
        arithmetic = (
            f"{mean} x {parts * seeds} (every share that ties leave) = {float(mean.value * parts * seeds):.3f}; "
            f"without ties {mean} x {most} = {float(mean.value * most):.3f}"
        )
        found.add("impossible", row.where, metric, what, arithmetic)
        return None
    return _Between(row, metric, mean, most) if by_counts and not granularity.fits(mean, most) else None


def _add_only_ties(found: Outcome, task: str, entries: list[_Between]) -> None:
    """Note the means that are not whole counts, where ties may be why."""
    what = (
        f"{f'{len(entries)} means lie' if len(entries) > 1 else 'it lies'} between two whole counts over sessions and "
        "seeds: only ties, which count with their chance, give such a mean."
    )
    listed = [str(entry) for entry in entries[:SHOWN]]
    more = [f"and {len(entries) - SHOWN} more"] if len(entries) > SHOWN else []
    metrics = ", ".join(dict.fromkeys(entry.metric for entry in entries))
    where = entries[0].row.where if len(entries) == 1 else task or "the table"
    found.add("note", where, metrics, what, "; ".join([*listed, *more]))


def _add_failed(found: Outcome, row: Row, metric: str, mean: Printed, setting: Setting, seeds: int, most: int) -> None:
    per_session = most // (seeds * (setting.n_sessions or 1))
    product = mean.value * most
    below, digits = math.floor(product), mean.decimals + 2
    parts = [f"{setting.n_sessions} sessions", *([f"{per_session} slots"] if per_session > 1 else [])]
    parts += [f"{seeds} seeds"] if seeds > 1 else []
    arithmetic = (
        f"{mean} x {most} ({' x '.join(parts)}) = {float(product):.3f}; {below}/{most} = {below / most:.{digits}f}, "
        f"{below + 1}/{most} = {(below + 1) / most:.{digits}f}"
    )
    low, high = mean.cut
    if len(granularity.totals(low, high, most)):
        what = f"no whole number over {most} rounds to {mean}; one does if digits were cut off."
        found.add("unlikely", row.where, metric, what, arithmetic)
        return
    what = f"no whole number over {most} is printed as {mean}"
    severity, assumed = granularity.weight(setting)
    found.add(severity, row.where, metric, f"{what}{assumed}.", arithmetic)


def _add_inferred(found: Outcome, reported: Reported) -> None:
    """Note the smallest n that fits the deterministic rows of a task: each is one run, so that its grid is 1/n."""
    for task in dict.fromkeys(row.task for row in reported.rows):
        rows = [row for row in reported.rows if row.task == task and row.deterministic]
        setting = reported.setting(rows[0]) if rows else Setting()
        given = setting.n_sessions is not None and not setting.n_sessions_inferred
        values = {
            (cell.mean, most)
            for row in rows
            for metric, cell in row.cells.items()
            if (most := granularity.per_session(metric, setting.n_slots)) is not None
        }
        means = sorted({mean for mean, _ in values}, key=float)
        if given or not granularity.whole(setting) or len(means) < SMALLEST_FROM:
            continue
        n = smallest_n(list(values))
        if n is None or not all(granularity.decides(mean, n * most) for mean, most in values):
            continue
        listed = ", ".join(
            f"{mean} = {round(mean.value * n * most)}/{n * most}" for mean, most in sorted(values, key=str)
        )
        said = "it is given as that, worked out from the values" if setting.n_sessions == n else "it is not given"
        if setting.n_sessions not in (None, n):
            said = f"{setting.n_sessions} is given, worked out from the values"
        what = f"{n} is the smallest number of test sessions that fits the deterministic rows; {said}."
        methods = ", ".join(dict.fromkeys(row.method for row in rows))
        found.add("note", ", ".join(filter(None, (task, methods))), "count metrics", what, listed)


def smallest_n(values: list[tuple[Printed, int]]) -> int | None:
    """Return the smallest number of sessions on whose grid all values lie, or None up to ``MOST_SESSIONS``.

    Each value is a number of one run, with what a session can score at most.
    """
    grids = range(1, MOST_SESSIONS + 1)
    return next((n for n in grids if all(granularity.fits(mean, n * most) for mean, most in values)), None)
