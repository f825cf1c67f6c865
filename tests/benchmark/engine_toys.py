"""Simulators that show what an engine does with them; they leave notes in a folder."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.simulator import Prediction
from tasks.errors import InputError
from tests.benchmark.toys import ToyEntry, Toys


def note(folder: str, name: str, text: str) -> None:
    """Add a line to a file; one write call, so that lines of several processes do not mix."""
    if folder:
        with (Path(folder) / name).open("a") as file:
            file.write(text + "\n")


def notes(folder: Path, name: str) -> list[str]:
    path = folder / name
    return path.read_text().splitlines() if path.exists() else []


@dataclass
class Numeric:
    """Long sums of float32, whose last bits depend on how they are shared out over threads."""

    def fit(self, train, seed):
        rng = np.random.default_rng(seed)
        left = rng.standard_normal((64, 200_000), dtype=np.float32)
        self.weights = (left @ left.T).mean(axis=0)

    def simulate(self, sessions):
        found = []
        for s in sessions:
            a = np.abs(self.weights[: len(s.slots)]).astype(np.float64)
            found.append(Prediction(s.session_id, a / a.sum(), a / a.sum()))
        return found


@dataclass
class Trained:
    """Walks at random, a step per epoch, with a checkpoint after each; may be killed once, in epoch ``dies``.

    A step takes ``pause`` seconds. Each epoch tells ``shown`` as its score, or where that is 0 how far it has come.
    """

    epochs: int = 4
    dies: int = 0
    pause: float = 0.0
    notes: str = ""
    shown: float = 0.0

    def attach(self, workspace):
        self.workspace = workspace

    def fit(self, train, seed):
        path = self.workspace.folder / "state.json"
        state = json.loads(path.read_text()) if path.exists() else {"epoch": 0, "value": 1.0}
        self.workspace.report("begins")
        for epoch in self.workspace.progress(
            range(state["epoch"] + 1, self.epochs + 1), total=self.epochs, desc="epochs"
        ):
            time.sleep(self.pause)
            note(self.notes, "epochs", f"{seed} {len(train)} {epoch}")
            if epoch == self.dies and self._first_time(seed, train):
                os.kill(os.getpid(), signal.SIGKILL)
            step = np.random.default_rng((seed, epoch)).normal()
            state = {"epoch": epoch, "value": state["value"] + float(step) / 7}
            path.write_text(json.dumps(state))
            self.workspace.measured(epoch, {"valid_score": self.shown or state["value"]})
        self.value = state["value"]
        (self.workspace.artifacts / "curves").mkdir(exist_ok=True)
        (self.workspace.artifacts / "curves" / "value.txt").write_text(repr(self.value))

    def _first_time(self, seed, train):
        mark = str(seed)
        first = mark not in notes(Path(self.notes), "died")
        note(self.notes, "died", mark)
        return first

    def simulate(self, sessions):
        return [Prediction(s.session_id, np.abs(np.sin(self.value * np.arange(1, len(s.slots) + 1)))) for s in sessions]


@dataclass
class Meeting:
    """Waits, a minute or two at most, until ``together`` processes have come."""

    together: int = 1
    notes: str = ""

    def fit(self, train, seed):
        note(self.notes, "came", str(os.getpid()))
        until = time.monotonic() + 120
        while len(set(notes(Path(self.notes), "came"))) < self.together and time.monotonic() < until:
            time.sleep(0.05)

    def simulate(self, sessions):
        return [Prediction(s.session_id, np.ones(len(s.slots))) for s in sessions]


@dataclass
class Mortal:
    """Takes its process with it, always."""

    notes: str = ""

    def fit(self, train, seed):
        note(self.notes, "deaths", str(os.getpid()))
        os.kill(os.getpid(), signal.SIGKILL)

    def simulate(self, sessions):
        raise AssertionError


@functools.lru_cache(maxsize=2)
def load(model: str, folder: str) -> str:
    note(folder, "loads", f"{os.getpid()} {Path(model).name}")
    return (Path(model) / "weights.txt").read_text()


@dataclass
class Modelled:
    """Rests on a model in a folder, loaded once per process; may be blind to what lies outside a worker's own cache."""

    model: str = ""
    notes: str = ""
    blind: bool = False

    def material(self):
        path = Path(self.model) / "weights.txt"
        in_worker = "RAY_JOB_ID" in os.environ or "ray" in os.environ.get("RAY_WORKER_NAME", "") or self._ray_worker()
        if not path.is_file() or (self.blind and in_worker and "checkpoints" not in path.parts):
            raise InputError(f"there is no model {self.model}")
        return {"model": hashlib.sha256(path.read_bytes()).hexdigest()}

    @staticmethod
    def _ray_worker():
        import sys

        ray = sys.modules.get("ray")
        return ray is not None and ray.is_initialized() and ray.get_runtime_context().worker.mode == 1

    def fit(self, train, seed):
        self.text = load(self.model, self.notes)

    def simulate(self, sessions):
        value = int(hashlib.sha256(self.text.encode()).hexdigest()[:6], 16) / 16**6
        return [Prediction(s.session_id, value + np.arange(1.0, len(s.slots) + 1)) for s in sessions]


class EngineToys(Toys):
    """The catalogue: the toys and those that show what an engine does."""

    entries = {
        **Toys.entries,
        "numeric": ToyEntry("numeric", f"{__name__}:Numeric", stochastic=True),
        "trained": ToyEntry("trained", f"{__name__}:Trained", stochastic=True),
        "meeting": ToyEntry("meeting", f"{__name__}:Meeting", stochastic=True),
        "mortal": ToyEntry("mortal", f"{__name__}:Mortal"),
        "modelled": ToyEntry("modelled", f"{__name__}:Modelled", stochastic=True),
        "other-modelled": ToyEntry("other-modelled", f"{__name__}:Modelled", stochastic=True),
    }
