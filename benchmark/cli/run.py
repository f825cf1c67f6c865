"""``run``: fit and score simulators on a task."""

from __future__ import annotations

import argparse
from pathlib import Path

from tasks.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from benchmark.cli.options import add_task_arguments

    add_task_arguments(parser, required=False)
    parser.add_argument("--preset", metavar="NAME", help="quick (default), tuned or full: see configs/presets")
    parser.add_argument("--config", type=Path, metavar="FILE", help="a run configuration (configs/*.yaml); options win")
    parser.add_argument("--simulators", metavar="A,B", help="simulators to run (list simulators); default: all priors")
    parser.add_argument("--seeds", metavar="42,123", help="seeds (default: 42,123,456,789,2024)")
    parser.add_argument("--reference", metavar="NAME", help="simulator that the others are compared with")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where results go (default: runs/TASK-SPLIT)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a simulator's setting: key or simulator.key"
    )
    parser.add_argument("--backbone", metavar="NAME|DIR", help="short for --set backbone=...: what VLM simulators use")
    parser.add_argument("--operator", metavar="NAME", help="short for --set operator=...: how attention is probed")
    parser.add_argument("--label", action="store_true", help="also compute attention for the true click, unranked")
    parser.add_argument("--force", action="store_true", help="run finished trials again")
    parser.add_argument("--json", action="store_true", help="print results as JSON instead of a table")


def call(arguments: argparse.Namespace) -> int:
    """Run, write the results and print them."""
    import sys

    from baselines import registry as catalogue
    from benchmark import results, tables
    from benchmark.cli import options
    from benchmark.config import RunConfig, read_config, read_preset
    from benchmark.runner import run

    given_config = read_config(arguments.config) if arguments.config else {}
    short = {"backbone": arguments.backbone, "operator": arguments.operator}
    settings = {
        **dict(given_config.get("settings", {})),  # type: ignore[call-overload]
        **{key: value for key, value in short.items() if value is not None},
        **options.settings(arguments.set),
    }
    given = {
        "task": arguments.task,
        "data": arguments.data,
        "split": arguments.split,
        "simulators": options.words(arguments.simulators) if arguments.simulators else None,
        "seeds": options.numbers(arguments.seeds) if arguments.seeds else None,
        "reference": arguments.reference,
        "settings": settings,
        "label": True if arguments.label else None,
    }
    backbone = settings.get("backbone")
    values = read_preset(arguments.preset or "quick", None if backbone is None else str(backbone))
    values.update(given_config)
    values.update({key: value for key, value in given.items() if value is not None})
    if "task" not in values:
        raise InputError("which task? Give --task NAME ('list tasks' shows them) or --config FILE.")
    config = RunConfig(**values)  # type: ignore[arg-type]  # read_config and argparse have checked the types
    task = options.load_task(config.task, config.data)
    out = arguments.out or Path("runs") / f"{config.task}-{config.split}"
    found = run(config, task, catalogue, out, force=arguments.force, progress=options.bar, report=options.say)
    if arguments.json:
        sys.stdout.write(results.to_json(found))
    else:
        sys.stdout.write(tables.terminal(found, options.width()) + "\n")
        options.say(f"written to {out}: results.json, predictions.parquet, scores.parquet, table.md")
    return 0
