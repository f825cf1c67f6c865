"""``show``: one session as a picture."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options
from tasks.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("session", metavar="SESSION_ID", help="the session to draw")
    options.add_task_arguments(parser, required=False)
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="a run whose attention, or paths, are drawn next to what people did"
    )
    parser.add_argument("--simulators", metavar="A,B", help="whose (default: up to four of the run; with --path three)")
    parser.add_argument("--path", action="store_true", help="draw the order in which the slots were looked at instead")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the PNG to write (default: SESSION_ID.png)")


def call(arguments: argparse.Namespace) -> int:
    """Draw and print where."""
    from benchmark.output import drawing
    from benchmark.output.drawing import draw_path
    from benchmark.runs import paths
    from benchmark.scores import results
    from tasks.adserp.dialogs import place_of_dialog
    from tasks.storage import file_name

    if arguments.path and arguments.simulators and not arguments.run:
        raise InputError("--path draws what simulators drew in a run; name it with --run, or leave --simulators out.")
    name, data, attention = arguments.task, arguments.data, []
    drawn: list[tuple[str, list[int]]] = []
    found = results.read(arguments.run) if arguments.run else None
    if found is not None:
        name, data = name or found.task, data or found.data
    if not name:
        raise InputError("which task? Give --task NAME or --run DIR.")
    task = options.load_task(name, data)
    if found is not None:
        results.check_digest(found, task, arguments.run)
        chosen = options.words(arguments.simulators) if arguments.simulators else None
        if arguments.path:
            drawn = paths.drawn(arguments.run, found, arguments.session, chosen)
        else:
            attention = results.attention_of(arguments.run, arguments.session, chosen)
    session = task.find(arguments.session)
    if arguments.path:
        picture = draw_path(session, place_of_dialog(task.name, session), task.notice, drawn)
    else:
        picture = drawing.draw_session(session, drawing.panels_of(session, attention), task.notice)
    out = arguments.out or Path(f"{file_name(arguments.session)}.png")
    if out.suffix.lower() != ".png":
        raise InputError(f"--out must name a .png file, not '{out}'.")
    picture.save(out)
    sys.stdout.write(f"{out}\n")
    return 0
