"""What a measured deviation is made of, and the few steps that most of them share.

``there`` is always the behaviour described for the paper or its reference implementation, or, where neither says how it
was done, the plainest other way; ``here`` is the suite's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from baselines import registry
from benchmark.metrics import evaluate_sessions
from benchmark.simulator import Prediction
from benchmark.statistics import mean_interval
from benchmark.trials.catalogue import setting_names
from tasks.splits import assign, split_from_values
from tasks.types import Session

if TYPE_CHECKING:
    from tests.performance.deviations.material import Material

ADSERP = "AdSERP replay, recorded"
ADSERP_RAW = "AdSERP raw, recorded"
SIMULATED = "RecGaze sample, simulated"
STAND_IN = "pocket-qwen3vl, a stand-in"
SEEDS = (42, 123, 456, 789, 2024)
SEED = SEEDS[0]
Folds = Sequence[tuple[Sequence[int], Sequence[int]]]


@dataclass(frozen=True)
class Effect:
    """One number both ways.

    ``n`` counts ``of``, for instance 93 sessions, and ``n_there`` does so where it was computed on others there;
    ``data`` names the recordings and the model, if there is one. ``half_width`` is that of the 95 % t interval of the
    difference, paired over users, where both were computed on the same sessions.
    """

    what: str
    there: float
    here: float
    n: int
    data: str
    of: str = "sessions"
    digits: int = 3
    n_there: int | None = None
    half_width: float | None = None

    @property
    def size(self) -> str:
        return f"{self.n} {self.of}" if self.n_there in (None, self.n) else f"{self.n_there} and {self.n} {self.of}"

    @property
    def difference(self) -> float:
        return self.here - self.there

    def shown(self, value: float, sign: str = "") -> str:
        # Rounded first, so that a difference of -1e-17 is 0 and not -0.
        return "undefined" if np.isnan(value) else format(round(value, self.digits) + 0.0, f"{sign}.{self.digits}f")

    def shown_difference(self) -> str:
        around = "" if self.half_width is None else f" ± {self.shown(self.half_width)}"
        return self.shown(self.difference, "+") + around

    def __str__(self) -> str:
        return f"{self.what} {self.shown(self.there)} → {self.shown(self.here)} ({self.shown_difference()})"


@dataclass(frozen=True)
class Deviation:
    """One row of docs/deviations.md.

    Attributes:
        name: As in the document.
        measure: Computes the effects; None if nothing can be measured here.
        unmeasured: Why nothing, or what part of it, can be measured here.
        zero: The effect is 0 by construction; it is an error if it is measured otherwise.
        tolerance: What counts as 0 then: rounding.
        needs: ``adserp`` if it needs the replay folder, ``raw`` for the raw one.
    """

    name: str
    measure: Callable[[Material], list[Effect]] | None
    unmeasured: str = ""
    zero: bool = False
    tolerance: float = 0.0
    needs: frozenset[str] = field(default=frozenset())

    def effects(self, material: Material) -> list[Effect]:
        """Measure, and hold what should be 0 against 0."""
        found = [] if self.measure is None else self.measure(material)
        wrong = [effect for effect in found if self.zero and not abs(effect.difference) <= self.tolerance]
        if wrong:
            raise AssertionError(f"{self.name} should change nothing, but: {'; '.join(map(str, wrong))}")
        return found


@dataclass(frozen=True)
class Tested:
    """Tested sessions and what a simulator said about them, in the same order."""

    sessions: Sequence[Session]
    predictions: Sequence[Prediction]

    def scores(self, ties: str = "expected") -> pd.DataFrame:
        """Return one row per session: its user and its metrics."""
        parts = {part: self.part(part) for part in ("attention", "probabilities", "answer")}
        truth = self.sessions
        table = evaluate_sessions([s.gaze_ms for s in truth], [s.click for s in truth], **parts, ties=ties)
        return table.assign(user=[s.user for s in truth], session_id=[s.session_id for s in truth])

    def part(self, name: str) -> list[Any] | None:
        values = [getattr(prediction, name) for prediction in self.predictions]
        return None if all(value is None for value in values) else values

    def mean(self, metric: str, ties: str = "expected") -> float:
        """Return the mean over users of the means over their sessions."""
        return over_users(self.scores(ties), metric)


def over_users(scores: pd.DataFrame, metric: str) -> float:
    return float(scores.groupby("user")[metric].mean().mean())


def folds(sessions: Sequence[Session], split: str) -> Folds:
    """Return (train, test) pairs of indices of a split of the suite."""
    values = assign([s.user for s in sessions], [s.screen for s in sessions])[split]
    return [(train.tolist(), test.tolist()) for train, test in split_from_values(split, values).folds]


def tested(name: str, sessions: Sequence[Session], parts: Folds, seed: int = SEED, **settings: object) -> Tested:
    """Fit a simulator on each fold and ask it about the tested sessions."""
    entry = registry.entry(name)
    chosen: list[Session] = []
    found: list[Prediction] = []
    known = setting_names(entry.factory)
    for train, test in parts:
        simulator = registry.build(name, {key: value for key, value in settings.items() if key in known})
        simulator.fit([sessions[i] for i in train], seed)
        asked = [sessions[i] for i in test]
        found += simulator.simulate(asked if entry.oracle else [s.stimulus() for s in asked])
        chosen += asked
    return Tested(chosen, found)


def both(
    metrics: Sequence[str], there: Tested, here: Tested, of: str, data: str, ties: tuple[str, str] = ("expected",) * 2
) -> list[Effect]:
    """Return the mean over users of each metric both ways; ``of`` names the simulator."""
    first, second = there.scores(ties[0]), here.scores(ties[1])
    same = [s.session_id for s in there.sessions] == [s.session_id for s in here.sessions]
    effects = []
    for metric in metrics:
        effects.append(
            Effect(
                f"{metric} of {of}" if metric == metrics[0] else metric,
                over_users(first, metric),
                over_users(second, metric),
                len(second),
                data,
                n_there=len(first),
                half_width=paired_half_width(first, second, metric) if same else None,
            )
        )
    return effects


def paired_half_width(there: pd.DataFrame, here: pd.DataFrame, metric: str) -> float:
    """Return half the width of the 95 % t interval of the difference of two user means."""
    differences = here.groupby("user")[metric].mean() - there.groupby("user")[metric].mean()
    span = mean_interval(differences)
    return (span.high - span.low) / 2


def divergence(first: Sequence[Session], second: Sequence[Session]) -> float:
    """Return the mean JS between the gaze of the same sessions in two readings, over those with as many slots."""
    other = {s.session_id: s for s in second}
    pairs = [(s, other[s.session_id]) for s in first if s.session_id in other]
    pairs = [(a, b) for a, b in pairs if len(a.slots) == len(b.slots)]
    clicks = [a.click for a, _ in pairs]
    table = evaluate_sessions([a.gaze_ms for a, _ in pairs], clicks, attention=[b.gaze for _, b in pairs])
    return float(table["JS"].mean())
