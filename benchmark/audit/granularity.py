"""The grid that a count metric lives on: whole counts over whole counts.

CSH@k and Accuracy count sessions, TGO@k counts slots: over n sessions and s seeds the mean is a whole number divided
by n s, or by n k s for TGO@k. That holds for a plain mean over sessions in which ties are broken. With ties in
expectation a session may score a share, and the grid is finer; where users with several sessions weigh alike, nothing
here applies.
"""

import math
import re
from dataclasses import replace
from fractions import Fraction
from functools import cache

from benchmark.audit.findings import Severity
from benchmark.audit.printed import Printed
from benchmark.audit.reported import Setting
from benchmark.metrics import Metric, all_metrics

_AT = re.compile(r"(?P<stem>[^@]+?) ?@ ?(?P<k>[1-9]\d{0,3})", re.ASCII)


@cache
def known(name: str) -> Metric | None:
    """Return the metric that a name means, whatever its case, or None for one that the suite does not know.

    ``CSH@10`` is known because ``CSH@5`` is: it is the same metric with another k.
    """
    plain = name.strip().lower()
    for metric in all_metrics():
        if plain == metric.name.lower() or plain in metric.aliases:
            return metric
    match = _AT.fullmatch(plain)
    for metric in reversed(all_metrics()) if match else ():
        stem, _, k = metric.name.partition("@")
        if match and k and stem.lower() == match["stem"]:
            parts = int(match["k"]) if metric.granularity == int(k) else metric.granularity
            return replace(metric, name=f"{stem}@{match['k']}", granularity=parts)
    return None


def hits_at(name: str) -> tuple[str, int] | None:
    """Return name and k of a metric that asks whether something is among k slots, None for another metric."""
    metric = known(name)
    stem, _, k = name.partition("@")
    return (stem, int(k)) if k.isdecimal() and metric is not None and metric.granularity == 1 else None


MOST_TIED = 100
"""Slots beyond which ties are not reckoned with: their shares are finer than any digits."""

ASSUMED = ", if it is a plain mean over sessions and ties are broken"


def per_session(metric: str, n_slots: int | None) -> int | None:
    """Return what a session can score at most, as a whole number, or None for a metric that does not count.

    1 for CSH@k and Accuracy, min(k, K) for TGO@k.
    """
    found = known(metric)
    if found is None or not isinstance(found.granularity, int):
        return None
    return min(found.granularity, n_slots or found.granularity)


def counts_pairs(metric: str) -> bool:
    """Return whether a session scores a share of its pairs of slots, as in AUC."""
    found = known(metric)
    return found is not None and found.granularity == "pairs"


def counts(metric: str, setting: Setting) -> int | None:
    """Return what one run can score at most, in pairs of slots for AUC, or None where no grid is known."""
    most = per_session(metric, setting.n_slots)
    if counts_pairs(metric) and setting.n_slots is not None:
        most = setting.n_slots - 1
    if most is None or setting.n_sessions is None or not whole(setting):
        return None
    return most * setting.n_sessions


def shares(metric: str, setting: Setting) -> int | None:
    """Return into how many equal parts the mean of one run may fall if ties count with their chance, or None.

    Among at most K slots a tie of m slots for the last j places gives each of them j / m, so that CSH@k and Accuracy
    are whole numbers over L = lcm(1 .. K) in every session. TGO@k multiplies two such chances, one of the attention
    and one of the gaze, and divides by min(k, K).
    """
    most = per_session(metric, setting.n_slots)
    slots = setting.most_slots or setting.n_slots
    if most is None or slots is None or slots > MOST_TIED or setting.n_sessions is None:
        return None
    if setting.average != "sessions" or setting.ties != "expected":
        return None
    of_ties = math.lcm(*range(1, slots + 1))
    found = known(metric)
    if found is not None and found.against == "gaze":  # gaze has ties too
        of_ties *= of_ties * (most if setting.n_slots else math.lcm(*range(1, most + 1)))
    return setting.n_sessions * of_ties


def whole(setting: Setting) -> bool:
    """Return whether sessions count whole and weigh alike, as far as the report says."""
    return setting.average != "users" and setting.ties != "expected"


def weight(setting: Setting) -> tuple[Severity, str]:
    """Return how grave a mean off the grid is, and what the grid depends on where the report does not say it."""
    declared = setting.average == "sessions" and setting.ties == "broken"
    return ("impossible", "") if declared else ("unlikely", ASSUMED)


def totals(low: Fraction, high: Fraction, most: int) -> range:
    """Return the whole numbers t of 0..most with low <= t / most <= high."""
    return range(max(0, math.ceil(low * most)), min(most, math.floor(high * most)) + 1)


def fits(mean: Printed, most: int) -> bool:
    """Return whether some whole number over ``most`` is printed as ``mean``: the GRIM test.

    Source: Brown and Heathers 2017, The GRIM Test, doi 10.1177/1948550616673876.
    """
    return len(totals(mean.low, mean.high, most)) > 0


def decides(mean: Printed, most: int) -> bool:
    """Return whether the digits are enough for the test to fail at all: the grid is wider than the last digit."""
    return 2 * mean.half * most < 1
