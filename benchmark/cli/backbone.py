"""``backbone info``: what a checkpoint is, without running it."""

from __future__ import annotations

import argparse

ACTIONS = ("info",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("action", help="info")
    parser.add_argument("backbone", metavar="NAME|DIR", help="registry name, folder or hub name")
    parser.add_argument("--json", action="store_true", help="print JSON")


def call(arguments: argparse.Namespace) -> int:
    """Print what is known of the checkpoint."""
    import dataclasses
    import json
    import sys

    from baselines.backbones.checkpoint import describe
    from benchmark.cli import options
    from benchmark.output.document import Document, Grid
    from tasks.errors import unknown_name

    if arguments.action not in ACTIONS:
        raise unknown_name("action", arguments.action, ACTIONS)
    found = dataclasses.asdict(describe(arguments.backbone))
    if arguments.json:
        sys.stdout.write(json.dumps(found, indent=1, default=str) + "\n")
    else:
        records = [{"": name, "value": str(value)} for name, value in found.items()]
        options.show(Document("", (Grid.of_records(records),)))
    return 0
