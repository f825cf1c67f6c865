"""What the tests run alone, on one and on two processes: ``python worker.py OUT FOLDER``, or by torchrun."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).parents[3]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from baselines.distributed import optimiser, weights  # noqa: E402
from baselines.distributed.engine import GroupEngine  # noqa: E402
from baselines.distributed.group import Group, current, enter  # noqa: E402
from baselines.simulators import prompted  # noqa: E402
from baselines.simulators.probed import (  # noqa: E402
    Backbone,
    GazeHeads,  # noqa: E402
    OnScreen,
)
from baselines.simulators.text import Text  # noqa: E402
from benchmark.engines.interface import Failure, Outcome  # noqa: E402
from benchmark.simulator import Workspace  # noqa: E402
from benchmark.trials.trial import Trial  # noqa: E402
from tasks.definition import quiet  # noqa: E402
from tasks.errors import InputError  # noqa: E402
from tasks.types import Session  # noqa: E402
from tests.baselines.distributed import pages  # noqa: E402
from tests.baselines.tuning import people  # noqa: E402

CONFIGS = ("zero2", "zero3", "zero3-offload")
Found = dict[str, Any]

STILL = dict(epochs=1, validation=0.0, batch_size=2, accumulation=2, basis_lr=1e-12, user_lr=1e-12, weight_decay=0.0)
"""Steps of 4, 4 and 1 of 9 sessions that leave the prompt where it is, so that every gradient can be compared."""
TUNED = dict(epochs=2, validation=0.3, batch_size=2, accumulation=2)


@contextmanager
def gradients() -> Iterator[list[np.ndarray]]:
    """Collect the prompt's gradient of every step, before clipping."""
    found: list[np.ndarray] = []

    def keep(parameters: Any) -> None:
        found.append(np.concatenate([p.grad.flatten().numpy().copy() for p in parameters]))

    alone, together = torch.nn.utils.clip_grad_norm_, optimiser.ShardedOptimiser.step

    def clip(parameters: Any, largest: float) -> Any:
        keep(parameters)
        return alone(parameters, largest)

    def step(self: optimiser.ShardedOptimiser) -> None:
        keep(self.prompt.parameters())
        together(self)

    torch.nn.utils.clip_grad_norm_, optimiser.ShardedOptimiser.step = clip, step
    try:
        yield found
    finally:
        torch.nn.utils.clip_grad_norm_, optimiser.ShardedOptimiser.step = alone, together


def gradient(simulator: Any, train: list[Session]) -> Found:
    """Return the gradients of one epoch."""
    with gradients() as found:
        simulator.fit(train, 0)
    return {f"gradient {i}": value for i, value in enumerate(found)}


def prediction(simulator: Any, train: list[Session]) -> Found:
    """Fit, and return what is predicted of the same sessions."""
    simulator.fit(train, 0)
    found = simulator.simulate([session.stimulus() for session in train])
    result: Found = {
        "answers": np.array([p.answer for p in found]),
        "probabilities": np.concatenate([p.probabilities for p in found]),
    }
    if isinstance(simulator, OnScreen):
        counts = simulator.cost()
        result["tokens"] = np.array([counts.get("tokens_trained", 0), counts["tokens_simulated"]])
    if found[0].attention is not None:
        result["attention"] = np.concatenate([p.attention for p in found])
    if hasattr(simulator, "_epochs"):
        result["scores"] = np.array([e.valid_score for e in simulator._epochs], dtype=float)
        result["epochs"] = np.array([len(simulator._epochs), simulator.cost()["best_epoch"]])
    return result


