"""``leaderboard``: the tables of a board, its site, and what may be done with its entries."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from leaderboard.board_files import Board, BoardStanding
    from leaderboard.columns import RankedTable
    from leaderboard.entries import ResultRecord
    from tasks.task import Task

ACTIONS = {"show": 0, "verify": 0, "rescore": 0, "withdraw": 1, "supersede": 2}
"""Action -> how many names follow it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from benchmark.cli.options import add_families_argument, add_format_argument
    from benchmark.cli.submit import BOARD, add_data_argument

    parser.add_argument(
        "action",
        nargs="*",
        metavar="ACTION",
        help="show (default) | verify | rescore | withdraw NAME@VERSION | supersede OLD@VERSION NEW@VERSION",
    )
    parser.add_argument("--board", type=Path, default=BOARD, metavar="DIR", help="the board (default: board)")
    parser.add_argument("--task", metavar="NAME", help="show this task only")
    parser.add_argument("--split", metavar="NAME", help="show this split only")
    parser.add_argument("--metric", metavar="NAME", help="order by this metric (default: the first that is claimed)")
    parser.add_argument("--columns", default="metrics", metavar="A,B", help="metrics, normalised, gain, about")
    add_families_argument(parser)
    add_format_argument(parser)
    parser.add_argument("--html", type=Path, metavar="DIR", help="write the site instead")
    parser.add_argument(
        "--no-pictures", action="store_true", help="leave single sessions, their screens and gaze, out of the site"
    )
    parser.add_argument("--reason", default="", help="why something is withdrawn or superseded; it is shown")
    add_data_argument(parser)


def call(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    from leaderboard.board_files import Board

    action, *names = arguments.action or ["show"]
    if action not in ACTIONS:
        raise unknown_name("action", action, ACTIONS)
    if len(names) != ACTIONS[action]:
        raise InputError(
            f"'{action}' takes {ACTIONS[action] or 'no'} names of submissions, not {len(names)}. See --help."
        )
    board = Board.open(arguments.board)
    if action in ("verify", "rescore"):
        return (_verify if action == "verify" else _rescore)(board, arguments.data)
    if action in ("withdraw", "supersede"):
        return _change(board, action, names, arguments.reason)
    return _show(board, arguments)


def _show(board: Board, arguments: argparse.Namespace) -> int:
    """Print the tables, or write the site."""
    from benchmark.cli import options
    from leaderboard import board_table, printing
    from leaderboard.columns import view

    standing = board.standing()
    known = board_table.records(board, standing)
    views = [view(board_table.load(board, digest, standing, known)) for digest in board_table.digests(known, standing)]
    for key, wanted in (("task", arguments.task), ("split", arguments.split)):
        there = sorted({str(getattr(v.table.context, key)) for v in views})
        if wanted is not None and wanted not in there:
            raise unknown_name(f"{key} on this board", wanted, there)
        views = [v for v in views if wanted is None or getattr(v.table.context, key) == wanted]
    if arguments.html is not None:
        return _site(board, arguments, views, standing, known)
    found = printing.documents(
        views,
        metric=arguments.metric,
        groups=options.words(arguments.columns),
        families=options.families(arguments),
    )
    options.show(found, arguments.format)
    return 0


def _site(
    board: Board,
    arguments: argparse.Namespace,
    views: Sequence[RankedTable],
    standing: BoardStanding,
    known: Mapping[str, ResultRecord],
) -> int:
    """Write the site; pictures are drawn where the data of a table is at hand."""
    import sys

    from benchmark.cli import options
    from leaderboard.site import build

    tasks = {} if arguments.no_pictures else _tasks_at_hand(views, arguments.data)
    for task in {id(t): t for t in tasks.values()}.values():
        if not task.simulated:
            options.say(
                f"note: the site shows recorded gaze and screens of {task.name} (licence: {task.licence}); "
                "publish it only if you may, or add --no-pictures."
            )
    index = build(arguments.html, board, views, standing, known, tasks, options.say)
    sys.stdout.write(f"{index}\n")
    return 0


def _tasks_at_hand(views: Sequence[RankedTable], pairs: Sequence[str]) -> dict[str, Task]:
    """Return digest -> task of the tables whose data can be loaded."""
    from benchmark.cli import options
    from benchmark.cli.submit import data_folders, task_for

    data = data_folders(pairs)
    found = {}
    for view in views:
        context = view.table.context
        try:
            task = task_for(context.task, data, {context.split: context.digest})
        except InputError as error:
            options.say(f"no pictures for {context.task}, {context.split}: {error}")
            continue
        if task.digests.get(context.split) == context.digest:
            found[context.digest] = task
        else:
            options.say(
                f"no pictures for {context.task}, {context.split}: the data at hand are not those it was made from."
            )
    return found


def _verify(board: Board, pairs: Sequence[str]) -> int:
    """Compute every stored score again; 1 if something differs."""
    import sys

    from baselines import registry as catalogue
    from benchmark.cli import options
    from benchmark.cli.submit import data_folders, task_for
    from leaderboard import verifying

    data = data_folders(pairs)
    wrong = 0
    for finding in verifying.verify(board, lambda name, wanted: task_for(name, data, wanted), catalogue):
        wrong += finding.severity == "error"
        options.say(str(finding))
    if wrong:
        sys.stdout.write(f"{wrong} errors\n" if wrong > 1 else "1 error\n")
        return 1
    sys.stdout.write(f"every score of {len(board.names('results'))} results came out again as it is stored\n")
    return 0


def _rescore(board: Board, pairs: Sequence[str]) -> int:
    """Add the scores that the board lacks; 1 if some cannot be computed."""
    import sys

    from baselines import registry as catalogue
    from benchmark.cli import options
    from benchmark.cli.submit import data_folders, task_for
    from leaderboard.recomputing import rescore

    data = data_folders(pairs)
    scored = failed = 0
    for finding in rescore(board, lambda name, wanted: task_for(name, data, wanted), catalogue):
        options.say(str(finding))
        scored += finding.severity == "scored"
        failed += finding.severity == "error"
    sys.stdout.write(f"{scored} of {len(board.names('results'))} results have new scores\n")
    return 1 if failed else 0


def _change(board: Board, action: str, names: Sequence[str], reason: str) -> int:
    """Add an entry that takes a result out of the ranking."""
    import sys

    from leaderboard import submitting

    if action == "withdraw":
        found = submitting.withdraw(board, names[0], reason)
        sys.stdout.write("".join(f"withdrawn: result {name[:12]}\n" for name in found))
        return 0
    pairs = submitting.supersede(board, names[0], names[1], reason=reason)
    sys.stdout.write("".join(f"superseded: result {old[:12]} by {new[:12]}\n" for old, new in pairs))
    return 0
