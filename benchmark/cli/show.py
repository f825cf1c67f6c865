"""``show``: one session as a picture."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("session", metavar="SESSION_ID", help="the session to draw")
    options.add_task_arguments(add, required=False)
    add("--run", type=Path, metavar="DIR", help="a run whose attention, or paths, are drawn next to what people did")
    add("--simulators", metavar="A,B", help="whose (default: up to four of the run; with --path three)")
    add("--path", action="store_true", help="draw the order in which the slots were looked at instead")
    add("--out", type=Path, metavar="FILE", help="the .png, .svg or .pdf to write (default: SESSION_ID.png)")


def call(arguments: argparse.Namespace) -> int:
    """Draw and print where."""
    from benchmark import api
    from benchmark.output.figure_style import check_name
    from tasks.storage import file_name

    if arguments.path and arguments.simulators and not arguments.run:
        raise InputError("--path draws what simulators drew in a run; name it with --run, or leave --simulators out.")
    out = check_name(arguments.out or f"{file_name(arguments.session)}.png")
    found = api.read_run(arguments.run) if arguments.run else None
    name, data = (found.results.task, found.results.data) if found else (None, None)
    name = arguments.task or name
    if not name:
        raise InputError("which task? Give --task NAME or --run DIR.")
    task = options.load_task(name, arguments.data or data)
    simulators = options.words(arguments.simulators) if arguments.simulators else None
    of = task if found is None else found.with_task(task)
    picture = api.show(arguments.session, of, simulators=simulators, path=arguments.path)
    sys.stdout.write(f"{picture.save(out)}\n")
    return 0
