"""What the registry of metrics knows of a metric that a report names."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

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
