"""A run in one process and by Ray Train workers under DeepSpeed: the same answers, and what the workers cost.

    python tests/performance/zero_in_ray.py
    python tests/performance/zero_in_ray.py --kill       # one worker is killed after the first epoch
    python tests/performance/zero_in_ray.py --two-nodes  # a cluster of two nodes with a core each, on this machine

A prior, which no workers share, and a tuned simulator run with the engine local and then with the engine ray. Exit code
1 if an answer differs, a probability or an attention weight is more than 1e-5 off, or, with --kill, the trial did not
go on from its checkpoint.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402

from baselines import registry  # noqa: E402
from baselines.distributed import read  # noqa: E402
from baselines.distributed.engine import RayWorkers  # noqa: E402
from benchmark.api import load, material_folders  # noqa: E402
from benchmark.engines import EngineSettings  # noqa: E402
from benchmark.engines.ray import RayEngine  # noqa: E402
from benchmark.runs.runner import run  # noqa: E402
from benchmark.trials.configuration import RunConfig, read_preset  # noqa: E402
from benchmark.trials.store import TrialStore  # noqa: E402
from tests.performance.ray_engines import two_nodes  # noqa: E402

MARK = "GAZEBENCH_ZERO_IN_RAY"
"""Set in the environment of every process that this script's Ray starts, and of no other."""


def workers(mark: str) -> list[int]:
    """Return the processes of this script's Ray Train workers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            ours = f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
            if ours and b"RayTrainWorker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


def kill_one(out: Path, mark: str) -> None:
    """Wait until a trial has a checkpoint, and kill one of its workers."""
    while not list(out.glob("trials/.working-*/state/*")):
        time.sleep(0.1)
    victim = max(workers(mark))
    os.kill(victim, signal.SIGKILL)
    # The engine keeps standard output to itself.
    print(f"killed one of the workers (process {victim})", file=sys.stderr)


def frames(out: Path) -> dict[str, object]:
    """Return simulator -> predictions, of the one trial that each has in a run's folder."""
    store = TrialStore(out / "trials")
    import pandas as pd

    found = {}
    for path in store.root.glob("[0-9a-f]*/trial.json"):
        found[json.loads(path.read_text())["simulator"]] = pd.read_parquet(path.parent / "predictions.parquet")
    return found


def apart(one: object, two: object) -> tuple[int, float]:
    """Return how many answers differ, and the largest difference of a probability or an attention weight."""
    gap = 0.0
    for column in ("probabilities", "attention"):
        pairs = [(a, b) for a, b in zip(one[column], two[column], strict=True) if a is not None or b is not None]
        gap = max([gap, *(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs)])
    return int((one["answer"].fillna(-1) != two["answer"].fillna(-1)).sum()), gap


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deepspeed", default="zero3")
    parser.add_argument("--simulator", default="shared-prompt")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--two-nodes", action="store_true")
    chosen = parser.parse_args()
    os.environ[MARK] = mark = uuid.uuid4().hex
    task = load("recgaze", "sample")
    asked = RunConfig(
        task="recgaze",
        simulators=("position-prior", chosen.simulator),
        seeds=(42,),
        defaults={**read_preset("quick")["defaults"], "epochs": chosen.epochs, "validation": 0.05},
    )
    with tempfile.TemporaryDirectory() as folder, two_nodes() if chosen.two_nodes else nullcontext() as cluster:
        address = cluster.settings.address if cluster is not None else None
        settings = EngineSettings("ray", address, deepspeed=chosen.deepspeed, workers_per_trial=chosen.workers)
        together = RayEngine(settings, material_folders, RayWorkers(read(chosen.deepspeed), chosen.workers))
        seconds, found, said = [], [], []
        for name, engine in (("alone", None), ("together", together)):
            out = Path(folder) / name
            if chosen.kill and engine is not None:
                threading.Thread(target=kill_one, args=(out, mark), daemon=True).start()
            start = time.perf_counter()
            run(asked, task, registry, out, engine=engine, report=said.append)
            seconds.append(time.perf_counter() - start)
            found.append(frames(out))
        [path] = [p for p in out.glob("trials/*/trial.json") if '"parallel"' in p.read_text()]
        record = json.loads(path.read_text())
        kept = sorted(p.name for p in (path.parent / "artifacts").iterdir())
    well = sorted(found[0]) == sorted(found[1]) == sorted(asked.simulators)
    for name in found[0]:
        answers, gap = apart(found[0][name], found[1][name])
        print(f"{name}: {answers} of {len(found[0][name])} answers differ, probabilities and attention by {gap:.1e}")
        well &= answers == 0 and gap <= (1e-5 if name == chosen.simulator else 0.0)
    print(f"{record['parallel']}; attempts: {record['attempts']}; artifacts: {', '.join(kept)}")
    if chosen.kill:
        resumed = [line for line in said if "continues after epoch" in line]
        print("\n".join(resumed) or "it did not go on from its checkpoint")
        well &= bool(resumed) and record["attempts"] == 2
    trial = record["cost"]["seconds"]
    print(f"run: alone {seconds[0]:.1f} s; {chosen.workers} workers {seconds[1]:.1f} s, the trial itself {trial:.1f} s")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
