"""The engine that carries out each trial with all processes of a group.

One trial on several Ray Train workers: the same group of processes, started by Ray instead of torchrun.

The engine ``ray`` starts them from a worker of its own. That takes some tens of seconds per trial, which a trial of a
large backbone does not feel and a small one does.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from baselines.distributed.group import Group, PeerFailed
from baselines.distributed.launch import session
from baselines.distributed.settings import ZeroSettings
from benchmark.engines.interface import Failure, Outcome
from benchmark.engines.ledger import Ledger
from benchmark.engines.resources import Place, host
from benchmark.engines.trial import attempt, failure
from benchmark.simulator import Workspace
from benchmark.trials.trial import Trial
from tasks.definition import quiet
from tasks.errors import InputError

if TYPE_CHECKING:
    from benchmark.engines.worker import TrialPart
    from tasks.task import Task

T = TypeVar("T")


class GroupEngine:
    """One trial after the other, each by the whole group.

    The first process keeps the store and calls ``run``; the others call ``follow`` meanwhile. The engine is a context;
    when the first process leaves it, in whatever way, the others stop waiting for trials. ``threads`` are those of a
    process's numerical libraries, ``place`` is where this process is, for the record.
    """

    def __init__(self, group: Group, threads: int = 1, place: Place | None = None) -> None:
        self.group = group
        here = f"{host()} process {os.getpid()}, first of {group.size}"
        self.place = place or Place(f"deepspeed {group.settings.name}", here, threads)

    @property
    def first(self) -> bool:
        """Whether this process keeps the store."""
        return self.group.first

    def parallel(self, trial: Trial) -> str:
        """Return how the group shares a trial, as its identity has it; empty for a trial without a model."""
        return self.group.settings.parallel(trial, self.group.size)

    def agreed(self, call: Callable[[], T]) -> T:
        """Let every process do its part and return this one's result; InputError on all if one failed."""

        def named() -> T:
            try:
                return call()
            except InputError:
                raise
            except Exception as error:  # the others wait for this process, whatever happens to it
                raise InputError(failure(error).line) from error

        return self.group.attempt(named)

    def __enter__(self) -> GroupEngine:
        return self

    def __exit__(self, *error: object) -> None:
        if self.group.first:
            self.group.ready()
            self.group.exchange(None)

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials in their order; checkpoints and artifacts are written straight to the store."""
        for trial in trials:
            self.group.ready()
            self.group.exchange(trial)
            state, artifacts = ledger.start(trial, self.place.where)
            workspace = Workspace(
                state,
                artifacts,
                functools.partial(ledger.say, trial),
                ledger.progress,
                functools.partial(ledger.measured, trial),
            )
            found = self.attempt(trial, task, workspace)
            if isinstance(found, Failure):
                ledger.fail(trial, found)
            else:
                ledger.finish(trial, found)

    def follow(self, task: Task) -> None:
        """Take part in the first process's trials on the same task until it has no more."""
        while True:
            self.group.ready()
            trial: Trial | None = self.group.exchange(None)[0]
            if trial is None:
                return
            with tempfile.TemporaryDirectory() as folder:
                state, artifacts = Path(folder) / "state", Path(folder) / "artifacts"
                state.mkdir()
                artifacts.mkdir()
                self.attempt(trial, task, Workspace(state, artifacts, lambda line: None, quiet))

    def attempt(self, trial: Trial, task: Task, workspace: Workspace) -> Outcome | Failure:
        """Run this process's part; all call this, and a trial that fails in one process is given up by all.

        Of the workspaces, only the first process's checkpoints and artifacts are of use.
        """
        found = attempt(trial, task, workspace, self.place)
        try:
            if isinstance(found, Failure):
                self.group.give_up(found.line)
            else:
                self.group.exchange(None)
        except PeerFailed as error:
            return failure(error)
        return found


@dataclasses.dataclass(frozen=True)
class RayWorkers:
    """Starts a group of ``size`` Ray Train workers for every trial with a model, each with ``threads`` threads."""

    settings: ZeroSettings
    size: int
    threads: int = 1

    def parallel(self, trial: Trial) -> str:
        """Return how the workers share a trial, as its identity has it; empty for a trial without a model."""
        return self.settings.parallel(trial, self.size)

    def launch(self, part: TrialPart, cpus: float, gpus: int) -> None:
        """Start the workers, each with so many CPUs and 0 or 1 GPU, have each carry out the part, and wait for them.

        Ray.train.TrainingFailedError if a worker was lost.
        """
        # Relative paths in settings keep their meaning.
        os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
        from ray import train
        from ray.train.torch import TorchConfig, TorchTrainer

        each = {"CPU": cpus, "GPU": gpus}
        with tempfile.TemporaryDirectory(prefix="gazebench-train-") as folder:
            TorchTrainer(
                _work,
                train_loop_config={"part": part, "workers": self, "resources": {"cpus": cpus, "gpus": gpus}},
                torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
                scaling_config=train.ScalingConfig(
                    num_workers=self.size,
                    use_gpu=gpus > 0,
                    resources_per_worker={name: amount for name, amount in each.items() if amount},
                ),
                # Begun again is a trial by the engine, on any workers and from its last checkpoint.
                run_config=train.RunConfig(storage_path=folder, failure_config=train.FailureConfig(max_failures=0)),
            ).fit()


def _work(given: dict[str, Any]) -> None:
    """Run one worker's part; what Ray Train calls."""
    from benchmark.engines.worker import whereabouts

    logging.getLogger("ray.train").setLevel(logging.CRITICAL)
    part: TrialPart = given["part"]
    workers: RayWorkers = given["workers"]
    entered = False
    try:
        with session(workers.settings) as group:
            entered = True
            asked = {"workers": workers.size, **given["resources"], "source": "each worker, as given"}
            where = f"{whereabouts()}, first of {workers.size}"
            part.carry_out(GroupEngine(group, place=Place("ray", where, workers.threads, asked)))
    except InputError as error:
        if not entered:
            part.refuse(str(error))
        raise
