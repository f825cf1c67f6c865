"""Step models: the next slot depends on how many slots away it is, up or down the page.

A model is a tally of steps. In a session the shares of the steps that are possible are divided by their sum. A tally
with few steps is drawn to a more general one by counting that as so many steps more: the steps from a slot, where some
are not possible, to those from all slots; the steps after a step to those after any.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from msgspec import Meta

from baselines.limits import AtLeastZero
from baselines.simulators.order.paths import Follower, Path
from baselines.simulators.priors import Rates, positions
from benchmark.simulator import Floats
from tasks.types import Session, Stimulus, Visit, visits

Tally = Mapping[int, int]
"""Step -> how often it was taken."""

Context = tuple[int, ...]
"""What steps are counted by: nothing, the slot that they start at, or that slot and the step before."""


def tally(paths: Iterable[Path], depth: int = 0) -> dict[Context, Counter[int]]:
    """Return how often each step was taken, by the context of that depth (see ``context``)."""
    found: dict[Context, Counter[int]] = defaultdict(Counter)
    for path in paths:
        for before, to in path.moves():
            found[context(before, depth)][to - before[-1].slot] += 1
    return found


def context(visited: Sequence[Visit], depth: int) -> Context:
    """Return the first ``depth`` of: the slot that the eyes are on, the step that led there (if any)."""
    slots = [visit.slot for visit in visited[-2:]]
    return (slots[-1], *(slots[-1] - before for before in slots[:-1]))[:depth]


def drawn(taken: Tally, steps: Sequence[int], toward: Floats, weight: float) -> Floats:
    """Return the shares of some steps in a tally that ``weight`` more steps with the shares ``toward`` are added to."""
    counts = np.array([taken.get(step, 0) for step in steps], dtype=np.float64)
    found: Floats = (counts + weight * toward) / max(sum(taken.values()) + weight, 1.0)
    return found


@dataclass
class StepMarkov(Follower):
    """How far the next slot is from the current one, the same for everybody.

    Attributes:
        memory: 1 for the step alone; 2 to know the step before it too.
        smoothing: Times that every step counts as taken on top.
        slot_weight: Steps from a slot that those from all slots count for.
        context_weight: With ``memory`` 2, steps after a step that those after any step count for.
    """

    memory: Annotated[int, Meta(ge=1, le=2)] = 1
    smoothing: AtLeastZero = 0.1
    slot_weight: AtLeastZero = 10.0
    context_weight: AtLeastZero = 10.0
    _tallies: list[Mapping[Context, Tally]] = field(default_factory=list, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count steps."""
        self._tallies = [tally(paths, depth) for depth in range(self.memory + 1)]

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the share of the step to each slot."""
        steps, found = self._steps(stimulus, visited), np.ones(len(stimulus.slots))
        for depth, tallies in enumerate(self._tallies):
            weight = (self.smoothing, self.slot_weight, self.context_weight)[depth]
            found = drawn(tallies.get(context(visited, depth), {}), steps, found, weight)
        return found

    def moved(self, taken: Tally, stimulus: Stimulus, visited: Sequence[Visit], weight: float) -> Floats:
        """Return the shares, multiplied by how much more often each step is in a tally of some than in that of all.

        The tally of some is drawn to that of all by ``weight`` steps.
        """
        shared = StepMarkov.weights(self, stimulus, visited)
        steps = self._steps(stimulus, visited)
        general = drawn(self._tallies[0].get((), {}), steps, np.ones(len(steps)), max(self.smoothing, 1e-9))
        found: Floats = shared * drawn(taken, steps, general, weight) / general
        return found

    @staticmethod
    def _steps(stimulus: Stimulus, visited: Sequence[Visit]) -> list[int]:
        return [slot - visited[-1].slot for slot in range(len(stimulus.slots))]


@dataclass
class PersonalStepMarkov(StepMarkov):
    """The shared model, moved to the steps of each user: the less there is of a user, the less.

    Attributes:
        weight: Steps of the user that those of all count for. A user without a training session gets the shared model.
    """

    weight: AtLeastZero = 30.0
    _own: Mapping[str, Tally] = field(default_factory=dict, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count steps, of all and of each user."""
        super().learn(paths)
        of: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            of[path.session.user].append(path)
        self._own = {user: tally(mine)[()] for user, mine in of.items()}

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the share of the step to each slot."""
        return self.moved(self._own.get(stimulus.user, {}), stimulus, visited, self.weight)


@dataclass
class OtherPaths(StepMarkov):
    """The model of all, moved to the steps of the other users who saw the same screen.

    A human reference: how far the order of looking is shared on a screen. It says something where screens repeat.

    Attributes:
        weight: Steps on the screen that those on all screens count for.
    """

    weight: AtLeastZero = 200.0
    _screens: Mapping[str, list[Path]] = field(default_factory=dict, init=False, repr=False)
    _others: dict[tuple[str, str], Tally] = field(default_factory=dict, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count steps on all screens, and note who saw which."""
        super().learn(paths)
        screens: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            screens[path.session.screen].append(path)
        self._screens, self._others = screens, {}

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the share of the step to each slot."""
        key = (stimulus.screen, stimulus.user)
        if key not in self._others:
            seen = self._screens.get(stimulus.screen, [])
            self._others[key] = tally(path for path in seen if path.session.user != stimulus.user)[()]
        return self.moved(self._others[key], stimulus, visited, self.weight)


@dataclass
class VisitFrequency(Follower):
    """Visits per session at each position, from the first visit on.

    Attributes:
        smoothing: Sessions in which all positions had the average number of visits that are added.
    """

    smoothing: AtLeastZero = 1.0
    _rates: Rates = field(default_factory=lambda: Rates({}, {}), init=False, repr=False)
    _mean: float = field(default=1.0, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count visits per position over the sessions that have it."""
        self._rates = Rates.of([path.session for path in paths], positions, visits_per_slot)
        self._mean = sum(self._rates.sums.values()) / sum(self._rates.sessions.values())

    def first(self, stimulus: Stimulus) -> Floats:
        """Return the same as for any other visit."""
        return self.weights(stimulus, ())

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the rates."""
        return self._rates.shrunk(positions(stimulus.slots), np.full(len(stimulus.slots), self._mean), self.smoothing)


def visits_per_slot(session: Session) -> Floats:
    """Return how often each slot was visited, shape (K,)."""
    return np.bincount([visit.slot for visit in visits(session)], minlength=len(session.slots)).astype(np.float64)


@dataclass
class ReadingOrder(Follower):
    """The slot after the current one, as often as people go there; the others evenly."""

    _onwards: float = field(default=0.5, init=False, repr=False)

    def learn(self, paths: Sequence[Path]) -> None:
        """Count how often people go on where they can, with one case of each added."""
        hits = [
            to == before[-1].slot + 1
            for path in paths
            for before, to in path.moves()
            if before[-1].slot + 1 < len(path.session.slots)
        ]
        self._onwards = (sum(hits) + 1) / (len(hits) + 2)

    def weights(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the share of going on at the next slot, the rest spread over the others."""
        k, onwards = len(stimulus.slots), visited[-1].slot + 1
        if onwards == k:
            return np.ones(k)
        found = np.full(k, (1 - self._onwards) / max(k - 2, 1))
        found[onwards] = self._onwards
        return found
