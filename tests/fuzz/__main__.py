"""Tamper with boards, trials and submissions, meet odd machines, kill commands; print what was answered well.

python -m tests.fuzz --cases 10000
python -m tests.fuzz --kills 100 --full 150 --submits 50 --environments
python -m tests.fuzz --submissions 10000
python -m tests.fuzz --cheats 5

A case is answered well if a command ends in 60 s and 1 GiB with a status of its own, says what is wrong in lines and
never scores what was damaged. A killed command is answered well if the same command then leaves the bytes that it
leaves undisturbed, and so is one whose disk was full. Full disks and unknown users need the rights of root.
"""

import argparse
import collections
import resource
import sys
import tempfile
import time
import traceback

import numpy as np

import tasks
from benchmark.cli import main as command
from submissions.examples import GOOD
from tasks.registry import load
from tests import mini
from tests.fuzz import boards, environments, kills, machines, trials
from tests.fuzz.forked import World
from tests.performance import cheats
from tests.submissions import mutations
from tests.submissions.fuzzing import BoardCase, run_case

EVERY = 100
"""One tampered board of so many is met by all commands, the others by those that read it."""


class Tally:
    """What was tried, how much of it was answered well, and how long the longest took."""

    def __init__(self):
        self.tried, self.well, self.slowest = collections.Counter(), collections.Counter(), collections.Counter()

    def case(self, kind, call, *given):
        began = time.perf_counter()
        self.tried[kind] += 1
        try:
            call(*given)
            self.well[kind] += 1
        except Exception:
            sys.stdout.write(f"{kind}, number {self.tried[kind]}:\n{traceback.format_exc()[-3000:]}\n")
        self.slowest[kind] = max(self.slowest[kind], time.perf_counter() - began)

    def lines(self):
        yield "| kind | tried | answered well | slowest |"
        yield "|---|---|---|---|"
        for kind, tried in self.tried.items():
            yield f"| {kind} | {tried:,} | {self.well[kind]:,} | {self.slowest[kind]:.1f} s |"
        peaks = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        yield "memory at most {:.0f} MiB, of a child {:.0f} MiB".format(*peaks)


def damaged_submissions(folder):
    """Kind -> call of a damaged submission: to 'doctor', also with stress tests, and to 'submit'."""
    task, base = load("recgaze", "sample"), mutations.load(GOOD)
    tasks.load, bases = lambda *given, **more: task, (base, mutations.with_stress(base))  # once, not once a case
    board = BoardCase(base, task, folder / "submitted", command)
    return {
        "submissions, doctor": lambda number, place: run_case(bases[number % 2], task, number, place),
        "submissions, submit": board.run,
    }


def judged_submissions(seeds):
    """Yield kind and whether each honest or cheating submission on the sample was judged well, of so many seeds."""
    task, rows = load("recgaze", "sample"), []
    cheats.measure("sample", cheats.Data(task.sessions_at(range(len(task)))), seeds, rows)
    for *_, kind, _, _, first, number, _ in rows:
        if kind == "honest":
            yield "honest submissions, not marked", number < 1
        elif first:
            yield "cheats that would be first, found", number >= 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=0, help="tampered boards, and as many damaged trials")
    parser.add_argument("--submissions", type=int, default=0, help="damaged submissions to 'doctor', and to 'submit'")
    parser.add_argument("--cheats", type=int, default=0, help="seeds of honest and cheating submissions on the sample")
    parser.add_argument("--environments", action="store_true", help="meet every odd machine once")
    parser.add_argument("--kills", type=int, default=0, help="commands that are killed, or stopped, at random moments")
    parser.add_argument("--full", type=int, default=0, help="commands whose disk has too little room")
    parser.add_argument("--submits", type=int, default=0, help="submissions at one time to one board")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally, random = Tally(), np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        if options.cases:
            board, place = boards.Boards(world), world.folder / "mini"
            place.mkdir()
            store, trial = trials.make(place / "trials", mini.build(place))
            for number in range(options.cases):
                tally.case("boards", board.case, np.random.default_rng((options.seed, number)), EVERY)
                tally.case("stored trials", trials.case, store, trial, random)
            sys.stdout.write(f"a command on a tampered board: at most {board.most[0]:.1f} s, {board.most[1]:.0f} MiB\n")
        calls = damaged_submissions(world.folder) if options.submissions else {}
        for number in range(options.submissions):
            for kind, call in calls.items():
                tally.case(kind, call, number, world.folder / "damaged")
        first = 1_000 * (options.seed + 1)
        for kind, good in judged_submissions(range(first, first + options.cheats)) if options.cheats else ():
            tally.tried[kind] += 1
            tally.well[kind] += good
        if options.environments:
            for kind, call in (*environments.cases(), *machines.Machines(world).cases()):
                tally.case(kind, call)
            for _ in range(10):
                tally.case("two runs at once", kills.two_runs, world, random)
        killed = kills.Kills(world) if options.kills else None
        for number in range(options.kills):
            verb = kills.VERBS[number % len(kills.VERBS)]
            tally.case(f"SIGKILL: {verb}", killed.case, verb, random)
            tally.case(f"SIGTERM: {verb}", killed.stopped, verb, random)
        disk = machines.Machines(world) if options.full else None
        for number in range(options.full):
            verb = machines.FULL[number % len(machines.FULL)]
            tally.case(f"full disk: {verb}", disk.full, verb, random)
        if options.submits:
            tally.case(f"{options.submits} submissions at one time", kills.at_once, world, options.submits)
    sys.stdout.write("\n".join([*tally.lines(), ""]))


if __name__ == "__main__":
    main()
