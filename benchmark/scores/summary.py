"""From scores to results: means, intervals, comparisons (PROTOCOL section 8)."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmark import statistics
from benchmark.metrics import all_metrics, get
from benchmark.metrics.families import FAMILIES, apart_metrics
from benchmark.metrics.registry import corrected_together, shipped
from benchmark.naming import base_name
from benchmark.scores.results import (
    SCHEMA_VERSION,
    BestLine,
    ComparisonResult,
    Corrected,
    Limits,
    MetricResult,
    Results,
    SimulatorResult,
)
from benchmark.scores.scoring import test_slots
from benchmark.statistics.clusters import SessionMeans
from benchmark.statistics.holm import equal_columns, holm_adjust
from benchmark.statistics.registry import corrected_p
from benchmark.statistics.statistic import known

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.trials.catalogue import Entry
    from benchmark.trials.configuration import RunConfig
    from tasks.task import Task

PACKAGES = ("gazebench", "numpy", "pandas", "scipy", "pyarrow", "datasets", "pillow")


def build(
    config: RunConfig,
    task: Task,
    scores: pd.DataFrame,
    entries: Mapping[str, Entry] | None = None,
    settings: Mapping[str, Mapping[str, object]] | None = None,
    notices: Sequence[str] = (),
    trials: Mapping[str, Sequence[str]] | None = None,
) -> Results:
    """Summarise what ``scoring.score`` returned (PROTOCOL section 8).

    By simulator are given the ``entries``, for what it sees and whether it is an oracle, its ``settings``, and the
    identities of its ``trials``; ``notices`` are what every output must say of simulators, in addition to the data's.
    """
    names = list(dict.fromkeys(scores["simulator"]))
    cube = statistics.ScoreCube(scores)
    metrics = [m.name for m in all_metrics() if m.name in scores]
    tables = {name: cube.session_means(name) for name in metrics}
    spreads = {name: statistics.seed_sd(cube, name) for name in metrics}
    rows = []
    for name in names:
        base = base_name(name)
        entry = (entries or {}).get(base)
        of_simulator = scores[scores["simulator"] == name]
        claimed = {}
        for metric, table in tables.items():
            if name in table.names:
                claimed[metric] = metric_result(table, name, float(spreads[metric][name]), metric)
        rows.append(
            SimulatorResult(
                name=name,
                ranked=name == base and not (entry is not None and entry.oracle),
                sees=tuple(entry.sees) if entry is not None else (),
                settings=dict((settings or {}).get(base, {})),
                failed=int((of_simulator["failed"] > 0).sum()),
                metrics=claimed,
                trials=tuple((trials or {}).get(base, ())),
            )
        )
    ranked = {row.name for row in rows if row.ranked}
    # A family that stays apart counts where a simulator has its main metrics.
    there = {metric for row in rows for metric in row.metrics}.difference(config.family)
    config = replace(config, family=(*config.family, *(m for m in apart_metrics() if m in there)))
    comparisons, corrected, equal = compare(config, tables, names, ranked)
    split = task.split(config.split)
    slots = test_slots(task, split.name)
    return Results(
        schema_version=SCHEMA_VERSION,
        task=task.name,
        version=task.version,
        title=task.title,
        data=config.data,
        notice="; ".join(dict.fromkeys(line for line in (task.notice, *notices) if line)),
        split=split.name,
        digest=task.digests[split.name],
        n_sessions=int(scores["session_id"].nunique()),
        n_users=int(scores["user"].nunique()),
        n_train=tuple(len(train) for train, _ in split.folds),
        seeds=config.seeds,
        reference=config.reference,
        family=config.family,
        alpha=config.alpha,
        ties=config.ties,
        packages=package_versions(*PACKAGES),
        resolution={metric: _resolution([c for c in comparisons if c.metric == metric], ranked) for metric in tables},
        simulators=tuple(rows),
        comparisons=tuple(comparisons),
        slots=tuple(sorted(set(slots.values()))),
        uniform_logloss=_uniform_logloss(scores, slots),
        recorded=not task.notice,
        n_screens=len(cube.design.screens) if cube.design.screens is not None else None,
        corrected=corrected,
        equal=equal,
        own_metrics=tuple(m for m in map(get, metrics) if m not in shipped()),
        best=tuple(best_lines(tables, [name for name in names if name in ranked - equal.keys()])),
    )


def _uniform_logloss(scores: pd.DataFrame, slots: Mapping[str, int]) -> float:
    """Return the LogLoss of uniform probabilities, over sessions, then over users; ``slots``: session id -> K."""
    sessions = scores.drop_duplicates("session_id")
    losses = sessions["session_id"].map(slots).map(math.log)
    return float(losses.groupby(sessions["user"]).mean().mean())


def equals(names: Sequence[str], tables: Mapping[str, SessionMeans]) -> dict[str, str]:
    """Return simulator -> the first of the simulators before it whose scores are the same on every metric.

    Differences up to rounding count as none. The means of users are compared.
    """
    scores: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for metric, table in tables.items():
        columns = [name for name in scores if name in table.names]
        first = equal_columns(table.users[columns].to_numpy())
        for name, i in zip(columns, first, strict=True):
            scores[name].append((metric, columns[i]))
    found: dict[tuple[tuple[str, str], ...], str] = {}
    first_of = {name: found.setdefault(tuple(own), name) for name, own in scores.items() if own}
    return {name: other for name, other in first_of.items() if name != other}


def _resolution(comparisons: Sequence[ComparisonResult], ranked: set[str]) -> float | None:
    """Return what the test set can resolve on a metric: the median over ranked simulators' comparisons."""
    sizes = [c.smallest_difference for c in comparisons if c.simulator in ranked and c.smallest_difference is not None]
    return float(np.median(sizes)) if sizes else None


