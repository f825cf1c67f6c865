"""``backbone info``: what a checkpoint is, without running it."""

import argparse
import dataclasses
import json

from benchmark.cli import options
from tasks.errors import unknown_name

ACTIONS = ("info",)


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("action", help="info")
    add("backbone", metavar="NAME|DIR", help="registry name, folder or hub name")
    add("--json", action="store_true", help="print JSON")


def call(arguments: argparse.Namespace) -> int:
    """Print what is known of the checkpoint."""
    from baselines.backbones.checkpoint import describe
    from benchmark.output.document import Document, Grid

    if arguments.action not in ACTIONS:
        raise unknown_name("action", arguments.action, ACTIONS)
    found = dataclasses.asdict(describe(arguments.backbone))
    records = [{"": name, "value": str(value)} for name, value in found.items()]
    shown = Document("", (Grid.of_records(records),), data=lambda: json.loads(json.dumps(found, default=str)))
    options.show(shown, "json" if arguments.json else "terminal")
    return 0
