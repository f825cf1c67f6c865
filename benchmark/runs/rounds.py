"""In which order the trials of a run are carried out, and what of an unfinished run can be scored."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from benchmark.engines.needs import models
from benchmark.trials.configuration import RunConfig
from benchmark.trials.trial import Trial


def ordered(trials: Sequence[Trial]) -> list[Trial]:
    """Return trials round by round: the first seed of every simulator, then the second of each, and so on.

    Within a round the cheap ones come first: those without a model, those with one, those that train it; trials on the
    same model follow each other. Trials that several processes share come last of all.
    """
    seeds: dict[str, list[int]] = {}
    order: dict[tuple[tuple[str, str], ...], int] = {}
    for trial in trials:
        known = seeds.setdefault(trial.simulator, [])
        if trial.seed not in known:
            known.append(trial.seed)
        order.setdefault(models(trial), len(order))

    def key(trial: Trial) -> tuple[bool, int, bool, bool, int]:
        mine = models(trial)
        return (
            bool(trial.parallel),
            seeds[trial.simulator].index(trial.seed),
            bool(mine),
            "epochs" in trial.settings,
            order[mine],
        )

    return sorted(trials, key=key)


PAUSE = 5.0
"""Seconds at least between two tables of a run."""


@dataclass(slots=True)
class Rounds:
    """Which seeds of a run's simulators are complete; ``done`` are the finished trials.

    ``shown``, simulators and number of seeds, was scored last, ``when`` in seconds of ``time.monotonic``.
    """

    config: RunConfig
    trials: Sequence[Trial]
    done: set[Trial] = field(default_factory=set)
    shown: tuple[tuple[str, ...], int] = ((), 0)
    when: float = field(default_factory=time.monotonic)

    def complete(self, simulator: str) -> int:
        """Return how many of the first seeds of a simulator are complete; all of them where one is all it has."""
        mine = [trial for trial in self.trials if trial.simulator == simulator]
        own = list(dict.fromkeys(trial.seed for trial in mine))
        missing = {trial.seed for trial in mine if trial not in self.done}
        count = next((index for index, seed in enumerate(own) if seed in missing), len(own))
        return len(self.config.seeds) if count == len(own) else count

    def round(self, failed: Collection[str]) -> RunConfig | None:
        """Return what can be scored because a round has ended, None if none has, or the last table is just out.

        No round waits for the simulators that have ``failed`` trials.
        """
        if time.monotonic() - self.when < PAUSE:
            return None
        names = [name for name in self.config.simulators if name not in failed]
        found = self.part() if names and all(self.complete(name) for name in names) else None
        return found if found is not None and len(found.seeds) > self.shown[1] else None

    def part(self) -> RunConfig | None:
        """Return what can be scored: every simulator with a complete seed, with as many seeds as all of these have.

        None if there is nothing, or nothing new since the last time.
        """
        counts = {name: self.complete(name) for name in self.config.simulators}
        names = tuple(name for name, count in counts.items() if count)
        seeds = min((counts[name] for name in names), default=0)
        if not names or self.shown == (names, seeds):
            return None
        return replace(self.config, simulators=names, seeds=self.config.seeds[:seeds])

    def note(self, part: RunConfig) -> None:
        """Note that a part was scored."""
        self.shown, self.when = (part.simulators, len(part.seeds)), time.monotonic()

    def notice(self, part: RunConfig) -> str:
        """Return what must be said of a part of the run."""
        if len(part.seeds) == len(self.config.seeds):
            return "" if part.simulators == self.config.simulators else "unfinished: simulators are missing"
        return f"{len(part.seeds)} of {len(self.config.seeds)} seeds; a stochastic simulator will move"