def resumed(train: list[Session], taken_over: bool = False) -> Found:
    """Tune, be interrupted after an epoch, and go on.

    Args:
        train: The training sessions.
        taken_over: Every process begins by itself, and together they go on from where the first one was.
    """
    from baselines.tuning.trainer import Trainer

    before = Trainer._trained

    def interrupted(self: Trainer, bank: Any, number: int, steps: int) -> Any:
        if number == 2:
            raise KeyboardInterrupt
        return before(self, bank, number, steps)

    with tempfile.TemporaryDirectory() as folder:
        state, artifacts = Path(folder) / "state", Path(folder) / "artifacts"
        state.mkdir()
        artifacts.mkdir()
        said: list[str] = []
        for trained in (interrupted, before):
            simulator = prompted.Fixate(**TUNED)
            simulator.attach(Workspace(state, artifacts, said.append, quiet))
            Trainer._trained = trained
            group = current()
            if taken_over and trained is interrupted:
                enter(None)
            try:
                result = prediction(simulator, train)
            except KeyboardInterrupt:
                assert trained is interrupted
            finally:
                Trainer._trained = before
                enter(group)
        if group is None or group.first:
            assert any("continues after epoch 1" in line for line in said), said
    # Passes before the interruption are counted by nobody.
    del result["tokens"]
    return result


def cases(folder: Path) -> dict[str, tuple[tuple[str, ...], Callable[[], Found]]]:
    """Return name -> the configurations it is run with, and what to run.

    Args:
        folder: Holds a tiny checkpoint whose answers may have several tokens.
    """
    shown = pages.sessions(users=3, each=3)
    # Labels up to 12 are two tokens: one process has more passes to run than the other.
    numbers = [str(n) for n in range(1, 13)]
    mixed = people.sessions(users=1, each=4, labels=numbers[:6]) + people.sessions(1, 4, numbers, prefix="v")
    tiny = dict(backbone=str(folder), bases=2, tokens=3)
    own = {
        "fixate": (CONFIGS, lambda: gradient(prompted.Fixate(**STILL), shown)),
        "internvl": (("zero3",), lambda: gradient(prompted.Fixate(backbone="pocket-internvl", **STILL), shown)),
        "suffix": (("zero3",), lambda: gradient(prompted.FixateSuffix(**STILL), shown)),
        "glimpse": (("zero3",), lambda: gradient(prompted.Fixate(operator="glimpse", **STILL), shown[:4])),
        "rollout": (("zero3",), lambda: gradient(prompted.Fixate(operator="rollout", **STILL), shown[:4])),
        "clicks": (("zero3",), lambda: gradient(prompted.FixateNoAttention(**STILL), shown)),
        "shared": (("zero2", "zero3"), lambda: gradient(prompted.SharedPrompt(**STILL), shown)),
        "numbers": (("zero2", "zero3"), lambda: gradient(prompted.Fixate(**tiny, **STILL), mixed)),
        "tuned": (CONFIGS, lambda: prediction(prompted.Fixate(**TUNED), shown)),
        "resumed": (("zero2", "zero3"), lambda: resumed(shown)),
        "taken-over": (("zero2",), lambda: resumed(shown, taken_over=True)),
        "tuned-numbers": (("zero3",), lambda: prediction(prompted.FixateSuffix(**tiny, **TUNED), mixed)),
        "backbone": (("zero3",), lambda: prediction(Backbone(backbone="pocket-internvl"), shown)),
        "random-prompt": (("zero3",), lambda: prediction(prompted.RandomPrompt(), shown)),
        "gaze-heads": (("zero3",), lambda: prediction(GazeHeads(), shown)),
        "text": (("zero3",), lambda: prediction(Text(backbone=str(folder)), mixed)),
    }
    return own


@dataclass
class FailsSomewhere(Backbone):
    """Fails in the last process of a group in the middle of its share, while the others go on."""

    kind: str = "bug"

    def _pass(self, sessions: Any, target: str) -> Any:
        group = current()
        if group is not None and group.rank == group.size - 1:
            raise InputError("a bad session.") if self.kind == "input" else RuntimeError("a bug.")
        return super()._pass(sessions, target)


@dataclass
class FakeTask:
    """As much of a task as a trial needs: every session is trained and tested on."""

    sessions: list[Session]

    def split(self, name: str) -> Any:
        every = list(range(len(self.sessions)))
        return SimpleNamespace(folds=[(every, every)])

    def sessions_at(self, indices: Any) -> list[Session]:
        return [self.sessions[i] for i in indices]


