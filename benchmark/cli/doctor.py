"""``doctor``: everything that is wrong with a submission, at once."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the submission: a folder with submission.yaml")
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="TASK=DIR|sample",
        help="data of a task (default: $GAZEBENCH_DATA/TASK if it exists, else the sample)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def sources(pairs: list[str]) -> dict[str, str]:
    """Return ``TASK=DIR`` pairs as a mapping.

    Raises:
        InputError: A pair is none, or names no task.
    """
    from tasks import registry
    from tasks.errors import InputError

    found = {}
    for pair in pairs:
        task, equals, folder = pair.partition("=")
        if not equals or not folder:
            raise InputError(f"--data expects TASK=DIR, such as recgaze=data/recgaze, not '{pair}'.")
        registry.definition(task)
        found[task] = folder
    return found


def call(arguments: argparse.Namespace) -> int:
    """Check, print every problem, and return 1 if one of them is an error."""
    import dataclasses
    import json
    import sys

    from benchmark.cli import options
    from submissions import doctor, errors

    problems = doctor(arguments.folder, sources(arguments.data))
    failed = errors(problems)
    if arguments.json:
        sys.stdout.write(json.dumps([dataclasses.asdict(problem) for problem in problems], indent=1) + "\n")
    else:
        sys.stdout.write("".join(f"{problem}\n" for problem in problems))
        warnings = len(problems) - len(failed)
        verdict = "not ready to submit" if failed else "ready to submit"
        counts = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in ((len(failed), "error"), (warnings, "warning"))]
        options.say(f"{', '.join(counts)}: {verdict}.")
    return 1 if failed else 0
