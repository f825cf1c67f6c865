"""``doctor``: everything that is wrong with a submission, at once."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from benchmark.cli import options


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("folder", type=Path, metavar="DIR", help="the submission: a folder with submission.yaml")
    options.add_folders_argument(add)
    add("--json", action="store_true", help="print JSON")


def call(arguments: argparse.Namespace) -> int:
    """Check, print every problem, and return 1 if one of them is an error."""
    from submissions import doctor, errors, verdict

    problems = doctor(arguments.folder, options.data_folders(arguments.data))
    if arguments.json:
        # Scripts of users read this key.
        names = {"remedy": "mend"}
        said = [{names.get(k, k): v for k, v in dataclasses.asdict(problem).items()} for problem in problems]
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in problems))
        options.say(verdict(problems))
    return 1 if errors(problems) else 0
