"""When the default run has its first table and when it ends, before and after; what N workers gain.

    python tests/performance/first_table.py --before FOLDER

FOLDER holds the sources of a version to compare with. Both versions run ``run --task recgaze`` on the sample, one after
the other on the same machine, or at once (``--at-once``) where other work would meet one more than the other. Printed
are the timelines, the ratios, and how busy the machine was with everything. The gain of N workers is a ratio of two
runs of CPU-bound trials; next to it is what N plain processes gain at the same time with the same work.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

from benchmark.engines import LocalEngine  # noqa: E402
from benchmark.engines.resources import Moment, cores  # noqa: E402
from benchmark.runs.runner import run_missing  # noqa: E402
from benchmark.trials.store import TrialStore  # noqa: E402
from benchmark.trials.trial import expand  # noqa: E402
from tests import mini  # noqa: E402
from tests.performance.farm import Farm, config  # noqa: E402
from tests.performance.ray_overhead import plain  # noqa: E402


def default_run(sources: Path, settings: list[str]) -> tuple[float, float]:
    """Run a version; print its timeline; return the seconds to its first table and to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "benchmark", "run", "--task", "recgaze", "--data", "sample"]
        environment = {**os.environ, "PYTHONPATH": str(sources)}
        first, seen = None, {}
        # The sample is built before the clock starts.
        subprocess.run(
            [*command, "--simulators", "uniform", "--out", f"{folder}/warm"],
            cwd=sources,
            env=environment,
            capture_output=True,
            check=True,
        )
        before = Moment.now()
        with subprocess.Popen(
            [*command, *(["--set", *settings] if settings else []), "--out", str(out)],
            cwd=sources,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while process.poll() is None:
                time.sleep(0.1)
                now = time.perf_counter() - before.wall
                for path in out.glob("trials/[0-9a-f]*/trial.json"):
                    seen.setdefault(path, now)
                if first is None and (out / "results.json").is_file():
                    first = now
        after = Moment.now()
        assert process.returncode == 0 and first is not None
        records = [(when, json.loads(path.read_text())) for path, when in seen.items()]
        print(f"{sources.name}:")
        for when, record in sorted(records, key=lambda pair: pair[0]):
            if when - first > 0 and when == min(w for w, _ in records if w > first):
                print(f"  {first:7.1f} s  -- table --")
            print(f"  {when:7.1f} s  {record['simulator']}, seed {record['seed']}")
        spent = sum(record["cost"].get("processor_seconds", 0.0) for _, record in records)
        load = after.load(before)
    end = after.wall - before.wall
    print(f"  {end:7.1f} s  end; machine load {load}; processor seconds of the trials {spent:.1f}")
    return first, end


def busy_run(task, trials: int, rounds: int, workers: int) -> float:
    """Return seconds per CPU-bound trial between the first end and the last."""
    finished: list[float] = []

    def note(standing):
        finished.extend([time.perf_counter()] * (standing.done - len(finished)))

    asked = config("busy", trials, rounds=rounds)
    with tempfile.TemporaryDirectory() as folder:
        store = TrialStore(Path(folder))
        run_missing(expand(asked, task, Farm()), task, store, engine=LocalEngine(workers=workers), display=note)
    # With N workers the first N trials end together; what follows them is counted.
    return (finished[-1] - finished[workers - 1]) / (trials - workers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, help="sources of the version to compare with")
    parser.add_argument("--trials", type=int, default=24, help="CPU-bound trials")
    parser.add_argument("--rounds", type=int, default=200, help="size of one")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of both default runs")
    arguments = parser.parse_args()
    count = cores()
    print(f"{count} cores; load average {os.getloadavg()[0]:.1f} before")
    if arguments.before is not None:
        with ThreadPoolExecutor(2 if arguments.at_once else 1) as runs:
            both = [runs.submit(default_run, sources, arguments.set) for sources in (arguments.before.resolve(), ROOT)]
        (_, whole), (first, end) = (found.result() for found in both)
        print(f"first table after {first / whole:.2f}, whole run {end / whole:.2f} of the time before")
    with tempfile.TemporaryDirectory() as folder:
        task = mini.build(Path(folder))
        for _ in range(arguments.repeat):
            one, many = (plain(n, arguments.trials, arguments.rounds) for n in (1, count))
            first, all_ = (busy_run(task, arguments.trials, arguments.rounds, n) for n in (1, count))
            gains = one / many, first / all_
            print(f"{count} plain processes gain x{gains[0]:.2f}, {count} workers x{gains[1]:.2f}", end=": ")
            print(f"{gains[1] / gains[0]:.2f} of it; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
