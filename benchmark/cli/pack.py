"""``pack``: a simulator of a finished run as a submission folder."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("run", type=Path, metavar="RUN", help="folder of a finished run")
    add("--simulator", required=True, metavar="NAME", help="which simulator of the run")
    add("--out", required=True, type=Path, metavar="DIR", help="the submission folder to write")
    add(
        "--about",
        type=Path,
        metavar="FILE",
        help="fields of submission.yaml that the run does not know, such as authors and contact"
        " (default: about.yaml next to a simulator of your own)",
    )
    add("--label", action="store_true", help="the attention computed for the true click, never ranked")


def call(arguments: argparse.Namespace) -> int:
    """Pack and say what to do next."""
    from baselines import registry
    from submissions.facts import facts_of
    from submissions.packing import pack

    facts = facts_of(arguments.run, arguments.simulator, arguments.about, registry, _parameters)
    pack(arguments.run, arguments.simulator, arguments.out, facts, label=arguments.label)
    sys.stdout.write(f"{arguments.out}\n")
    options.say(f"fill in what is left in {arguments.out / 'submission.yaml'}, then: doctor {arguments.out}")
    return 0


def _parameters(backbone: str) -> float | None:
    """Return how many parameters a backbone has, None if that is not known here."""
    from baselines.backbones.checkpoint import describe

    try:
        return float(describe(backbone).parameters)
    except InputError:
        return None