def compare(
    config: RunConfig, tables: Mapping[str, SessionMeans], names: Sequence[str], ranked: set[str]
) -> tuple[list[ComparisonResult], tuple[Corrected, ...], dict[str, str]]:
    """Compare every simulator with the reference, and correct what belongs together (PROTOCOL section 8).

    Only ranked simulators belong to a family, and of several that are equal one does: a line that equals another
    changes no p of the others, and one that equals the reference is no comparison.

    Returns:
        The comparisons; the families; and simulator -> the one that it equals.
    """
    equal = equals([config.reference, *(name for name in names if name in ranked)], tables)
    found: dict[tuple[str, str], statistics.Comparison] = {}
    there = {metric: table for metric, table in tables.items() if config.reference in table.names}
    # The resamples are drawn once for all metrics.
    resampled = statistics.bootstrap_tables([table.users for table in there.values()])
    for (metric, table), means in zip(there.items(), resampled, strict=True):
        pairs = [(name, config.reference) for name in names if name != config.reference and name in table.names]
        for (name, _), comparison in statistics.compare_pairs(table, pairs, resampled=means).items():
            found[name, metric] = comparison
    adjusted: dict[tuple[str, str], float] = {}
    families = []
    for metrics in corrected_together(config.family):
        p = {
            key: corrected_p(c.tests)
            for key, c in found.items()
            if key[1] in metrics and key[0] in ranked - equal.keys()
        }
        p = {key: value for key, value in p.items() if not math.isnan(value)}
        families.append(Corrected(metrics, len(p)))
        adjusted.update(zip(p, holm_adjust(list(p.values())).tolist(), strict=True))
    results = [
        ComparisonResult(
            simulator=name,
            metric=metric,
            difference=c.mean_difference,
            low=known(c.low),
            high=known(c.high),
            tests={test: known(p) for test, p in c.tests.items()},
            p_holm=known(adjusted.get((equal.get(name, name), metric))),
            smallest_difference=known(c.smallest_difference),
            intervals=_limits(c.intervals),
        )
        for (name, metric), c in found.items()
    ]
    return results, tuple(families), equal


def best_lines(tables: Mapping[str, SessionMeans], names: Sequence[str]) -> Iterator[BestLine]:
    """Yield the best of some simulators on each family's headline metric, compared with the others."""
    for metric in (get(one.headline) for one in FAMILIES if one.headline in tables):
        table = tables[metric.name]
        claiming = [name for name in names if name in table.names]
        if len(claiming) < 2:
            continue
        means = table.users[claiming].mean()
        best = str(means.idxmax() if metric.higher_is_better else means.idxmin())
        size = len(claiming) * (len(claiming) - 1) // 2
        pairs = [(name, best) for name in claiming if name != best]
        compared = statistics.compare_pairs(table, pairs, n_resamples=0)
        p = {name: known(min(1.0, size * corrected_p(c.tests))) for (name, _), c in compared.items()}
        yield BestLine(metric.name, best, size, p)


def metric_result(table: SessionMeans, name: str, seed_sd: float, metric: str) -> MetricResult:
    """Return the summary of a simulator on a metric."""
    values = table.users[name]
    clustered = table.clustered(table.values[:, table.names.index(name)])
    interval = statistics.mean_interval(values, clustered=clustered, bounds=get(metric).bounds)
    return MetricResult(
        mean=interval.mean,
        low=known(interval.low),
        high=known(interval.high),
        seed_sd=known(seed_sd),
        n_users=len(values),
        intervals=_limits(interval.intervals),
    )


def _limits(intervals: Mapping[str, tuple[float, float]]) -> dict[str, Limits]:
    return {name: (known(low), known(high)) for name, (low, high) in intervals.items()}


def package_versions(*names: str) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
