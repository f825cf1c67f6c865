"""One trial on several Ray Train workers: the same group of processes, started by Ray instead of torchrun.

The engine ``ray`` starts them from a worker of its own. That takes some tens of seconds per trial, which a trial of a
large backbone does not feel and a small one does.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
from typing import TYPE_CHECKING, Any

from baselines.distributed.settings import ZeroSettings
from benchmark.trials.trial import Trial

if TYPE_CHECKING:
    from benchmark.engines.interface import Part


@dataclasses.dataclass(frozen=True)
class RayWorkers:
    """Starts a group of ``size`` Ray Train workers for every trial with a model, each with ``threads`` threads."""

    settings: ZeroSettings
    size: int
    threads: int = 1

    def parallel(self, trial: Trial) -> str:
        """Return how the workers share a trial, as its identity has it; empty for a trial without a model."""
        return self.settings.parallel(trial, self.size)

    def launch(self, part: Part, cpus: float, gpus: int) -> None:
        """Start the workers, each with so many CPUs and 0 or 1 GPU, have each carry out the part, and wait for them.

        Raises:
            ray.train.TrainingFailedError: A worker was lost.
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
    from baselines.distributed.engine import GroupEngine
    from baselines.distributed.launch import session
    from benchmark.engines.environment import Place
    from benchmark.engines.worker import whereabouts
    from tasks.errors import InputError

    logging.getLogger("ray.train").setLevel(logging.CRITICAL)
    part: Part = given["part"]
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
