"""``table``: the table of a finished run."""

from __future__ import annotations

import argparse
from pathlib import Path

FORMATS = ("terminal", "markdown", "latex", "csv", "json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run", type=Path, help="folder of a run")
    parser.add_argument("--format", default="terminal", help=f"one of {', '.join(FORMATS)} (default: terminal)")


def call(arguments: argparse.Namespace) -> int:
    """Print the table."""
    import sys

    from benchmark.cli import options
    from benchmark.output import tables
    from benchmark.scores import results
    from tasks.errors import unknown_name

    if arguments.format not in FORMATS:
        raise unknown_name("format", arguments.format, FORMATS)
    found = results.read(arguments.run)
    if arguments.format == "json":
        sys.stdout.write(results.to_json(found))
    elif arguments.format == "terminal":
        sys.stdout.write(tables.terminal(found, options.width()) + "\n")
    else:
        sys.stdout.write(tables.render(found, arguments.format) + "\n")
    return 0
