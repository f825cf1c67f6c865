"""Search spaces: which settings are tried, read from YAML (``configs/spaces``)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.files import plain_yaml
from benchmark.metrics import get
from benchmark.metrics.families import headlines
from tasks.errors import InputError, unknown_name

SEARCHES = ("grid", "random")
_KEYS = ("search", "samples", "seed", "score", "early_stopping", "settings")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low: Smallest.
        high: Largest.
        log: Every order of magnitude is as likely as every other, instead of every number.
        whole: Whole numbers only.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, generator: np.random.Generator) -> float | int:
        """Return a number drawn at random."""
        if self.whole and not self.log:
            return int(generator.integers(int(self.low), int(self.high), endpoint=True))
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        drawn = float(generator.uniform(low, high))
        value = min(max(math.exp(drawn) if self.log else drawn, self.low), self.high)
        return round(value) if self.whole else float(f"{value:.4g}")


@dataclass(frozen=True, slots=True)
class Space:
    """What is tried and how it is judged.

    Attributes:
        settings: Setting -> the values to choose from, or a range.
        search: ``grid`` tries every combination, ``random`` draws.
        samples: Number of draws.
        seed: Of the draws.
        score: Metrics whose sum is made small; one that is better when higher counts with a minus sign.
        early_stopping: Candidates that do badly on the first folds are not run on the others (engine ray).
    """

    settings: Mapping[str, tuple[object, ...] | Range]
    search: str = "grid"
    samples: int = 16
    seed: int = 42
    score: tuple[str, ...] = headlines()
    early_stopping: bool = True

    def candidates(self) -> list[dict[str, object]]:
        """Return the settings to try, without repetitions, always in the same order."""
        names = list(self.settings)
        if self.search == "grid":
            lists = [values for values in self.settings.values() if not isinstance(values, Range)]
            return [dict(zip(names, values, strict=True)) for values in itertools.product(*lists)]
        generator = np.random.default_rng(self.seed)
        found: list[dict[str, object]] = []
        for _ in range(self.samples):
            drawn = {name: _drawn(values, generator) for name, values in self.settings.items()}
            if drawn not in found:
                found.append(drawn)
        return found


def _drawn(values: tuple[object, ...] | Range, generator: np.random.Generator) -> object:
    return values.draw(generator) if isinstance(values, Range) else values[int(generator.integers(len(values)))]


def read_space(path: Path) -> Space:
    """Read a search space.

    Raises:
        InputError: The file is missing, is not YAML, or holds an unknown key or a value that makes no sense.
    """
    raw = plain_yaml.read(path, "search space")
    if not isinstance(raw, dict) or not isinstance(raw.get("settings"), dict) or not raw["settings"]:
        raise InputError(f"{path} must hold 'settings: {{name: [values]}}'.")
    for key in raw:
        if key not in _KEYS:
            raise unknown_name(f"key in {path}:", str(key), _KEYS)
    search = raw.get("search", "grid")
    if search not in SEARCHES:
        raise unknown_name(f"search in {path}:", str(search), SEARCHES)
    settings = {str(name): _values(path, str(name), value, search) for name, value in raw["settings"].items()}
    numbers = {key: _whole(path, key, raw[key]) for key in ("samples", "seed") if key in raw}
    score = raw.get("score", list(headlines()))
    if not isinstance(score, list) or not score:
        raise InputError(f"{path}: 'score' must be a list of metrics, not {score!r}.")
    for metric in score:
        get(str(metric))
    stops = raw.get("early_stopping", True)
    if not isinstance(stops, bool):
        raise InputError(f"{path}: 'early_stopping' must be true or false, not {stops!r}.")
    return Space(settings, search, score=tuple(score), early_stopping=stops, **numbers)


def _whole(path: Path, key: str, value: object) -> int:
    lowest = 1 if key == "samples" else 0
    if type(value) is not int or value < lowest:
        raise InputError(f"{path}: '{key}' must be a whole number of at least {lowest}, not {value!r}.")
    return value


def _values(path: Path, name: str, value: object, search: str) -> tuple[object, ...] | Range:
    """Return the values of one setting."""
    if isinstance(value, list) and value:
        return tuple(value)
    if isinstance(value, dict) and set(value) <= {"low", "high", "log"} and {"low", "high"} <= set(value):
        low, high, log = value["low"], value["high"], value.get("log", False)
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high))
        if not numbers or not isinstance(log, bool) or not low < high or (log and low <= 0):
            raise InputError(f"{path}: the range of '{name}' must be numbers with low below high, above 0 with log.")
        if search == "grid":
            raise InputError(f"{path}: '{name}' is a range; a grid needs lists of values. Use search: random.")
        return Range(float(low), float(high), log, isinstance(low, int) and isinstance(high, int))
    raise InputError(f"{path}: '{name}' must be a list of values or {{low: , high: , log: }}, not {value!r}.")
