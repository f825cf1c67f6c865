"""How far a run has come: trials done, running, failed, and the time that is left."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmark.trials.trial import Trial

T = TypeVar("T")

STEP = 0.5
"""A worker tells of its steps at most once in so many seconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One moment of a run: trials missing at its start; those done, running, failed; seconds left, None if unknown."""

    total: int
    done: int
    running: int
    failed: int
    left: float | None
    workers: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        """Return it in words."""
        left = "" if self.left is None else f", about {duration(self.left)} left"
        return f"trials: {self.done} of {self.total} done, {self.running} running, {self.failed} failed{left}"


@dataclass(slots=True)
class Tally:
    """Counts trials and estimates the time left.

    Simulators differ a thousandfold in what a trial takes, so a trial to come is expected to take the mean of those of
    its own simulator, or of all where that has none yet, shared out over as many as have run at a time.

    Attributes:
        clock: Seconds, rising.
        known: Simulator -> seconds of its trials, such as those of an earlier run.
    """

    trials: Sequence[Trial]
    clock: Callable[[], float] = time.monotonic
    known: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _began: dict[Trial, float] = field(default_factory=dict)
    _at: dict[Trial, str] = field(default_factory=dict)
    _over: set[Trial] = field(default_factory=set)
    _failed: int = 0
    _abreast: int = 1

    def start(self, trial: Trial) -> None:
        """Count a trial as running."""
        self._began.setdefault(trial, self.clock())
        self._abreast = max(self._abreast, len(self._began))

    def step(self, trial: Trial, text: str) -> None:
        """Note how far a running trial has come."""
        self._at[trial] = text

    def finish(self, trial: Trial) -> None:
        """Count a trial as done."""
        self.known.setdefault(trial.simulator, []).append(self.clock() - self._began.pop(trial, self.clock()))
        self._at.pop(trial, None)
        self._over.add(trial)

    def fail(self, trial: Trial) -> None:
        """Count a trial as failed."""
        self._began.pop(trial, None)
        self._over.add(trial)
        self._failed += 1

    def standing(self) -> Standing:
        """Return where the run stands."""
        done = len(self._over) - self._failed
        at = (f"{t.simulator}, seed {t.seed}, fold {t.fold}: {self._at.get(t, 'begins')}" for t in self._began)
        return Standing(len(self.trials), done, len(self._began), self._failed, self._left(), tuple(at))

    def _left(self) -> float | None:
        everything = [seconds for found in self.known.values() for seconds in found]
        if not everything:
            return None
        overall = sum(everything) / len(everything)
        left = 0.0
        for trial in self.trials:
            if trial not in self._over:
                own = self.known.get(trial.simulator)
                expected = sum(own) / len(own) if own else overall
                left += max(0.0, expected - (self.clock() - self._began[trial] if trial in self._began else 0.0))
        return left / self._abreast


def duration(seconds: float) -> str:
    """Return seconds in words: ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@dataclass(slots=True)
class Telling:
    """What a worker tells of the trial it is at; ``tell`` takes a method of the ledger and its arguments."""

    tell: Callable[..., None]
    _last: float = 0.0

    def say(self, line: str) -> None:
        """Pass a line on."""
        self.tell("say", line)

    def measured(self, epoch: int, values: Mapping[str, float]) -> None:
        """Tell what an epoch came to."""
        self.tell("measured", epoch, dict(values))

    def progress(self, items: Iterable[T], *, total: int | None = None, desc: str = "") -> Iterator[T]:
        """Yield the items and tell how many have been, now and then."""
        for number, item in enumerate(items):
            if time.monotonic() - self._last >= STEP:
                self._last = time.monotonic()
                self.tell("step", f"{desc} {number}" + ("" if total is None else f" of {total}"))
            yield item
