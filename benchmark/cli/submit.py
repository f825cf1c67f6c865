"""``submit``: a submission folder onto a board."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

    from leaderboard.entries import Metadata, ReportedRecord
    from leaderboard.submitting import NewResult
    from submissions import Entry, Submission
    from tasks.task import Task

BOARD = Path("board")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("submission", type=Path, metavar="DIR", help="a submission folder ('pack' makes one)")
    parser.add_argument("--board", type=Path, default=BOARD, metavar="DIR", help="the board (default: board)")
    parser.add_argument("--dry-run", action="store_true", help="show the place it would take; write nothing")
    parser.add_argument("--supersedes", metavar="NAME@VERSION", help="a submission on the board whose place it takes")
    parser.add_argument(
        "--shared",
        type=Path,
        metavar="DIR",
        help="the same simulator under one prompt for all users, for personal gain",
    )
    parser.add_argument(
        "--swapped", type=Path, metavar="DIR", help="the same simulator under another user's prompt: the control"
    )
    add_data_argument(parser)


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, which may stand several times."""
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="TASK=DIR",
        help="prepared or raw data of a task, or TASK=sample (default: as for 'run')",
    )


def call(arguments: argparse.Namespace) -> int:
    """Check, score, store and print the place."""
    import sys

    import submissions
    from baselines import registry as catalogue
    from benchmark.cli import options
    from leaderboard import printing, submitting

    data = data_folders(arguments.data)
    controls = {"shared": arguments.shared, "swapped": arguments.swapped}
    folders = {"own": arguments.submission, **{name: folder for name, folder in controls.items() if folder}}
    for folder in folders.values():
        _examine(folder, data)
    read = {name: submissions.read(folder) for name, folder in folders.items()}
    own = read["own"]
    groups = dict.fromkeys((entry.task, entry.version, entry.split) for entry in own.entries)
    loaded: dict[str, Task] = {}
    candidates = []
    for task, version, split in groups:
        digest = own.digests.get(f"{task}@{version}/{split}", "")
        if task not in loaded or loaded[task].digests.get(split) != digest:
            loaded[task] = task_for(task, data, {split: digest})
        if loaded[task].version != version:
            raise InputError(
                f"{task} {version} was submitted, the data given is {loaded[task].version}; predict again."
            )
        candidates.append(_candidate(read, loaded[task], version, split, digest))
    outcomes = submitting.submit(
        arguments.board,
        candidates,
        catalogue,
        reported=_reported(own),
        supersedes=arguments.supersedes,
        dry_run=arguments.dry_run,
        report=options.say,
    )
    for outcome in outcomes:
        said = "would stand" if arguments.dry_run else "stands" if outcome.new else "stands already"
        lines = [f"{printing.title(metadata(own).label)} {said} (result {outcome.result[:12]}):"]
        lines += [*printing.heading(outcome.view), *printing.places(outcome.view, outcome.result), ""]
        sys.stdout.write("\n".join(lines) + "\n")
    if arguments.dry_run:
        options.say(f"dry run: nothing was written to {arguments.board}.")
    elif own.reported:
        options.say(f"{len(own.reported)} self-reported numbers are shown apart and never ranked.")
    return 0


def _examine(folder: Path, data: Mapping[str, str]) -> None:
    """Print what is wrong with a submission.

    Raises:
        InputError: It has an error.
    """
    import submissions
    from benchmark.cli import options

    problems = submissions.doctor(folder, data)
    for problem in problems:
        options.say(str(problem))
    wrong = submissions.errors(problems)
    if wrong:
        more = f"{len(wrong)} errors" if len(wrong) > 1 else "an error"
        raise InputError(f"{folder} has {more}, listed above; nothing was submitted.")


