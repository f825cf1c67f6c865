"""The registry of metrics: what tables, leaderboard and documentation read."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Literal

from benchmark.metrics import families
from benchmark.metrics.block import Block, Floats
from tasks import outside
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from benchmark.statistics.statistic import Bounds

MODULES = ("kl", "js", "cosine", "csh", "tgo", "accuracy", "logloss", "auc", "next_slot", "next_hit", "stop")
"""The files of this folder that declare metrics, in column order; each has a tuple ``METRICS``."""

OWN: dict[str, Metric] = {}
"""Name -> a metric of a file that was named in this process, or of results that were read in it."""

PAPER = "Huang et al. 2026, Through Their Eyes, arXiv 2604.09368"
"""The paper that the suite follows."""


def _unavailable(block: Block) -> Floats:
    """Stand for the function of a metric that is only known from results."""
    raise InputError("the function of a metric of these results is not known here; name it, path/to/file.py:NAME.")


@dataclass(frozen=True)
class Metric:
    """One metric, declared next to its function.

    Attributes:
        name: Column name, such as ``CSH@1``.
        family: The family of ``benchmark.metrics.families`` that it belongs to.
        against: What a prediction is compared with, a key of the family's ``human``: ``gaze``, ``click`` or ``path``.
        needs: The parts of a prediction (``attention``, ``probabilities``, ``answer``, ...) that it can be
            computed from; any one of them is enough, an earlier one is preferred.
        higher_is_better: Direction.
        range: Lowest and highest value.
        worst: The finite value that a session counts with if the simulator failed on it.
        unit: What the number counts.
        citation: Where it comes from.
        definition: One or two sentences with the formula, for tables and documentation.
        function: Computes it: a ``Block`` of n sessions to n values.
        unbounded: The end of its range at ``worst`` is that of eps; computed without eps it has no such end.
        granularity: Into how many equal parts the value of a session falls if nothing is tied: so many, or K where
            a session has fewer slots; ``pairs``: K - 1, one for each other slot. None: it is not a count.
        aliases: Other names that reports give it, in lower case.
    """

    name: str
    family: str
    against: str
    needs: tuple[str, ...]
    higher_is_better: bool
    range: tuple[float, float]
    worst: float
    unit: str
    citation: str
    definition: str
    function: Callable[[Block], Floats] = field(default_factory=lambda: _unavailable, repr=False)
    unbounded: bool = False
    granularity: int | Literal["pairs"] | None = None
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.against not in families.family(self.family).human:
            raise ValueError(f"the family '{self.family}' has no human reference for '{self.against}' ({self.name})")
        if not all(map(math.isfinite, (*self.range, self.worst))):
            raise ValueError(f"range and worst of {self.name} must be finite")

    @property
    def prior(self) -> str:
        """The simulator at 0 of its normalised score."""
        return families.family(self.family).prior

    @property
    def human_reference(self) -> str:
        """What is at 1 of its normalised score."""
        return families.family(self.family).human[self.against]

    @property
    def bounds(self) -> Bounds:
        """The range that intervals of a mean do not leave."""
        from benchmark.statistics.statistic import Bounds

        return Bounds(*self.range, open_above=self.unbounded and self.worst == self.range[1])

    @property
    def arrow(self) -> str:
        """The direction as tables print it."""
        return "↑" if self.higher_is_better else "↓"

    def claimed(self, parts: Collection[str]) -> bool:
        """Tell whether a simulator that supplies ``parts`` is measured by this metric."""
        return any(need in parts for need in self.needs)


def shipped() -> tuple[Metric, ...]:
    """Return the metrics of the suite in column order."""
    return tuple(m for module in MODULES for m in importlib.import_module(f"benchmark.metrics.{module}").METRICS)


@cache
def all_metrics() -> tuple[Metric, ...]:
    """Return every metric in column order: those of the suite, of installed packages, and ``OWN``."""
    found = [*shipped(), *(outside.load(place) for place in outside.installed("metrics").values())]
    twice = {m.name for m in found if sum(other.name == m.name for other in found) > 1}
    if twice:
        raise ValueError(f"metrics registered twice: {', '.join(sorted(twice))}")
    return tuple(({m.name: m for m in found} | OWN).values())


def names() -> tuple[str, ...]:
    """Return the metrics' names in column order."""
    return tuple(m.name for m in all_metrics())


def asked_of(parts: Collection[str]) -> tuple[Metric, ...]:
    """Return the metrics that are computed where some parts are there: every one of the families that all have.

    A family that stays apart is left out unless its part is among them, so that tables without it are as they were.
    """
    return tuple(m for m in all_metrics() if m.claimed(parts) or not families.family(m.family).apart)


def given(metrics: Iterable[Metric]) -> list[str]:
    """Return what every output with these metrics says of what simulators see of the session, a line per family."""
    shown = list(metrics)
    named = [(one.given, [m.name for m in shown if m.family == one.name]) for one in families.FAMILIES if one.given]
    return [f"{', '.join(mine)}: {said}." for said, mine in named if mine]


def get(name: str) -> Metric:
    """Return a metric by its name or ``path/to/file.py:NAME``; the latter goes by its own name from then on.

    InputError if there is none of that name (the nearest is suggested), or one of a file has the name of another.
    """
    found = outside.find("metrics", name, Metric) if outside.is_file(name) else None
    if found is not None:
        if found.name in {m.name for m in shipped()}:
            raise InputError(f"the metric in {name} is called {found.name} like one of the suite; rename it.")
        declare([found])
        return found
    for metric in all_metrics():
        if metric.name == name:
            return metric
    raise unknown_name("metric", name, names())


def require(names: Iterable[str], where: str) -> None:
    """Raise InputError, which begins with ``where``, unless every name is that of a metric, as ``get`` has it."""
    for name in names:
        try:
            get(name)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error


def declare(metrics: Iterable[Metric], *, over: bool = True) -> None:
    """Add metrics to those of this process; with ``over`` in the place of others of their names."""
    for metric in metrics:
        if over or metric.name not in names():
            OWN[metric.name] = metric
            all_metrics.cache_clear()


def corrected_together(chosen: Iterable[str]) -> list[tuple[str, ...]]:
    """Return metrics in the groups whose comparisons are corrected together (Holm), by their families.

    InputError if one is unknown.
    """
    groups: dict[str, list[str]] = {}
    for name in chosen:
        family = families.family(get(name).family)
        groups.setdefault(family.corrected_with or family.name, []).append(name)
    return [tuple(group) for group in groups.values()]
