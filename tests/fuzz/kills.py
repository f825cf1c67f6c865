"""Commands that are killed at a random moment, and many at one time: the same command then leaves the same bytes."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time

from submissions.examples import GOOD
from tests.conftest import ROOT

RUN = ["run", "--task", "recgaze", "--data", "sample", "--simulators", "uniform,position-prior,user-prior"]


def commands(folder):
    """Command -> its words and the folder that it writes."""
    board, run = folder / "kill-board", folder / "kill-run"
    return {
        "run": ([*RUN, "--out", str(run)], run),
        "submit": (["submit", str(GOOD), "--board", str(board)], board),
        "pack": (
            ["pack", str(folder / "ready"), "--simulator", "user-prior", "--out", str(folder / "packed")],
            folder / "packed",
        ),
        "leaderboard": (
            ["leaderboard", "--board", str(folder / "ready-board"), "--html", str(folder / "site"), "--no-pictures"],
            folder / "site",
        ),
    }


def call(words, after=None):
    """Run a command, killed after so many seconds; return its status."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "benchmark", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        if after is not None:
            time.sleep(after)
            process.send_signal(signal.SIGKILL)
        return process.wait()


def digest(folder):
    """What lies in a folder, but for times, places and costs: names, and the bytes of predictions, scores and pages."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and "/events/" not in f"/{name}" and not any(p.startswith(".") for p in name.split("/")):
            kept = path.suffix in (".parquet", ".md", ".html", ".js", ".css", ".svg", ".jsonl")
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if kept else ""
    return found


def cases(folder, count, random):
    """Yield kind and call of ``count`` killed commands."""
    if not count:
        return
    assert call([*RUN, "--out", str(folder / "ready")]) == 0
    assert call(["submit", str(GOOD), "--board", str(folder / "ready-board")]) == 0
    wanted, took = {}, {}
    for kind, (words, out) in commands(folder).items():
        began = time.perf_counter()
        assert call(words) == 0, kind
        took[kind], wanted[kind] = time.perf_counter() - began, digest(out)
        shutil.rmtree(out)
    for number in range(count):
        kind, (words, out) = list(commands(folder).items())[number % len(wanted)]

        def killed(kind=kind, words=words, out=out):
            call(words, float(random.uniform(0.3, 1.0)) * took[kind])
            status = call(words)  # what was finished before the kill may be refused as being there already
            assert status == 0 or digest(out) == wanted[kind], status
            assert digest(out) == wanted[kind]
            left = [path.name for path in out.parent.iterdir() if ".partial-" in path.name]
            shutil.rmtree(out)
            assert not left, left

        yield kind, killed


def at_once(folder, count):
    """Submit the same example under many versions to one board at one time; every one of them is on it."""
    board, running = folder / "crowd", []
    for number in range(count):
        copy = folder / f"example-{number}"
        shutil.copytree(GOOD, copy)
        said = (copy / "submission.yaml").read_text()
        (copy / "submission.yaml").write_text(said.replace("version: '1.0'", f"version: '1.{number}'"))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        running.append(
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "benchmark", "submit", str(copy), "--board", str(board)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )
    assert [process.wait() for process in running] == [0] * count
    from leaderboard.board_files import Board

    names = {Board.open(board).result(name).metadata.label for name in Board.open(board).names("results")}
    assert sum(name.startswith("example-good@") for name in names) == count
