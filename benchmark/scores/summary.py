"""From scores to results: means, intervals, comparisons (PROTOCOL section 8)."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark import statistics
from benchmark.metrics import all_metrics
from benchmark.naming import LABEL
from benchmark.scores.results import (
    SCHEMA_VERSION,
    ComparisonResult,
    Limits,
    MetricResult,
    Results,
    SimulatorResult,
)
from benchmark.scores.scoring import test_slots
from benchmark.statistics.holm import holm_adjust
from benchmark.statistics.registry import CORRECTED

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
    """Summarise scores (PROTOCOL section 8).

    Args:
        config: What was asked for.
        task: The task.
        scores: Output of ``scoring.score``.
        entries: By simulator, for what it sees and whether it is an oracle.
        settings: By simulator.
        notices: What every output must say of the simulators, in addition to what it must say of the data.
        trials: Identities of a simulator's trials.
    """
    names = list(dict.fromkeys(scores["simulator"]))
    tables = {m.name: statistics.user_means(scores, m.name) for m in all_metrics()}
    spreads = {m.name: statistics.seed_sd(scores, m.name) for m in all_metrics()}
    rows = []
    for name in names:
        base = name.removesuffix(LABEL)
        entry = (entries or {}).get(base)
        of_simulator = scores[scores["simulator"] == name]
        claimed = {}
        for metric, table in tables.items():
            if name in table.columns:
                claimed[metric] = _metric_result(table[name], float(spreads[metric][name]))
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
    split = task.split(config.split)
    slots = test_slots(task, split.name)
    ranked = {row.name for row in rows if row.ranked}
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
        packages=package_versions(),
        resolution={metric: _resolution(table, config.reference, ranked) for metric, table in tables.items()},
        simulators=tuple(rows),
        comparisons=tuple(_compare(config, tables, names, ranked)),
        slots=tuple(sorted(set(slots.values()))),
        uniform_logloss=_uniform_logloss(scores, slots),
        recorded=not task.notice,
    )


def _uniform_logloss(scores: pd.DataFrame, slots: Mapping[str, int]) -> float:
    """Return the LogLoss of uniform probabilities, averaged as every mean is: over sessions, then over users.

    Args:
        scores: Output of ``scoring.score``.
        slots: Session id -> K.
    """
    sessions = scores.drop_duplicates("session_id")
    losses = sessions["session_id"].map(slots).map(math.log)
    return float(losses.groupby(sessions["user"]).mean().mean())


def _resolution(table: pd.DataFrame, reference: str, ranked: set[str]) -> float | None:
    """Return what the test set can resolve on a metric: the median over ranked simulators' comparisons."""
    table = table[[name for name in table.columns if name in ranked]]
    return _known(statistics.resolution(table, reference)) if reference in table.columns else None


def _compare(
    config: RunConfig, tables: Mapping[str, pd.DataFrame], names: Sequence[str], ranked: set[str]
) -> list[ComparisonResult]:
    """Return every simulator compared with the reference; only ranked ones belong to the corrected family."""
    found: dict[tuple[str, str], statistics.Comparison] = {}
    for metric, table in tables.items():
        if config.reference in table.columns:
            pairs = [(name, config.reference) for name in names if name != config.reference and name in table.columns]
            for (name, _), comparison in statistics.compare_pairs(table, pairs).items():
                found[name, metric] = comparison
    family = [key for key in found if key[1] in config.family and key[0] in ranked]
    corrected = dict(zip(family, holm_adjust([found[key].tests[CORRECTED] for key in family]), strict=True))
    return [
        ComparisonResult(
            simulator=name,
            metric=metric,
            difference=c.mean_difference,
            low=_known(c.low),
            high=_known(c.high),
            tests={test: _known(p) for test, p in c.tests.items()},
            p_holm=_known(corrected.get((name, metric))),
            smallest_difference=_known(c.smallest_difference),
            intervals=_limits(c.intervals),
        )
        for (name, metric), c in found.items()
    ]


def _metric_result(values: pd.Series, seed_sd: float) -> MetricResult:
    """Return the summary of one column of user means."""
    interval = statistics.mean_interval(values)
    return MetricResult(
        mean=interval.mean,
        low=_known(interval.low),
        high=_known(interval.high),
        seed_sd=_known(seed_sd),
        n_users=len(values),
        intervals=_limits(interval.intervals),
    )


def _limits(intervals: Mapping[str, tuple[float, float]]) -> dict[str, Limits]:
    return {name: (_known(low), _known(high)) for name, (low, high) in intervals.items()}


def _known(value: float | None) -> float | None:
    """Return a number, or None for NaN: JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)


def package_versions() -> dict[str, str]:
    """Return the versions that can change a number."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
