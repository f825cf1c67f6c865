"""``submit``: a submission folder onto a board."""

import argparse
import sys
from pathlib import Path

from benchmark.cli import options


def add_arguments(add: options.Add) -> None:
    """Declare the options."""
    add("submission", type=Path, metavar="DIR", help="a submission folder ('pack' makes one)")
    options.add_board_argument(add)
    add("--dry-run", action="store_true", help="show the place it would take; write nothing")
    add("--supersedes", metavar="NAME@VERSION", help="a submission on the board that this one replaces")
    add("--reason", default="", help="why it replaces a submission by others; it is shown")
    add(
        "--shared",
        type=Path,
        metavar="DIR",
        help="the same simulator under one prompt for all users, for personal gain",
    )
    add("--swapped", type=Path, metavar="DIR", help="the same simulator under another user's prompt: the control")
    options.add_folders_argument(add)


def call(arguments: argparse.Namespace) -> int:
    """Check, score, store and print the place."""
    from baselines import registry as catalogue
    from leaderboard import board_documents
    from leaderboard.intake import take_in

    data = options.data_folders(arguments.data)
    done = take_in(
        arguments.submission,
        arguments.board,
        data,
        options.fitting_task(data),
        catalogue,
        shared=arguments.shared,
        swapped=arguments.swapped,
        supersedes=arguments.supersedes,
        reason=arguments.reason,
        dry_run=arguments.dry_run,
        report=options.say,
    )
    for placement in done.placements:
        sys.stdout.write("\n".join(board_documents.placed(done.label, placement, arguments.dry_run)) + "\n\n")
    if arguments.dry_run:
        options.say(f"dry run: nothing was written to {arguments.board}.")
    elif done.reported:
        options.say(f"{done.reported} self-reported numbers are shown apart and never ranked.")
    return 0
