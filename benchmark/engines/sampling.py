"""Paths drawn from a simulator that follows one: what it does by itself, where nobody tells it the path so far."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from benchmark.scores.paths import PER_SESSION, SampledPaths
from benchmark.simulator import Floats
from tasks.types import Session, Stimulus
from tasks.visits import Visit, visits

LONGEST = 200
"""Visits after which a drawn path ends, whatever the simulator says."""


class Follows(Protocol):
    """What is needed of a simulator, see ``benchmark.simulator.FollowsPath``."""

    def follow(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the chance of each slot and, last, of ``stop``."""
        ...


def sample(
    simulator: Follows, stimulus: Stimulus, generator: np.random.Generator, dwell: Sequence[float]
) -> tuple[Visit, ...]:
    """Draw a path of one visit or more: each visit from what the simulator says after those before it.

    Args:
        simulator: Fitted.
        stimulus: The session.
        generator: Source of all chance.
        dwell: Times of visits, ms, of which one is drawn for each visit: a simulator may read how long one was.
    """
    path: list[Visit] = []
    while len(path) < LONGEST:
        row = np.array(simulator.follow(stimulus, tuple(path)), dtype=np.float64)
        row[path[-1].slot if path else -1] = 0.0
        if not row.sum() > 0:
            break
        chosen = int(generator.choice(len(row), p=row / row.sum()))
        if chosen == len(row) - 1:
            break
        began = path[-1].start_ms + path[-1].ms if path else 0.0
        path.append(Visit(chosen, began, float(generator.choice(dwell))))
    return tuple(path)


def sampled(simulator: Follows, shown: Sequence[Stimulus], train: Sequence[Session], seed: int) -> SampledPaths:
    """Draw paths for some sessions; those of a session depend on it and the seed, not on the other sessions."""
    dwell = [visit.ms for session in train for visit in visits(session)] or [1.0]
    found: SampledPaths = {}
    for stimulus in shown:
        generator = np.random.default_rng((seed, zlib.crc32(stimulus.session_id.encode())))
        paths = [sample(simulator, stimulus, generator, dwell) for _ in range(PER_SESSION)]
        found[stimulus.session_id] = [[visit.slot for visit in path] for path in paths]
    return found
