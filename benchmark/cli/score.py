"""``score``: a predictions file against a task."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from benchmark.cli.options import add_task_arguments

    parser.add_argument("predictions", type=Path, help="a .parquet or .jsonl file (session_id, attention, ...)")
    add_task_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="also write results.json, scores.parquet and table.md")
    parser.add_argument("--json", action="store_true", help="print results as JSON instead of a table")


def call(arguments: argparse.Namespace) -> int:
    """Score and print."""
    import sys

    from benchmark.cli import options
    from benchmark.output import tables
    from benchmark.scores import predictions, results, scoring, summary
    from benchmark.trials.configuration import RunConfig

    split = arguments.split or "loo"
    task = options.load_task(arguments.task, arguments.data)
    task.split(split)
    frame = predictions.read(arguments.predictions, scoring.test_slots(task, split))
    simulators = tuple(dict.fromkeys(frame["simulator"]))
    config = RunConfig(
        task=task.name,
        data=arguments.data,
        split=split,
        simulators=simulators,
        seeds=tuple(sorted({int(seed) for seed in frame["seed"]})),
        reference=simulators[0],
    )
    scores = scoring.score(task, split, frame)
    found = summary.build(config, task, scores)
    for line in results.failures(found):
        options.say(line)
    if arguments.out:
        results.write(arguments.out, found, scores, frame)
    sys.stdout.write(results.to_json(found) if arguments.json else tables.terminal(found, options.width()) + "\n")
    return 0
