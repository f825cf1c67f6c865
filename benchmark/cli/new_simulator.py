"""``new-simulator``: a template that runs."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("name", metavar="NAME", help="small letters, digits and hyphens, such as top-left")
    add("--out", type=Path, metavar="DIR", help="folder to write (default: NAME)")


def call(arguments: argparse.Namespace) -> int:
    """Write the files and say what to do next."""
    from baselines import registry
    from submissions import template

    template.class_name(arguments.name)
    if arguments.name in registry.names():
        raise InputError(f"'{arguments.name}' is a simulator of the suite; choose another name.")
    out = arguments.out or Path(arguments.name)
    sys.stdout.write("".join(f"{path}\n" for path in template.write(arguments.name, out)))
    options.say(f"try it: python -m benchmark run --config {out / 'config.yaml'}")
    return 0
