"""``table``: the table of a finished run."""

import argparse
from pathlib import Path

from benchmark.cli import options


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("run", type=Path, help="folder of a run")
    options.add_format_argument(add)
    options.add_families_argument(add)


def call(arguments: argparse.Namespace) -> int:
    """Print the table."""
    from benchmark.output.rendering import check_format
    from benchmark.runs import kept
    from benchmark.scores import results, table

    check_format(arguments.format)
    found = results.read(arguments.run)
    changed = kept.changed(arguments.run, found)
    if changed:
        first = f"{changed[0]}{', ...' if len(changed) > 1 else ''}"
        what = f"{len(changed)} of {len(found.stored)} trials have changed since these results were made"
        options.say(f"note: {what} ({first}); the same 'run' checks and scores them again.")
    whole = arguments.format == "markdown"
    options.show(table.document(found, options.families(arguments), whole=whole), arguments.format)
    return 0
