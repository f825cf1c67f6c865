"""``variance``: where the variance of a run's numbers comes from, and what to add."""

import argparse
from pathlib import Path

from benchmark.cli import options


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("run", type=Path, help="folder of a run")
    add("--metric", metavar="A,B", help="metrics, such as KL,Accuracy (default: the run's family)")
    add("--simulator", metavar="A,B", help="simulators of the run (default: all that are ranked)")
    options.add_format_argument(add)
    add("--json", action="store_true", help="short for --format json")


def call(arguments: argparse.Namespace) -> int:
    """Print the table and the advice."""
    from benchmark.output.rendering import check_format
    from benchmark.report import variance
    from benchmark.scores import results

    format = "json" if arguments.json else arguments.format
    check_format(format)
    found = results.read(arguments.run)
    metrics = options.words(arguments.metric) if arguments.metric else None
    simulators = options.words(arguments.simulator) if arguments.simulator else None
    lines = variance.lines(found, results.read_scores(arguments.run), metrics, simulators)
    if found.reference not in {row.name for row in found.simulators}:
        options.say(
            f"note: the reference, {found.reference}, is not in this run: means are looked at, and no differences."
        )
    options.show(variance.document(found, lines), format)
    return 0
