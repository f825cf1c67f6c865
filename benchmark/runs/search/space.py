"""Which settings are tried, read from YAML (``configs/spaces``), and the training sessions they are chosen on."""

import dataclasses
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from benchmark.files import plain_yaml
from benchmark.metrics.families import headlines
from benchmark.metrics.registry import require
from benchmark.trials.configuration import CONFIGS, shipped
from tasks.decoding import Count, decode
from tasks.errors import InputError, require_known
from tasks.splits import FOLDS, Split, k_fold, split_digest
from tasks.task import Task

SEARCHES = ("grid", "random")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    With ``log`` every order of magnitude is as likely as every other, instead of every number.
    """

    low: int | float
    high: int | float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise InputError(f"the range from {self.low} to {self.high} must have low below high, above 0 with log.")

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are drawn: both ends are written as such."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def draw(self, generator: np.random.Generator) -> float | int:
        """Return a number drawn at random."""
        if self.whole and not self.log:
            return int(generator.integers(int(self.low), int(self.high), endpoint=True))
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        drawn = float(generator.uniform(low, high))
        value = min(max(math.exp(drawn) if self.log else drawn, self.low), self.high)
        return round(value) if self.whole else float(f"{value:.4g}")


Values = Annotated[tuple[object, ...], Meta(min_length=1)]
"""The values to choose from."""


@dataclass(frozen=True, slots=True)
class Space:
    """What is tried and how it is judged.

    Attributes:
        settings: Setting -> the values to choose from, or a range.
        search: ``grid`` tries every combination, ``random`` draws ``samples`` with ``seed``.
        score: Metrics whose sum is minimised; one that is better when higher counts with a minus sign.
        early_stopping: Candidates that do badly on the first folds are not run on the others (engine ray).
    """

    settings: Annotated[Mapping[str, Values | Range], Meta(min_length=1)]
    search: str = "grid"
    samples: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 16
    seed: Count = 42
    score: Annotated[tuple[str, ...], Meta(min_length=1)] = headlines()
    early_stopping: bool = True

    def __post_init__(self) -> None:
        require_known("search", [self.search], SEARCHES)
        require(self.score, "score")
        for name, values in self.settings.items():
            if self.search == "grid" and isinstance(values, Range):
                raise InputError(f"'{name}' is a range; a grid needs lists of values. Use search: random.")

    def candidates(self) -> list[dict[str, object]]:
        """Return the settings to try, without repetitions, always in the same order."""
        names = list(self.settings)
        if self.search == "grid":
            lists = [values for values in self.settings.values() if not isinstance(values, Range)]
            return [dict(zip(names, values, strict=True)) for values in itertools.product(*lists)]
        generator = np.random.default_rng(self.seed)
        found: list[dict[str, object]] = []
        for _ in range(self.samples):
            drawn = {
                name: values.draw(generator) if isinstance(values, Range) else values[generator.integers(len(values))]
                for name, values in self.settings.items()
            }
            if drawn not in found:
                found.append(drawn)
        return found


def read_space(path: Path) -> Space:
    """Read a search space.

    InputError if the file is missing, is not YAML, or holds an unknown key or a value that makes no sense.
    """
    path = shipped(path, CONFIGS / "spaces")
    return decode(Space, plain_yaml.read(path, "search space"), path, "correct it")


SPLIT = "cross-validation"
"""Name of the one split that the task of the training sessions has."""


def training_task(task: Task, split: str) -> Task:
    """Return a task of the training sessions of a split; the test sessions are not in it.

    It has the single split ``SPLIT``: five folds dealt over each user's sessions (PROTOCOL section 4).
    """
    folds = task.split(split).folds
    if len(folds) != 1:
        raise InputError(
            f"{split} tests in {len(folds)} folds every session once, so none is left to choose settings on; "
            "use --split loo or unseen-screen."
        )
    train, _ = folds[0]
    if len(train) < FOLDS:
        raise InputError(f"{split} of {task.name} has {len(train)} training sessions, too few for {FOLDS} folds.")
    rows = task.sessions.select([int(index) for index in train])
    names = ("session_id", "user", "screen", "click", "gaze_ms")
    table = rows.with_format("arrow").select_columns(list(names))[:]
    ids, users, screens, clicks, gaze = (table[name].to_pylist() for name in names)
    values = k_fold(users, FOLDS)
    dealt = np.asarray(values)
    parts = [(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(FOLDS)]
    return dataclasses.replace(
        task,
        sessions=rows,
        splits={SPLIT: Split(SPLIT, parts)},
        digests={SPLIT: split_digest(ids, users, screens, clicks, gaze, values)},
    )
