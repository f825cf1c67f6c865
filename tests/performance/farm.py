"""What the scripts on engines share: simulators that do a known amount of work, and a small task to run them on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.simulator import Prediction
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tests.benchmark.engine_toys import EngineToys
from tests.benchmark.toys import ToyEntry


@dataclass
class Null:
    """Does nothing."""

    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions]


@dataclass
class Busy(Null):
    """Multiplies matrices in one thread, ``rounds`` times."""

    rounds: int = 100

    def fit(self, train, seed):
        work(self.rounds, seed)


@dataclass
class Idle(Null):
    """Waits, and so needs no core."""

    seconds: float = 1.0

    def fit(self, train, seed):
        time.sleep(self.seconds)


def work(rounds: int, seed: int) -> float:
    """Keep a core busy; small matrices, so that two processes do not wait for memory."""
    matrix = np.random.default_rng(seed).standard_normal((96, 96)) / 10
    found = np.eye(96)
    for _ in range(rounds * 100):
        found = np.tanh(found @ matrix)
    return float(found.sum())


class Farm(EngineToys):
    """The catalogue."""

    entries = {
        **EngineToys.entries,
        "null": ToyEntry("null", f"{__name__}:Null", stochastic=True),
        "busy": ToyEntry("busy", f"{__name__}:Busy", stochastic=True),
        "idle": ToyEntry("idle", f"{__name__}:Idle", stochastic=True),
    }


def config(simulator: str, trials: int, **settings: object) -> RunConfig:
    """Return a run of ``trials`` trials of one simulator, one seed each."""
    return RunConfig(
        "mini",
        simulators=(simulator,),
        reference=simulator,
        seeds=tuple(range(1, trials + 1)),
        settings={f"{simulator}.{key}": value for key, value in settings.items()},
    )


def predictions(asked: RunConfig, task: object, catalogue: object, out: Path) -> dict[str, bytes]:
    """Return the bytes of every trial's predictions file and of the run's own."""
    store = TrialStore(out / "trials")
    found = {
        t.identity(): (store.folder(t) / "predictions.parquet").read_bytes() for t in expand(asked, task, catalogue)
    }
    return {**found, "run": (out / "predictions.parquet").read_bytes()}
