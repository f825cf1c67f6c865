"""Tamper with boards and stored trials, meet odd machines, kill commands; print what was tried and answered well.

python -m tests.fuzz --cases 10000
python -m tests.fuzz --kills 100

A case is answered well if a command ends with a status of its own, says what is wrong in lines and never scores what
was damaged. A killed command is answered well if the same command then leaves the bytes that it leaves undisturbed.
"""

import argparse
import collections
import resource
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

from tests import mini
from tests.fuzz import boards, environments, kills, trials


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=0, help="tampered boards, and as many damaged trials")
    parser.add_argument("--environments", action="store_true", help="meet every odd machine once")
    parser.add_argument("--kills", type=int, default=0, help="commands that are killed at a random moment")
    parser.add_argument("--submits", type=int, default=0, help="submissions at one time to one board")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tried, well, slowest = collections.Counter(), collections.Counter(), collections.Counter()

    def case(kind, call):
        began = time.perf_counter()
        tried[kind] += 1
        try:
            call()
            well[kind] += 1
        except Exception:
            traceback.print_exc()
        slowest[kind] = max(slowest[kind], time.perf_counter() - began)

    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        task = mini.build(folder)
        if options.cases:
            whole = boards.make(folder / "board", task)
            store, trial = trials.make(folder / "trials", task)
        for _ in range(options.cases):
            case("tampered boards", lambda: boards.case(whole, folder / "copy", task, random))
            case("damaged trials", lambda: trials.case(store, trial, random))
        for name, changes, started in environments.environments() if options.environments else ():

            def meet(name=name, changes=changes, started=started):
                good, *said = environments.answered(changes, started)
                assert good, (name, said)

            case("odd machines", meet)
        for kind, call in kills.cases(folder, options.kills, random):
            case(f"killed: {kind}", call)
        if options.submits:
            case(f"{options.submits} submits at one time", lambda: kills.at_once(folder, options.submits))
    lines = [f"| {kind} | {tried[kind]:,} | {well[kind]:,} | {slowest[kind]:.1f} s |" for kind in tried]
    memory = f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    head = ["| kind | tried | answered well | slowest |", "|---|---|---|---|"]
    sys.stdout.write("\n".join([*head, *lines, memory, ""]))


if __name__ == "__main__":
    main()