def _candidate(read: Mapping[str, Submission], task: Task, version: str, split: str, digest: str) -> NewResult:
    """Return the part of a submission, and of its controls, that is about one split."""
    import pandas as pd

    from leaderboard.submitting import NewResult

    frames = []
    for condition, submission in read.items():
        entries = [e for e in submission.entries if (e.task, e.version, e.split) == (task.name, version, split)]
        if condition == "own" or entries:
            frames.append(_frame(submission, entries).assign(condition=condition))
    for condition, submission, entries in _under_stress(read, task, split, version):
        frames.append(_frame(submission, entries).assign(condition=condition, target="none"))
    whole = pd.concat(frames, ignore_index=True)
    return NewResult(metadata(read["own"]), task, split, whole, digest)


def _under_stress(
    read: Mapping[str, Submission], task: Task, split: str, version: str
) -> Iterator[tuple[str, Submission, list[Entry]]]:
    """Yield the stress conditions of a submission on one split, as a board calls them.

    Raises:
        InputError: Another user's prompt comes twice, from ``--swapped`` and from the submission itself.
    """
    own = read["own"]
    for condition in dict.fromkeys(entry.condition for entry in own.stress):
        of_it = [e for e in own.stress if e.condition == condition]
        entries = [e for e in of_it if (e.task, e.version, e.split) == (task.name, version, split)]
        named = "swapped" if condition == "swap-users" else condition
        if named in read:
            raise InputError(f"{own.folder} has stress/{condition} and --swapped gives the same; leave one out.")
        if entries:
            yield named, own, entries


def _frame(submission: Submission, entries: Sequence[Entry]) -> pd.DataFrame:
    from submissions import prediction_frame

    return prediction_frame(submission, entries)


def metadata(submission: Submission) -> Metadata:
    """Return what a submission says of itself, as a board keeps it."""
    from leaderboard.entries import Metadata

    backbone, attention = submission.backbone, submission.attention
    size = backbone.parameters if backbone is not None else None
    return Metadata(
        name=submission.name,
        version=submission.version,
        authors=submission.authors,
        contact=submission.contact,
        link=submission.link or "",
        licence=submission.licence,
        description=submission.description,
        kind=submission.kind,
        inputs=submission.inputs,
        backbone=backbone.name if backbone is not None else "",
        size=f"{size:.4g}" if size is not None else "",
        training_data=submission.training_data or "",
        attention_source=attention.source if attention is not None else "",
        attention_target=submission.target,
        hardware=submission.hardware or "",
        cost=", ".join(f"{name} {value:.6g}" for name, value in submission.cost.items()),
        notice=submission.notice,
    )


def _reported(submission: Submission) -> list[ReportedRecord]:
    """Return the numbers that a submission states, one record per task, split and source."""
    from leaderboard.entries import ReportedRecord

    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for number in submission.reported:
        found.setdefault((number.task, number.split, number.source), {})[number.metric] = number.value
    label, link = metadata(submission).label, submission.link or ""
    return [
        ReportedRecord(label, source, link, task, split, 0, values) for (task, split, source), values in found.items()
    ]


def data_folders(pairs: Sequence[str]) -> dict[str, str]:
    """Return task -> folder from ``TASK=DIR`` words.

    Raises:
        InputError: A word is no such pair, or the task is unknown.
    """
    from tasks import names

    found = {}
    for pair in pairs:
        task, equals, folder = pair.partition("=")
        if not equals or not folder:
            raise InputError(f"--data expects TASK=DIR, not '{pair}'.")
        if task not in names():
            raise unknown_name("task", task, names())
        found[task] = folder
    return found


def task_for(name: str, data: Mapping[str, str], wanted: Mapping[str, str]) -> Task:
    """Return the data of a task: what was given, else the configured data, else the sample, whichever fits.

    Args:
        name: Task.
        data: Task -> folder, as given.
        wanted: Split -> digest that the results were made from. Where nothing was given and the configured data have
            another digest, the built-in sample is taken if it has this one.
    """
    from benchmark.cli import options
    from tasks.registry import SAMPLE

    task = options.load_task(name, data.get(name))
    if name in data or all(task.digests.get(split) == digest for split, digest in wanted.items()):
        return task
    sample = options.load_task(name, SAMPLE)
    return sample if all(sample.digests.get(split) == digest for split, digest in wanted.items()) else task
