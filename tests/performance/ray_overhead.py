"""What the engine ray costs and gives: seconds per null trial with reused workers, and two workers against one.

    python tests/performance/ray_overhead.py

The cost of a null trial is a difference of two runs, so that starting Ray is not in it. The gain of a second worker is
a ratio of two runs on the same machine; next to it is what two plain processes gain there without Ray, at the same
time and with the same work: no engine can give more. On a busy machine that is little; trials that wait instead of
computing then still show what the engine itself takes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from benchmark.engines import EngineSettings, LocalEngine  # noqa: E402
from benchmark.engines.ray import RayEngine  # noqa: E402
from benchmark.runs.runner import run_missing  # noqa: E402
from benchmark.trials.store import TrialStore  # noqa: E402
from benchmark.trials.trial import expand  # noqa: E402
from tests import mini  # noqa: E402
from tests.performance.farm import Farm, config, work  # noqa: E402


def ray(workers: int) -> RayEngine:
    return RayEngine(EngineSettings("ray", workers=workers))


def seconds(task, asked, engine) -> tuple[float, float]:
    """Return the whole time of a run's trials, and the time from the first finished trial to the last."""
    finished: list[float] = []

    def note(standing):
        if standing.done > len(finished):
            finished.extend([time.perf_counter()] * (standing.done - len(finished)))

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        failed = run_missing(expand(asked, task, Farm()), task, TrialStore(Path(folder)), engine=engine, display=note)
        end = time.perf_counter()
    assert not failed and len(finished) == len(asked.seeds)
    return end - start, finished[-1] - finished[0]


def plain(processes: int, tasks: int, rounds: int) -> float:
    """Return the time that plain processes need for the same work, without their start."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        pool.starmap(work, [(1, 0)] * processes * 2, chunksize=1)
        start = time.perf_counter()
        pool.starmap(work, [(rounds, seed) for seed in range(tasks)], chunksize=1)
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--many", type=int, default=70)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="of Ray, for null trials")
    parser.add_argument("--busy", type=int, default=16, help="CPU-bound trials")
    parser.add_argument("--rounds", type=int, default=200, help="size of a CPU-bound trial")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", choices=("null", "busy"), help="one of the two measurements")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        task = mini.build(Path(folder))
        if arguments.only != "busy":
            null_trials(task, arguments.few, arguments.many, arguments.workers)
        if arguments.only != "null":
            for _ in range(arguments.repeat):
                busy_trials(task, arguments.busy, arguments.rounds)


def null_trials(task, few: int, many: int, workers: Sequence[int]) -> None:
    print("null trials: seconds each, and seconds before the first")
    engines = {"local": LocalEngine(), **{f"ray, {n} worker{'s' * (n > 1)}": ray(n) for n in workers}}
    for name, engine in engines.items():
        short, _ = seconds(task, config("null", few), engine)
        long, _ = seconds(task, config("null", many), engine)
        each = (long - short) / (many - few)
        print(f"  {name:<15} {each:6.3f}   {short - few * each:6.2f}")


def busy_trials(task, trials: int, rounds: int) -> None:
    print(f"{trials} trials with one thread: seconds per trial with 1 and 2 workers, gain")
    one, two = [plain(n, trials, rounds) / trials for n in (1, 2)]
    print(f"  CPU-bound, plain processes {one:6.2f} {two:6.2f}   x{one / two:.2f}")
    for name, asked in (
        ("CPU-bound, ray", config("busy", trials, rounds=rounds)),
        ("waiting, ray", config("idle", trials, seconds=1.0)),
    ):
        (whole_one, one), (whole_two, two) = [seconds(task, asked, ray(n)) for n in (1, 2)]
        # Between the first end and the last lie all trials but the first, with two workers all but the first two.
        one, two = one / (trials - 1), two / (trials - 2)
        whole = f"whole run {whole_one:.1f} and {whole_two:.1f} s, x{whole_one / whole_two:.2f}"
        print(f"  {name:<26} {one:6.2f} {two:6.2f}   x{one / two:.2f}   ({whole})")


if __name__ == "__main__":
    main()
