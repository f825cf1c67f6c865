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

    from baselines.backbones.checkpoint import describe
    from benchmark.cli import options
    from benchmark.output.document import Document, Grid
    from tasks.errors import unknown_name

    if arguments.action not in ACTIONS:
        raise unknown_name("action", arguments.action, ACTIONS)
    found = dataclasses.asdict(describe(arguments.backbone))
    records = [{"": name, "value": str(value)} for name, value in found.items()]
    shown = Document("", (Grid.of_records(records),), data=lambda: json.loads(json.dumps(found, default=str)))
    options.show(shown, "json" if arguments.json else "terminal")
    return 0
