"""Throws damaged submissions at the checks: ten thousand and more, in processes that may not grow by a gigabyte.

    python tests/performance/fuzz_submissions.py --cases 10000 --workers 2

Each must be refused in clear lines, or accepted with the scores of what its files say (tests/submissions/fuzzing.py).
A case is decided by its number alone: --first N --cases 1 shows it again. Exit code 1 if one fails, or a process dies.
"""

from __future__ import annotations

import argparse
import atexit
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

GIGABYTE = 1024**3

Case = Callable[[int, Path], tuple[str, list, list[str]]]
"""Number of the case, a folder to write in -> outcome, problems, what was done to the submission."""


def doctor_case(stress: bool = False) -> Case:
    """Return the case of ``doctor`` and of scoring; with predictions under stress conditions, or without."""
    import tasks
    from submissions.examples import GOOD
    from tests.submissions import mutations
    from tests.submissions.fuzzing import run_case

    task, base = tasks.load("recgaze", "sample"), mutations.load(GOOD)
    base = mutations.with_stress(base) if stress else base
    return lambda number, folder: run_case(base, task, number, folder)


def submit_case(stress: bool = False) -> Case:
    """Return the case of ``submit`` and of the board; the sample is loaded once, not once a case."""
    import functools

    import tasks
    from benchmark.cli import main as call
    from submissions.examples import GOOD
    from tests.submissions import mutations
    from tests.submissions.fuzzing import BoardCase

    load = functools.cache(lambda name: tasks.registry.load(name, "sample"))
    tasks.load = lambda name, *_, **__: load(name)  # type: ignore[assignment]
    scratch = Path(tempfile.mkdtemp(prefix="gazebench-fuzz-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    base = mutations.with_stress(mutations.load(GOOD)) if stress else mutations.load(GOOD)
    return BoardCase(base, load("recgaze"), scratch / "board", call).run


TARGETS: dict[str, Callable[[], Case]] = {
    "doctor": doctor_case,
    "doctor-stress": lambda: doctor_case(stress=True),
    "submit": submit_case,
    "submit-stress": lambda: submit_case(stress=True),
}
"""What is tested, by name."""


def work(target: str, first: int, cases: int, step: int) -> None:
    """Run every ``step``-th case; print a JSON line per failure and one at the end."""
    case = TARGETS[target]()
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    done: Counter[str] = Counter()
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(5):  # what libraries allocate once is not what a submission takes
            case(number, Path(scratch) / "warm")
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
        if pages:
            limit = pages * os.sysconf("SC_PAGE_SIZE") + GIGABYTE
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(first, first + cases, step):
            sys.stdout.write(json.dumps({"at": number}) + "\n")
            sys.stdout.flush()
            try:
                outcome, problems, damage = case(number, Path(scratch) / str(number))
                lines = " ".join(map(str, problems))
                assert "malloc" not in lines and "MemoryError" not in lines, "it ran into the memory limit"
            except Exception:
                failed += 1
                sys.stdout.write(json.dumps({"failed": number, "trace": traceback.format_exc()}) + "\n")
                continue
            outcomes[outcome] += 1
            kinds.update({p.kind for p in problems})
            done.update(damage)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    summary = {"outcomes": outcomes, "kinds": kinds, "damage": done, "bad": failed, "peak": peak, "start": start}
    sys.stdout.write(json.dumps({"summary": summary}) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--target", default="doctor", choices=sorted(TARGETS))
    parser.add_argument("--step", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        work(arguments.target, arguments.first, arguments.cases, arguments.step)
        return 0
    began = time.monotonic()
    command = [sys.executable, __file__, "--target", arguments.target]
    workers = []
    for index in range(arguments.workers):
        options = ["--first", str(arguments.first + index), "--cases", str(arguments.cases - index)]
        options += ["--step", str(arguments.workers)]
        workers.append(subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, cwd=ROOT))
    total: dict[str, Counter[str]] = {"outcomes": Counter(), "kinds": Counter(), "damage": Counter()}
    bad, peak, grown = 0, 0, 0
    for worker in workers:
        assert worker.stdout is not None
        at = None
        for line in worker.stdout:
            record = json.loads(line)
            at = record.get("at", at)
            if "failed" in record:
                bad += 1
                print(f"case {record['failed']} failed:\n{record['trace']}")
            if "summary" in record:
                for name, counter in total.items():
                    counter.update(record["summary"][name])
                peak = max(peak, record["summary"]["peak"])
                grown = max(grown, record["summary"]["peak"] - record["summary"]["start"])
        if worker.wait():
            bad += 1
            print(f"a process died with exit code {worker.returncode} at case {at}")
    ran = sum(total["outcomes"].values())
    print(f"{ran} cases in {time.monotonic() - began:.0f} s: {dict(total['outcomes'])}, {bad} failed")
    print(f"largest memory of a process {peak / 1e6:.0f} MB, of which {grown / 1e6:.0f} MB came with the cases")
    print(f"problems by kind: {dict(total['kinds'].most_common())}")
    print(f"damage done: {dict(total['damage'].most_common())}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
