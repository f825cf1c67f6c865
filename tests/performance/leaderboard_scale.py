"""A board of many submissions: how long the site takes to build, and its pages to open and to order.

Made-up submissions are scored and stored on the simulated samples of two tasks, then the site is built in a fresh
process (reading the board included), then its pages are opened from the disk in headless Chromium. The wall clock is
printed, not asserted; on a machine that is busy with other things it says little, so the processor time of the build
is printed next to it.

    python tests/performance/leaderboard_scale.py --submissions 1000 --folder DIR

A folder that exists is used again. Without Chromium the pages are not opened.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np  # noqa: E402

import tasks  # noqa: E402
from baselines import registry  # noqa: E402
from benchmark.naming import OWN  # noqa: E402
from benchmark.scores import predictions, scoring  # noqa: E402
from benchmark.simulator import Prediction  # noqa: E402
from leaderboard.board_files import NOTHING, Board  # noqa: E402
from leaderboard.entries import Metadata  # noqa: E402
from leaderboard.submitting import NewResult, context_of, prepare, store, submit  # noqa: E402

TASKS = ("recgaze", "adserp-page")
SPLIT = "loo"
SEEDS = (42, 123)
BUDGET = {"build": 30.0, "open": 2.0}
"""Seconds that the project set itself."""


def candidate(task: tasks.Task, number: int) -> NewResult:
    """A made-up simulator that knows a little of the gaze; the higher its number, the more."""
    random = np.random.default_rng(number)
    share = random.random() * 0.5
    tables = []
    for seed in SEEDS:
        rows = []
        for session_id in scoring.test_slots(task, SPLIT):
            gaze = task.find(session_id).gaze
            seen = share * gaze + (1 - share) * random.dirichlet(np.ones(len(gaze)))
            rows.append(Prediction(session_id, seen, seen, int(seen.argmax())))
        tables.append(predictions.of_rows(rows, OWN, seed))
    metadata = Metadata(
        name=f"made-up-{number:04d}",
        version="1.0",
        authors=("A. Nobody",),
        licence="MIT",
        description="Made up to measure how the site grows.",
        kind="other",
        inputs=("image", "profile") if number % 2 else ("text",),
        backbone=f"model-{number % 7}",
        notice="made up, no simulator",
    )
    return NewResult(metadata, task, SPLIT, predictions.joined(tables))


def fill(folder: Path, submissions: int) -> None:
    """Put the submissions on a board, as 'submit' does, without ranking after each."""
    loaded = {name: tasks.load(name, "sample") for name in TASKS}
    submit(folder, [candidate(task, 0) for task in loaded.values()], registry)
    board = Board.open(folder)
    contexts = {name: context_of(task, SPLIT) for name, task in loaded.items()}
    started = time.perf_counter()
    for number in range(1, submissions):
        for name, task in loaded.items():
            store(board, prepare(candidate(task, number), context=contexts[name]), NOTHING, "2026-01-01T00:00:00Z")
    seconds = time.perf_counter() - started
    print(f"scored and stored: {seconds / max(1, 2 * (submissions - 1)) * 1000:.0f} ms per result")


def build(board: Path, site: Path) -> float:
    """Build the site in a fresh process; return the seconds."""
    command = [sys.executable, "-m", "benchmark", "leaderboard", "--board", str(board), "--html", str(site)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = after.ru_maxrss / 1024
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) / 1024**2
    print(
        f"site built in {seconds:.1f} s (budget {BUDGET['build']:g} s; {processor:.1f} s of processor time), "
        f"peak {peak:.0f} MiB, {size:.0f} MiB of files"
    )
    return seconds


def pages(site: Path) -> None:
    """Open the pages and order the table."""
    from tests.browser import CHROMIUM, DRIVER, MISSING, Browser

    if not (CHROMIUM and DRIVER):
        print(f"pages not opened: {MISSING}")
        return
    table = next(path for path in sorted((site / "tables").iterdir()) if path.name.startswith("recgaze"))
    shown = {"overview": site / "index.html", "table": table, "comparison": site / "compare.html"}
    with tempfile.TemporaryDirectory() as profile, Browser(Path(profile)) as browser:
        browser.open(shown["overview"].as_uri())
        for name, path in shown.items():
            taken = []
            for _ in range(5):
                browser.open("about:blank")
                browser.open(path.as_uri())
                # two frames after loading: the page is laid out and painted
                browser.run("window.done = 0; requestAnimationFrame(() => requestAnimationFrame(() => done = 1))")
                browser.wait("window.done")
                taken.append(browser.run("return performance.now()") / 1000)
            print(
                f"{name} opens and is painted in {np.median(taken):.2f} s (slowest of five {max(taken):.2f} s, "
                f"budget {BUDGET['open']:g} s), {path.stat().st_size / 1024**2:.1f} MiB"
            )
        browser.open(table.as_uri())
        ordering = """
            const select = document.getElementById("sort"), started = performance.now();
            select.value = "accuracy"; select.dispatchEvent(new Event("change"));
            document.body.offsetHeight; return performance.now() - started;"""
        print(f"ordered by another metric in {browser.run(ordering) / 1000:.2f} s")
        filtering = """
            const find = document.getElementById("find"), started = performance.now();
            find.value = "made-up-00"; find.dispatchEvent(new Event("input"));
            document.body.offsetHeight; return performance.now() - started;"""
        print(f"filtered in {browser.run(filtering) / 1000:.2f} s: {browser.run('return count.textContent')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submissions", type=int, default=1000)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    board, site = arguments.folder / "board", arguments.folder / "site"
    if not (arguments.folder / "filled.json").is_file():
        fill(board, arguments.submissions)
        (arguments.folder / "filled.json").write_text(json.dumps({"submissions": arguments.submissions}))
    print(f"{len(Board.open(board).names('results'))} results on {len(TASKS)} tasks")
    build(board, site)
    pages(site)


if __name__ == "__main__":
    main()
