"""What the scripts on engines share: simulators that do a known amount of work, and a small task to run them on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.config import RunConfig
from benchmark.simulator import Prediction
from benchmark.store import TrialStore
from benchmark.trials import expand
from tests.benchmark.toys import ToyEntry, Toys


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


@dataclass
class Walk:
    """A random walk with a checkpoint after every step; leaves a line per step in ``notes``."""

    steps: int = 6
    pause: float = 0.25
    notes: str = ""

    def attach(self, workspace):
        self.workspace = workspace

    def fit(self, train, seed):
        path = self.workspace.folder / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {"step": 0, "value": 1.0}
        for step in self.workspace.progress(range(state["step"] + 1, self.steps + 1), total=self.steps, desc="steps"):
            time.sleep(self.pause)
            with Path(self.notes, "steps").open("a") as file:
                file.write(f"{seed} {train[0].session_id} {len(train)} {step}\n")
            state = {"step": step, "value": state["value"] + float(np.random.default_rng((seed, step)).normal())}
            path.write_text(json.dumps(state))
        self.value = state["value"]

    def simulate(self, sessions):
        return [Prediction(s.session_id, 1 + np.cos(self.value * np.arange(1, len(s.slots) + 1))) for s in sessions]


class Farm(Toys):
    """The catalogue."""

    entries = {
        **Toys.entries,
        "null": ToyEntry("null", f"{__name__}:Null", stochastic=True),
        "busy": ToyEntry("busy", f"{__name__}:Busy", stochastic=True),
        "idle": ToyEntry("idle", f"{__name__}:Idle", stochastic=True),
        "walk": ToyEntry("walk", f"{__name__}:Walk", stochastic=True),
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
