"""Commands in forked children, which start at once, may be killed, and may be given odd machines of their own."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.cli import main

_FRESH = 300
"""Mebibytes of a process that has loaded the suite and nothing else."""

LONGEST = 60
"""Seconds after which a command is ended."""

SPACE = "search: grid\nscore: [KL]\nearly_stopping: false\nsettings:\n  gaze_weight: [1.0, 5.0]\n"


@dataclass(frozen=True)
class Answer:
    """How a command ended: its status (minus a signal), all it printed, and what it took."""

    status: int
    text: str
    seconds: float
    mebibytes: float
    """At most, without what it was born with because these tests hold more than a process of the suite."""

    def well(self, *statuses):
        """Raise unless it ended by itself, in time and memory, with one of the statuses and without a traceback."""
        assert self.status in (statuses or (0, 1, 2)), (self.status, self.text[-2000:])
        assert "Traceback" not in self.text and self.mebibytes <= 1024, self
        errors = [line for line in self.text.splitlines() if line.startswith("error: ")]
        assert self.status != 2 or errors, self.text[-2000:]
        assert all(len(line) < 2_000 for line in errors), errors
        return self


def start(words, log, machine=lambda: None):
    """Begin a command in a child whose machine is changed first; what it prints goes to ``log``."""
    child = os.fork()
    if child:
        return child
    status = 70
    try:
        os.setsid()
        signal.alarm(LONGEST)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1), os.dup2(file, 2)
        sys.stdout, sys.stderr = (io.TextIOWrapper(io.FileIO(n, "w", closefd=False), "utf-8") for n in (1, 2))
        machine()
        status = main([str(word) for word in words])
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                pass
        os._exit(status)


def finish(child, log):
    """Wait for a command; return its answer."""
    _, status, usage = os.wait4(child, 0)
    text = Path(log).read_text("utf-8", "replace") if Path(log).exists() else ""
    seconds = usage.ru_utime + usage.ru_stime
    resident = int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    mebibytes = usage.ru_maxrss / 1024 - max(0.0, resident - _FRESH)
    return Answer(os.waitstatus_to_exitcode(status), text, seconds, mebibytes)


def call(words, log, machine=lambda: None):
    """Run a command in a child of its own."""
    return finish(start(words, log, machine), log)


def killed(words, log, after, machine=lambda: None, how=signal.SIGKILL):
    """Run a command and kill it, with all that it has started, after so many seconds; return its answer."""
    child = start(words, log, machine)
    time.sleep(after)
    try:
        os.killpg(child, how)
    except ProcessLookupError:  # it has only just begun
        os.kill(child, how)
    return finish(child, log)


class World:
    """A small raw data set, and what every command makes of it, each once; ``words`` are those of a command."""

    def __init__(self, folder):
        self.folder, self.log = Path(folder), Path(folder) / "log.txt"
        self.folder.chmod(0o755)  # some commands are run by somebody else
        os.environ["GAZEBENCH_CACHE"], os.environ["GAZEBENCH_WORKERS"] = str(self.folder / "cache"), "1"
        write_raw(self.folder / "raw")
        (self.folder / "space.yaml").write_text(SPACE)
        done = self.folder / "done"
        self.data = ["--task", "snacks", "--data", done / "prepare"]
        for verb in ("prepare", "run", "pack", "submit", "leaderboard", "tune"):
            assert self.here(self.words(verb, done)) == 0, verb
            if verb == "pack":
                self.signed(done / "pack", "mine")
        self.here(["leaderboard", "verify", "--board", done / "submit", "--data", f"snacks={done / 'prepare'}"])

    def here(self, words):
        """Run a command in this process, which so has loaded what the children need."""
        kept, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), io.StringIO(), io.StringIO()
        try:
            return main([str(word) for word in words])
        finally:
            sys.stdout, sys.stderr = kept

    def signed(self, folder, name, version="1"):
        """Give a packed submission an author, a name and a version."""
        path = folder / "submission.yaml"
        said = path.read_text().replace("anonymous", "Ada").replace("nobody@example.invalid", "ada@example.org")
        said = said.replace("name: user-prior", f"name: {name}").replace("version: '1'", f"version: '{version}'")
        path.write_text(said)

    def words(self, verb, out):
        """Return the words of a command that writes ``out / verb``, from what the others have made."""
        done = self.folder / "done"
        data, also, to = self.data, ["--data", f"snacks={done / 'prepare'}"], ["--out", out / verb]
        tuned = ["--simulator", "user-prior", "--space", self.folder / "space.yaml", "--engine", "local"]
        found = {
            "prepare": ["--task", "snacks", "--raw", self.folder / "raw", "--size", "60x40", "--workers", 1, *to],
            "run": [*data, "--simulators", "uniform,position-prior,user-prior", *to],
            "pack": [done / "run", "--simulator", "user-prior", *to],
            "submit": [done / "pack", "--board", out / verb, *also],
            "tune": [*data, *tuned, *to],
            "leaderboard": ["--board", done / "submit", "--html", out / verb, "--no-pictures", *also],
        }
        return [verb, *found[verb]]


def write_raw(folder):
    """Six users with four choices each among three snacks, in the layout of one table."""
    random = np.random.default_rng(0)
    rows = ["subject,trial,item,onset,offset,choice,rating1,rating2,rating3"]
    for user, trial in np.ndindex(6, 4):
        ratings, at = random.integers(1, 11, 3), 0
        for item, ms in zip(random.integers(0, 3, 5), random.integers(100, 600, 5), strict=True):
            row = [f"u{user}", trial, item, at, at + ms, ratings.argmax(), *ratings]
            rows.append(",".join(map(str, row)))
            at += ms
    folder.mkdir()
    (folder / "data.csv").write_text("\n".join(rows) + "\n")
