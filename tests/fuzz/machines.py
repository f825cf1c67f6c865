"""Machines that turn on a command while it runs: full disks, users without a name, clocks that jump."""

import datetime
import os
import random as plain_random
import shutil
import subprocess
import time
import types

from benchmark.trials import store
from leaderboard import submitting
from tests.fuzz import forked
from tests.fuzz.kills import VERBS, content, still

STRANGER = 54_321
"""A user id that no machine knows."""


def stranger():
    """Become a user that has no name, no home and no right to write where not all may."""
    for name in ("HOME", "USER", "LOGNAME", "XDG_CACHE_HOME"):
        os.environ.pop(name, None)
    os.setgroups([])
    os.setgid(STRANGER)
    os.setuid(STRANGER)


def jumping():
    """Let the wall clock jump by months, back and forth."""
    now, drawn = time.time, plain_random.Random(0)

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(time.time(), tz)

    time.time = lambda: now() + drawn.uniform(-1e7, 1e7)
    store.datetime = Jumping
    submitting.datetime = types.SimpleNamespace(datetime=Jumping, timezone=datetime.timezone)


class Machines:
    """A disk of its own, and commands that write to it."""

    def __init__(self, world):
        self.world, self.out, self.done = world, world.folder / "disk", world.folder / "done"
        self.out.mkdir()
        self.wanted, self.size = {}, {}

    def words(self, verb):
        """Return the words of a command, after making what it changes."""
        run, board, data = self.out / "run", self.out / "submit", ["--data", f"snacks={self.done / 'prepare'}"]
        also = {
            "new-simulator": ["top-left", "--out", self.out / "new"],
            "report": [self.done / "run", "--html", self.out / "report.html"],
            "report --paper": [self.out / "paper", self.done / "run"],
            "probe": [
                *("--backbone", "pocket-qwen3vl", "--task", "recgaze", "--data", "sample"),
                *("--session", "KInIT_34-22", "--out", self.out / "probe.png"),
            ],
            "show": ["u0-1", "--run", self.done / "run", "--out", self.out / "show.png"],
            "score": [self.done / "run" / "predictions.parquet", *self.world.data, "--out", self.out / "score"],
            "stress": [run, "--relabel", "--simulators", "user-prior"],
            "leaderboard init": [self.out / "new-board"],
            "leaderboard withdraw": ["mine@1", "--board", board, "--reason", "wrong", *data],
        }
        if verb not in also:
            return self.world.words(verb, self.out)
        for folder in {run: ("stress",), board: ("leaderboard withdraw",)}.items():
            if verb in folder[1]:
                shutil.copytree(self.done / folder[0].name, folder[0], dirs_exist_ok=True)
        return [*verb.split(), *also[verb]]

    def used(self):
        return shutil.disk_usage(self.out).used

    def empty(self):
        for path in self.out.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def full(self, verb, random):
        """Run a command on a disk with too little room, and again with enough: the bytes are those of one command."""
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", self.out], check=True)
        try:
            if verb not in self.wanted:
                words, before = self.words(verb), self.used()
                forked.call(words, self.world.log, still).well(0)
                self.wanted[verb], self.size[verb] = content(self.out), self.used() - before
                self.empty()
            words, filler = self.words(verb), self.out / "filler"
            free = int(random.random() * self.size[verb]) // 4096 * 4096
            with filler.open("wb") as file:
                file.truncate(0)
                os.posix_fallocate(file.fileno(), 0, 32 * 2**20 - self.used() - free)
            answer = forked.call(words, self.world.log, still).well(0, 2)
            filler.unlink()
            assert answer.status == 0 or "cannot write" in answer.text, answer
            left = [path.name for path in self.out.rglob(".*") if ".partial-" in path.name or ".old-" in path.name]
            assert not left, (verb, left)
            again = forked.call(words, self.world.log, still).well(0, 2)
            assert again.status == 0 or "exists and is not empty" in again.text or "withdrawn" in again.text, again
            found, wanted = content(self.out), self.wanted[verb]
            different = {name for name in {*found, *wanted} if found.get(name) != wanted.get(name)}
            assert not different, (verb, free, sorted(different))
        finally:
            subprocess.run(["umount", self.out], check=True)

    def strange(self, verb, machine, open_to_all):
        """Run a command as a stranger, or by a jumping clock, where everybody may write or where nobody may."""
        self.out.chmod(0o777 if open_to_all else 0o755)
        answer = forked.call(self.words(verb), self.world.log, machine)
        self.empty()
        answer.well(*((0,) if open_to_all else (2,)))

    def cases(self):
        """Yield kind and call of everything that is strange."""
        for verb in VERBS:
            yield "clock that jumps", lambda verb=verb: self.strange(verb, jumping, True)
            for room in (True, False):
                kind = f"unknown user, {'all' if room else 'none'} may write"
                yield kind, lambda verb=verb, room=room: self.strange(verb, stranger, room)
        raw = ["run", "--task", "snacks", "--data", self.world.folder / "raw", "--simulators", "uniform"]
        words = [*raw, "--out", self.out / "raw-run"]
        yield "read-only cache", lambda: forked.call(words, self.world.log, stranger).well(2)


FULL = (
    *VERBS,
    *(
        "new-simulator",
        "report",
        "report --paper",
        "probe",
        "show",
        "score",
        "stress",
        "leaderboard init",
        "leaderboard withdraw",
    ),
)