@dataclass
class FakeLedger:
    """Keeps what the engine reports."""

    folder: Path
    found: list[Outcome | Failure]
    progress = staticmethod(quiet)

    def start(self, trial: Trial, where: str) -> tuple[Path, Path]:
        folders = [self.folder / f"{len(self.found)}-{name}" for name in ("state", "artifacts")]
        for folder in folders:
            folder.mkdir()
        return folders[0], folders[1]

    def say(self, trial: Trial, line: str) -> None:
        pass

    def measured(self, trial: Trial, epoch: int, values: object) -> None:
        pass

    def finish(self, trial: Trial, outcome: Outcome) -> None:
        self.found.append(outcome)

    def fail(self, trial: Trial, failure: Failure) -> None:
        self.found.append(failure)


def engine(group: Group) -> Found:
    """Run trials that fail in one process between trials that do not."""
    here = f"{Path(__file__)}:FailsSomewhere"
    made = [
        ("baselines.simulators.probed:Backbone", {}),
        (here, {"kind": "input"}),
        (here, {"kind": "bug"}),
        ("baselines.simulators.prompted:SharedPrompt", dict(TUNED)),
    ]
    trials = [
        Trial("t", "1", "s", "d", "x", factory, settings, {"backbone": "x"}, False, 0, 0, "c")
        for factory, settings in made
    ]
    task: Any = FakeTask(pages.sessions(users=2, each=3))
    with tempfile.TemporaryDirectory() as folder, GroupEngine(group) as both:
        if not group.first:
            both.follow(task)
            return {}
        ledger = FakeLedger(Path(folder), [])
        both.run(trials, task, ledger)  # type: ignore[arg-type]
        written = sorted(path.name for path in Path(folder).rglob("*.*"))
    lines = [found.line if isinstance(found, Failure) else "finished" for found in ledger.found]
    return {"engine/lines": np.array(lines), "engine/files": np.array(written)}


@contextmanager
def most_gathered() -> Iterator[list[int]]:
    """Within the context keep count of the gathered numbers that are alive at once, wherever they are held."""
    from torch.multiprocessing.reductions import StorageWeakRef

    most: list[int] = [0]
    alive: dict[int, tuple[StorageWeakRef, int]] = {}
    before = weights.Server.fetch

    def fetch(self: weights.Server, unit: weights.Unit) -> list[torch.Tensor]:
        found = before(self, unit)
        if self.size > 1:
            for tensor in found:
                storage = tensor.untyped_storage()
                alive[storage.data_ptr()] = StorageWeakRef(storage), tensor.numel()
            for place in [place for place, (reference, _) in alive.items() if reference.expired()]:
                del alive[place]
            most[0] = max(most[0], sum(count for _, count in alive.values()))
        return found

    weights.Server.fetch = fetch
    try:
        yield most
    finally:
        weights.Server.fetch = before


def memory(group: Group) -> Found:
    """Return bytes of parameters held by this process, of the whole model, and the largest share ever gathered."""
    from baselines.simulators import loaded

    with most_gathered() as most:
        gradient(prompted.Fixate(**STILL), pages.sessions(users=2, each=2))
    model = loaded.load("pocket-qwen3vl").model
    largest = max((unit.size for unit in group.server.units), default=0)
    count = sum(p.numel() for p in model.parameters())
    held = resident_bytes(model, group)
    return {"memory": np.array([held, 4 * count, most[0], largest, count])}


def resident_bytes(model: Any, group: Group | None = None) -> int:
    """Return the bytes of parameters that this process holds for a model between two passes.

    A split model needs its group, all of whose units are counted.
    """
    held = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in model.parameters()}
    parts = [] if group is None else [p.ds_tensor for unit in group.server.units for p in unit.parameters]
    held |= {part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in parts}
    return sum(held.values())


def main(out: Path, folder: Path) -> None:
    """Run all cases of all configurations; the first process writes ``out``."""
    from baselines.distributed import session

    torch.set_num_threads(1)
    found: Found = {}
    for name in CONFIGS:
        with session(name) as group:
            for case, (configs, run) in cases(folder).items():
                if name in configs:
                    found |= {f"{name}/{case}/{key}": value for key, value in run().items()}
        with session(name) as group:
            for rank, values in enumerate(group.jointly(lambda group=group: memory(group))):
                found |= {f"{name}/{key} {rank}": value for key, value in values.items()}
            if name == "zero3":
                found |= engine(group)
            first = group.first
    if first:
        np.savez(out, **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
