"""``leaderboard``: the tables of a board, its site, and what may be done with its entries."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli import options
from benchmark.output.units import counted
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from leaderboard.board_files import Board

ACTIONS = {"show": 0, "verify": 0, "rescore": 0, "init": 1, "withdraw": 1, "supersede": 2}
"""Action -> how many names follow it: submissions, or the folder of a new board."""


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add(
        "action",
        nargs="*",
        metavar="ACTION",
        help="show (default) | verify | rescore | init DIR | withdraw NAME@VERSION | supersede OLD@VERSION NEW@VERSION",
    )
    options.add_board_argument(add)
    add("--task", metavar="NAME", help="show this task only")
    add("--split", metavar="NAME", help="show this split only")
    add("--metric", metavar="NAME", help="order by this metric (default: the first that is claimed)")
    add("--columns", default="metrics", metavar="A,B", help="metrics, normalised, gain, about")
    options.add_families_argument(add)
    options.add_format_argument(add)
    add("--html", type=Path, metavar="DIR", help="write the site instead")
    add("--no-pictures", action="store_true", help="leave single sessions, their screens and gaze, out of the site")
    add("--reason", default="", help="why something is withdrawn or superseded; it is shown")
    options.add_folders_argument(add)


def call(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    from leaderboard.board_files import Board

    action, *names = arguments.action or ["show"]
    if action not in ACTIONS:
        raise unknown_name("action", action, ACTIONS)
    if len(names) != ACTIONS[action]:
        raise InputError(f"'{action}' takes {counted(ACTIONS[action], 'name')}, not {len(names)}. See --help.")
    if action == "init":
        return _start(Path(names[0]))
    board = Board.open(arguments.board)
    if action in ("verify", "rescore"):
        return _recompute(board, action, arguments.data)
    if action == "show":
        return _show(board, arguments)
    return _change(board, action, names, arguments.reason)


def _start(folder: Path) -> int:
    from leaderboard import starting

    sys.stdout.write("".join(f"{path}\n" for path in starting.start(folder)))
    options.say(f"next: read {folder / 'README.md'}, and commit the folder.")
    return 0


def _show(board: Board, arguments: argparse.Namespace) -> int:
    from leaderboard import board_documents
    from leaderboard.columns import views

    chosen = views(board, arguments.task, arguments.split)
    if arguments.html is None:
        groups, families = options.words(arguments.columns), options.families(arguments)
        found = board_documents.documents(chosen, metric=arguments.metric, groups=groups, families=families)
        options.show(found, arguments.format)
        return 0
    from leaderboard.site import build, data_of

    load = options.fitting_task(options.data_folders(arguments.data))
    tasks = {} if arguments.no_pictures else data_of(chosen, load, options.say)
    sys.stdout.write(f"{build(arguments.html, board, chosen, tasks, options.say)}\n")
    return 0


def _recompute(board: Board, action: str, pairs: Sequence[str]) -> int:
    """Compute scores again, to compare with those stored or to add what is missing; 1 if something is wrong."""
    from baselines import registry as catalogue
    from leaderboard.recomputing import rescore
    from leaderboard.verifying import verify

    load = options.fitting_task(options.data_folders(pairs))
    counts = {"error": 0, "scored": 0, "note": 0}
    for finding in (verify if action == "verify" else rescore)(board, load, catalogue):
        options.say(str(finding))
        counts[finding.severity] += 1
    results = len(board.names("results"))
    if action == "rescore":
        sys.stdout.write(f"{counts['scored']} of {results} results have new scores\n")
    elif counts["error"]:
        sys.stdout.write(f"{counted(counts['error'], 'error')}\n")
    else:
        sys.stdout.write(f"every score of {results} results came out again as it is stored\n")
    return 1 if counts["error"] else 0


def _change(board: Board, action: str, names: Sequence[str], reason: str) -> int:
    """Add an entry that takes a result out of the ranking."""
    from leaderboard import submitting

    if action == "withdraw":
        found = submitting.withdraw(board, names[0], reason)
        sys.stdout.write(
            "".join(f"withdrawn: result {name[:12]} of {submitting.whose(board.result(name))}\n" for name in found)
        )
        return 0
    for old, new in submitting.supersede(board, names[0], names[1], reason=reason):
        said = (f"{name[:12]} of {submitting.whose(board.result(name))}" for name in (old, new))
        sys.stdout.write(f"superseded: result {' by '.join(said)}\n")
    return 0
