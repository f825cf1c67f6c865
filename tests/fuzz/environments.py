"""Odd machines: streams, homes, users, caches, locales, clocks and terminals that a command may meet."""

import functools
import os
import subprocess
import sys

from submissions.examples import GOOD
from tests.conftest import ROOT

COMMAND = [sys.executable, "-m", "benchmark", "list", "metrics"]
DOCTOR = [sys.executable, "-m", "benchmark", "doctor", str(GOOD)]
TERMINAL = {"COLUMNS": "20", "LINES": "3"}


def environments():
    """Yield name, changes of the environment, and how the process is started."""
    for encoding in ("ascii", "cp1252", "latin-1", "utf-16", "iso8859-9"):
        yield f"streams in {encoding}", {"PYTHONIOENCODING": encoding}, {}
    yield "no stdout", {}, {"closed": 1}
    yield "no stderr", {}, {"closed": 2}
    yield "no HOME", {"HOME": None, "XDG_CACHE_HOME": None, "GAZEBENCH_CACHE": None}, {}
    yield "a cache that is a file", {"GAZEBENCH_CACHE": str(ROOT / "README.md")}, {"command": DOCTOR}
    yield (
        "no HOME, and data to be built",
        {"HOME": "/nowhere", "XDG_CACHE_HOME": None, "GAZEBENCH_CACHE": None},
        {"command": DOCTOR},
    )
    yield "a narrow terminal", TERMINAL, {}
    for place in ("tr_TR.UTF-8", "C", "POSIX", "de_DE@euro"):
        yield f"locale {place}", {"LC_ALL": place, "LANG": place, "PYTHONUTF8": "0"}, {}
    for zone in ("Asia/Kolkata", "Pacific/Apia", "America/St_Johns", "nowhere"):
        yield f"time zone {zone}", {"TZ": zone}, {}


def answered(changes, started):
    """Run a command of its own; raise unless it ended with a status of its own and without a traceback."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **changes}
    environment = {name: value for name, value in environment.items() if value is not None}
    closed = started.get("closed")
    found = subprocess.run(
        started.get("command", COMMAND),
        env=environment,
        cwd=ROOT,
        capture_output=closed is None,
        preexec_fn=(lambda: os.close(closed)) if closed else None,
        timeout=300,
    )
    text = (found.stdout or b"") + (found.stderr or b"")
    assert found.returncode in (0, 1, 2) and b"Traceback" not in text, (found.returncode, text[-300:])


def cases():
    """Yield kind and call of every odd machine."""
    for _, changes, started in environments():
        yield "odd machines", functools.partial(answered, changes, started)
