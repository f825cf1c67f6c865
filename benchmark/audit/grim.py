"""GRIM: can this mean be a mean of whole counts?

A mean over n sessions and s seeds is a whole number over n s (n k s for TGO@k). Where the last printed digit is
smaller than that grid, most decimal numbers are no such mean. Source: Brown and Heathers 2017, The GRIM Test, Social
Psychological and Personality Science 8(4), doi 10.1177/1948550616673876.
"""

from __future__ import annotations

import math

from benchmark.audit import granularity
from benchmark.audit.findings import Finding, Outcome
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Reported, Row, Setting

SMALLEST_FROM = 3
"""Different values that are needed before a smallest n says anything."""

MOST_SESSIONS = 1000


def check(reported: Reported) -> Outcome:
    """Hold every count metric against its grid."""
    found: list[Finding] = []
    checked = left = 0
    for row, metric, cell in reported.cells():
        setting = reported.setting(row)
        if granularity.per_session(metric, setting.n_slots) is None:
            continue
        one_run, seeds = granularity.counts(metric, setting), reported.seeds(row)
        if one_run is None or seeds is None or not granularity.tells(cell.mean, one_run * seeds):
            left += 1
            continue
        checked += 1
        if not granularity.fits(cell.mean, one_run * seeds):
            found.append(_failed(row, metric, cell.mean, setting, seeds, one_run * seeds))
    found.extend(_inferred(reported))
    reason = (
        f"{left} left out: sessions or seeds are not given, the digits are too few, or sessions do not count whole"
        if left
        else ""
    )
    return Outcome("grim", "means of count metrics", checked, tuple(found), reason)


def _failed(row: Row, metric: str, mean: Printed, setting: Setting, seeds: int, most: int) -> Finding:
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
        return Finding("unlikely", "grim", row.where, metric, what, arithmetic)
    what = f"no whole number over {most} is printed as {mean}"
    if not granularity.declared(setting):
        return Finding("unlikely", "grim", row.where, metric, f"{what}, {granularity.ASSUMED}.", arithmetic)
    return Finding("impossible", "grim", row.where, metric, f"{what}.", arithmetic)


def _inferred(reported: Reported) -> list[Finding]:
    """Note the smallest n that fits the deterministic rows of a task whose n is not given by the report.

    Only these are used: each is one run, so that its grid is 1/n whatever is said of seeds.
    """
    found = []
    for task in dict.fromkeys(row.task for row in reported.rows):
        rows = [row for row in reported.rows if row.task == task and row.deterministic]
        setting = reported.settings.get(task, Setting())
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
        if n is None or not all(granularity.tells(mean, n * most) for mean, most in values):
            continue
        listed = ", ".join(
            f"{mean} = {round(mean.value * n * most)}/{n * most}" for mean, most in sorted(values, key=str)
        )
        said = "it is given as that, worked out from the values" if setting.n_sessions == n else "it is not given"
        if setting.n_sessions not in (None, n):
            said = f"{setting.n_sessions} is given, worked out from the values"
        what = f"{n} is the smallest number of test sessions that fits the deterministic rows; {said}."
        methods = ", ".join(dict.fromkeys(row.method for row in rows))
        found.append(Finding("note", "grim", ", ".join(filter(None, (task, methods))), "count metrics", what, listed))
    return found


def smallest_n(values: list[tuple[Printed, int]]) -> int | None:
    """Return the smallest number of sessions on whose grid all values lie, or None up to ``MOST_SESSIONS``.

    Args:
        values: Numbers of one run each, with what a session can score at most.
    """
    grids = range(1, MOST_SESSIONS + 1)
    return next((n for n in grids if all(granularity.fits(mean, n * most) for mean, most in values)), None)
