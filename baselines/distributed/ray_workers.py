"""One trial on several Ray Train workers: the same group of processes, started by Ray instead of torchrun.

For use wherever Ray is initialised, a Tune trial or an actor included. Start-up costs some tens of seconds per trial,
which a trial of a large backbone does not feel and a small one does.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.engines.interface import Failure, Files, Outcome
from benchmark.trials import Trial

if TYPE_CHECKING:
    from tasks.task import Task


def run_in_workers(
    trial: Trial,
    task: Task,
    settings: str,
    *,
    workers: int,
    cpus: float = 1.0,
    gpus: float = 0.0,
    threads: int = 1,
    kept: Files | None = None,
) -> tuple[Outcome | Failure, Files, Files]:
    """Run a trial by a group of Ray Train workers.

    Args:
        trial: What to run.
        task: The task it belongs to; sent to the workers once per node.
        settings: Name or path of a DeepSpeed configuration, found on all nodes.
        workers: Number of processes.
        cpus: Cores reserved per process.
        gpus: GPUs reserved per process, 0 or 1.
        threads: Threads of a process's numerical libraries.
        kept: The checkpoint that an earlier attempt left.

    Returns:
        What came of it, its checkpoint as far as it is, and its artifacts.
    """
    import ray
    from ray import train
    from ray.train.torch import TorchConfig, TorchTrainer

    from benchmark.engines.parcel import PackedTask
    from benchmark.engines.trial import failure

    shared = ray.put(PackedTask.of(task))
    letterbox = ray.remote(num_cpus=0)(_Letterbox).remote()
    given = {
        "trial": trial,
        "task": shared,
        "settings": settings,
        "threads": threads,
        "kept": dict(kept or {}),
        "letterbox": letterbox,
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = TorchTrainer(
            _work,
            train_loop_config=given,
            torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
            scaling_config=train.ScalingConfig(
                num_workers=workers,
                use_gpu=gpus > 0,
                resources_per_worker={"CPU": cpus, **({"GPU": gpus} if gpus else {})},
            ),
            run_config=train.RunConfig(storage_path=folder),
        )
        try:
            trainer.fit()
        except Exception as error:  # Ray wraps whatever ended a worker
            return failure(error), {}, {}
        found: tuple[Outcome | Failure, Files, Files] = ray.get(letterbox.open.remote())
    return found


class _Letterbox:
    """Holds what the first worker found until the driver asks for it."""

    def __init__(self) -> None:
        self.content: Any = None

    def put(self, content: Any) -> None:
        self.content = content

    def open(self) -> Any:
        return self.content


def _work(given: dict[str, Any]) -> None:
    """Run one worker's part."""
    import ray
    from ray import train

    from baselines.distributed.engine import GroupEngine
    from baselines.distributed.launch import session
    from benchmark.simulator import Workspace
    from tasks.definition import quiet

    task = ray.get(given["task"]).unpack()
    with session(given["settings"]) as group, tempfile.TemporaryDirectory() as folder:
        state, artifacts = Path(folder) / "state", Path(folder) / "artifacts"
        for place in (state, artifacts):
            place.mkdir()
        _unpack(given["kept"] if group.first else {}, state)
        engine = GroupEngine(group, given["threads"])
        workspace = Workspace(state, artifacts, lambda line: None, quiet)
        group.ready()
        found = engine.attempt(given["trial"], task, workspace)
        if group.first:
            ray.get(given["letterbox"].put.remote((found, _packed(state), _packed(artifacts))))
    train.report({"finished": isinstance(found, Outcome)})


def _packed(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _unpack(files: Files, folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
