"""From a submission folder to results on a board: what ``submit`` does."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import submissions
from benchmark.naming import ON_BOARDS, OWN, SHARED, SWAP_USERS
from benchmark.scores import paths, predictions
from benchmark.trials.catalogue import Catalogue
from leaderboard.entries import Metadata, ReportedRecord
from leaderboard.recomputing import LoadTask
from leaderboard.submitting import NewResult, Placement, submit
from submissions import Entry, Submission
from tasks.errors import InputError
from tasks.task import Task


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of a submission, and how many numbers it states without predictions."""

    label: str
    placements: list[Placement]
    reported: int


def take_in(
    folder: Path,
    board: Path,
    data: Mapping[str, str],
    load_task: LoadTask,
    catalogue: Catalogue,
    *,
    shared: Path | None = None,
    swapped: Path | None = None,
    supersedes: str | None = None,
    reason: str = "",
    dry_run: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Intake:
    """Check a submission, score it and put it on a board; each problem, and what takes long, is reported.

    ``data`` holds folders by task, where one was named; ``load_task`` returns the data of a task, and ``catalogue``
    holds priors and oracles. The folders ``shared`` and ``swapped`` hold the same simulator under one prompt for all
    users and under another user's. ``supersedes`` is the ``NAME@VERSION`` that this one replaces, for a ``reason`` if
    it is by others; ``dry_run`` writes nothing. InputError if the submission has an error, or the board does not take
    it.
    """
    folders = {OWN: folder, SHARED: shared, SWAP_USERS: swapped}
    read = {condition: _examined(place, data, report) for condition, place in folders.items() if place is not None}
    own = read[OWN]
    loaded: dict[str, Task] = {}
    results = []
    for task, version, split in dict.fromkeys((entry.task, entry.version, entry.split) for entry in own.entries):
        digest = own.digests.get(f"{task}@{version}/{split}", "")
        if task not in loaded or loaded[task].digests.get(split) != digest:
            loaded[task] = load_task(task, {split: digest})
        if loaded[task].version != version:
            given = loaded[task].version
            raise InputError(f"{task} {version} was submitted, the data given is {given}; predict again.")
        results.append(_result(read, loaded[task], split, digest))
    stated = reported(own)
    placements = submit(
        *(board, results, catalogue),
        reported=stated,
        supersedes=supersedes,
        reason=reason,
        dry_run=dry_run,
        report=report,
    )
    return Intake(metadata(own).label, placements, len(own.reported))


def _examined(folder: Path, data: Mapping[str, str], report: Callable[[str], None]) -> Submission:
    """Return a submission after reporting everything that is wrong with it; an error is raised."""
    problems = submissions.doctor(folder, data)
    for problem in problems:
        report(str(problem))
    wrong = submissions.errors(problems)
    if wrong:
        more = f"{len(wrong)} errors" if len(wrong) > 1 else "an error"
        raise InputError(f"{folder} has {more}, listed above; nothing was submitted.")
    return submissions.read(folder)


def _result(read: Mapping[str, Submission], task: Task, split: str, digest: str) -> NewResult:
    """Return the part of a submission, and of its controls, that is about one split."""
    tables = []
    for condition, submission, entries in _by_condition(read):
        chosen = [e for e in entries if (e.task, e.version, e.split) == (task.name, task.version, split)]
        if chosen or condition == OWN:
            said = submissions.prediction_table(submission, chosen)
            said = predictions.renamed(said, simulator=ON_BOARDS.get(condition, condition))
            tables.append(predictions.renamed(said, target="none") if entries and entries[0].condition else said)
    own = read[OWN]
    file = own.paths.get(f"{task.name}@{task.version}/{split}")
    drawn = paths.read_given(file) if file is not None else {}
    return NewResult(metadata(own), task, split, predictions.joined(tables), digest, drawn)


def _by_condition(read: Mapping[str, Submission]) -> Iterator[tuple[str, Submission, list[Entry]]]:
    """Yield each condition with the submission that predicts under it and its files."""
    for condition, submission in read.items():
        yield condition, submission, list(submission.entries)
    own = read[OWN]
    for condition in dict.fromkeys(entry.condition for entry in own.stress):
        if condition in read:
            raise InputError(f"{own.folder} has stress/{condition} and --swapped gives the same; leave one out.")
        yield condition, own, [entry for entry in own.stress if entry.condition == condition]


def metadata(submission: Submission) -> Metadata:
    """Return what a submission says of itself, as a board keeps it."""
    same = ("name", "version", "authors", "contact", "licence", "description", "kind", "inputs", "notice")
    backbone, attention = submission.backbone, submission.attention
    size = backbone.parameters if backbone is not None else None
    return Metadata(
        **{field: getattr(submission, field) for field in same},
        link=submission.link or "",
        backbone=backbone.name if backbone is not None else "",
        size=f"{size:.4g}" if size is not None else "",
        training_data=submission.training_data or "",
        attention_source=attention.source if attention is not None else "",
        attention_target=submission.target,
        hardware=submission.hardware or "",
        cost=", ".join(f"{name} {value:.6g}" for name, value in submission.cost.items()),
    )


def reported(submission: Submission) -> list[ReportedRecord]:
    """Return the numbers that a submission states, one record per task, split and source."""
    found: dict[tuple[str, str, str], dict[str, float]] = {}
    for number in submission.reported:
        found.setdefault((number.task, number.split, number.source), {})[number.metric] = number.value
    label, link = metadata(submission).label, submission.link or ""
    return [
        ReportedRecord(label, source, link, task, split, 0, values) for (task, split, source), values in found.items()
    ]
