"""``report``: a finished run as one self-contained page."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("run", type=Path, help="folder of a run")
    add("--html", type=Path, metavar="FILE", help="the page to write")
    add("--paper", type=Path, metavar="DIR", help="write the table as LaTeX and the figures as PDF")
    add("--data", metavar="DIR|sample", help="the run's data, if it lies elsewhere now")
    add(
        "--simulators",
        metavar="A,B",
        help="whose attention is drawn on sessions (default: the best, and one to compare)",
    )


def call(arguments: argparse.Namespace) -> int:
    """Write the page, or what a paper needs, and print where."""
    from benchmark import report
    from benchmark.scores import results

    if arguments.html is None and arguments.paper is None:
        raise InputError("nothing to write: give --html FILE, --paper DIR or both.")
    if arguments.paper is not None:
        sys.stdout.write(f"{report.write_paper(arguments.run, arguments.paper)}\n")
    if arguments.html is None:
        return 0
    found = results.read(arguments.run)
    task = options.load_task(found.task, arguments.data) if arguments.data else None
    simulators = options.words(arguments.simulators) if arguments.simulators else None
    report.write(arguments.run, arguments.html, task=task, simulators=simulators)
    size = arguments.html.stat().st_size
    sys.stdout.write(f"{arguments.html}\n")
    options.say(f"one page of {size / 1e6:.1f} MB; it opens without a network.")
    return 0
