"""One trial alone and by Ray Train workers under ZeRO-3: the same answers, and what the workers cost.

python tests/performance/zero_in_ray.py
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_AIR_NEW_OUTPUT="0", OMP_NUM_THREADS="1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--deepspeed", default="zero3")
    chosen = parser.parse_args()
    import numpy as np
    import ray

    from baselines import registry
    from baselines.distributed.ray_workers import run_in_workers
    from benchmark.cli.options import load_task
    from benchmark.config import RunConfig
    from benchmark.engines.interface import Failure
    from benchmark.runner import run_trial
    from benchmark.trials import expand

    task = load_task("recgaze", "sample")
    settings = {"epochs": 1, "validation": 0.05}
    config = RunConfig(task="recgaze", simulators=("shared-prompt",), seeds=(42,), settings=settings)
    (trial,) = expand(config, task, registry)
    start = time.perf_counter()
    alone, _ = run_trial(trial, task)
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="gz") as folder:
        ray.init(
            num_cpus=chosen.workers + 1,
            include_dashboard=False,
            object_store_memory=200 * 2**20,
            log_to_driver=False,
            _temp_dir=folder,
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).parents[2])}},
        )
        start = time.perf_counter()
        found, state, artifacts = run_in_workers(trial, task, chosen.deepspeed, workers=chosen.workers)
        together = time.perf_counter() - start
        ray.shutdown()
    if isinstance(found, Failure):
        raise SystemExit(found.log)
    rows = [np.stack(frame["probabilities"].to_list()) for frame in (alone, found.frame)]
    print(f"answers that differ: {(alone['answer'] != found.frame['answer']).sum()} of {len(alone)}")
    print(f"largest difference of a probability: {np.abs(rows[0] - rows[1]).max():.1e}")
    print(f"artifacts: {', '.join(sorted(artifacts))}; checkpoint: {', '.join(sorted(state))}")
    print(
        f"alone {seconds:.1f} s; {chosen.workers} workers {together:.1f} s, the trial itself {found.cost['seconds']} s"
    )


if __name__ == "__main__":
    main()
