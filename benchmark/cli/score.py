"""``score``: a predictions file against a task."""

import argparse
from pathlib import Path

from benchmark.cli import options


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("predictions", type=Path, help="a .parquet or .jsonl file (session_id, attention, ...)")
    options.add_task_arguments(add)
    add("--out", type=Path, metavar="DIR", help="also write results.json, scores.parquet and table.md")
    options.add_families_argument(add)
    add("--json", action="store_true", help="print results as JSON instead of a table")


def call(arguments: argparse.Namespace) -> int:
    """Score and print."""
    from benchmark import api
    from benchmark.scores import results, table

    families = options.families(arguments)
    task = options.load_task(arguments.task, arguments.data)
    split = arguments.split or "loo"
    scored = api.score(arguments.predictions, task, split=split, data=arguments.data, report=options.say)
    if arguments.out:
        results.write(arguments.out, scored.results, scored.scores, scored.said, table.page(scored.results))
    options.show(table.document(scored.results, families), "json" if arguments.json else "terminal")
    return 0
