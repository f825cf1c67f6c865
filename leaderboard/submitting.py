"""Adds results to a board: they are checked and scored first, and stored only if all of a submission has passed."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from benchmark.files.printable import skeleton
from benchmark.metrics.families import FAMILIES
from benchmark.naming import joined
from benchmark.output.text import folded, plain
from benchmark.scores import paths, scoring
from benchmark.scores.paths import SampledPaths
from benchmark.trials.catalogue import Catalogue
from leaderboard import board_predictions, board_scores, board_table, references
from leaderboard.board_files import Board, BoardStanding
from leaderboard.board_table import ScoredResult
from leaderboard.columns import RankedTable, view
from leaderboard.context import TaskContext, of_task
from leaderboard.entries import CONDITIONS, Event, Metadata, ReportedRecord, ResultRecord, identity, require_readable
from tasks import others
from tasks.errors import InputError, unknown_name
from tasks.task import Task


@dataclass(frozen=True, slots=True)
class NewResult:
    """A submission on one split, before anything is checked; in its predictions ``simulator`` is the condition.

    ``digest`` is what it was made for, empty if it does not say; ``paths`` are shown and never scored.
    """

    metadata: Metadata
    task: Task
    split: str
    predictions: pa.Table
    digest: str = ""
    paths: SampledPaths = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreparedResult:
    """A result that is ready to be stored, with what is stored of it and of its split."""

    record: ResultRecord
    context: TaskContext
    predictions: pa.Table
    scores: pa.Table
    paths: SampledPaths

    @property
    def id(self) -> str:
        """Identity of the result."""
        return identity(self.record)


@dataclass(frozen=True, slots=True)
class Placement:
    """What became of one result: its identity, whether it is new on the board, and its table with it."""

    result: str
    new: bool
    view: RankedTable


def prepare(candidate: NewResult, kind: str = "submission", context: TaskContext | None = None) -> PreparedResult:
    """Check and score a candidate; ``context`` are the facts about its split, if they are known already.

    InputError if its predictions cannot be used, or it was made for another split.
    """
    task, split = candidate.task, candidate.split
    where = plain(candidate.metadata.label, 100)
    task.split(split)
    digest = task.digests[split]
    if candidate.digest and candidate.digest != digest:
        raise InputError(
            f"{where} was made for {task.name}, {split} with digest {candidate.digest[:12]}; the data given has "
            f"{digest[:12]}. Give the data it was made for (--data), or predict again."
        )
    wrong = paths.faults(candidate.paths, scoring.test_slots(task, split))
    if wrong:
        raise InputError(f"paths of {where}: {wrong[0]}. Correct them, or leave them out.")
    said = board_predictions.canonical_predictions(candidate.predictions, task, split, where)
    record = ResultRecord(
        kind=kind,
        metadata=candidate.metadata,
        task=task.name,
        version=task.version,
        split=split,
        digest=digest,
        seeds=tuple(sorted(said["seed"].unique().to_pylist())),
        conditions=tuple(c for c in CONDITIONS if c in set(said["simulator"].unique().to_pylist())),
        predictions=board_predictions.predictions_digest(said),
        paths=paths.digest(candidate.paths) if candidate.paths else "",
    )
    require_readable(record)
    notice = joined(plain(line, 1000) for line in (task.notice, candidate.metadata.notice))
    scores = board_predictions.score(task, split, said, stated=candidate.metadata.states_attention)
    about = {"task": task.name, "split": split, "digest": digest, "notice": notice}
    return PreparedResult(
        record=record,
        context=context or context_of(task, split),
        predictions=board_predictions.predictions_table(said, about),
        scores=board_scores.scores_table(scores),
        paths=candidate.paths,
    )


def context_of(task: Task, split: str) -> TaskContext:
    """Return the facts about a split that a board keeps."""
    found = references.others_gaze(task, split)
    return of_task(task, split, sum(gaze is not None for gaze in found.values()))


def submit(
    root: str | Path,
    candidates: Sequence[NewResult],
    catalogue: Catalogue,
    *,
    reported: Sequence[ReportedRecord] = (),
    supersedes: str | None = None,
    reason: str = "",
    dry_run: bool = False,
    now: str | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[Placement]:
    """Score the results of one submission and add them to a board, together with the references they are compared with.

    Nothing is written before everything has passed, and with ``dry_run`` nothing at all: the outcomes show the place
    that the results would take. A result that is on the board already is left as it is. ``reported`` are numbers that
    the submission states without predictions; ``supersedes``, ``NAME@VERSION`` or the beginning of a result's identity,
    is whose place the new results take, for a ``reason`` if it is by others; ``now`` is a time in UTC,
    ``2026-01-31T12:00:00Z``; ``report`` gets a line about what takes long. InputError if a candidate cannot be scored,
    was withdrawn before, or has the name and version of another, or a name of the suite.
    """
    if not candidates and not reported:
        raise InputError("the submission holds neither predictions nor reported numbers; there is nothing to submit.")
    board = Board(root)
    board.check_place()
    standing = board.standing()
    known = board_table.records(board, standing)
    for candidate in candidates:
        _check_name(candidate.metadata, catalogue)
    contexts = {_key(c): context_of(c.task, c.split) for c in candidates}
    prepared = [_as_known(prepare(one, context=contexts[_key(one)]), board, known) for one in candidates]
    for one in prepared:
        _check_new(one, known, standing)
    for record in reported:
        require_readable(record)
    meant = matching(supersedes, known, standing) if supersedes else []
    replaced = {
        one.id: [name for name in meant if known[name].digest == one.record.digest and name != one.id]
        for one in prepared
    }
    if supersedes and not any(replaced.values()):
        raise InputError(f"--supersedes {plain(supersedes)}: the board has no active result of it on these splits.")
    for one in prepared:
        for old in replaced[one.id]:
            report(f"{whose(known[old])} is superseded by {whose(one.record)}")
            _require_reason(known[old], one.record, reason)
    added = []
    for candidate in candidates:
        added += _missing_references(candidate, contexts[_key(candidate)], catalogue, known, standing, report)
    at = now or _now()
    gone = {old for olds in replaced.values() for old in olds}
    outcomes = []
    for one in prepared:
        kept = {name: record for name, record in known.items() if name not in gone}
        items = board_table.scored(board, one.record.digest, standing, kept)
        fresh = {p.id: p for p in [*added, one] if p.record.digest == one.record.digest and p.id not in known}
        items += [ScoredResult(p.id, p.record, p.scores, at) for p in fresh.values()]
        outcomes.append(Placement(one.id, one.id not in known, view(board_table.assemble(one.context, items))))
    if not dry_run:
        board = Board.create(root)
        for one in [*added, *prepared]:
            store(board, one, standing, at)
        for new, olds in replaced.items():
            for old in olds:
                board.put(Event("supersede", old, at, by=new, reason=plain(reason, 500)))
        for record in reported:
            board.put(record)
    return outcomes


def store(board: Board, prepared: PreparedResult, standing: BoardStanding, at: str) -> None:
    """Write a prepared result; its submit event, which makes it count, comes last.

    The predictions of a reference are left out: they are the recording itself, which its licence may not let a board
    publish, and whoever has the data can compute them again.
    """
    name = prepared.id
    board.put_context(prepared.context)
    if prepared.record.kind != "reference":
        board.put_table("predictions", prepared.record.predictions, prepared.predictions)
    if prepared.paths:
        board.put_paths(prepared.paths)
    board.put_table("scores", name, prepared.scores)
    board.put(prepared.record)
    if name not in standing.submitted:
        board.put(Event("submit", name, at))


def withdraw(board: Board, who: str, reason: str, *, now: str | None = None) -> list[str]:
    """Take results out of the ranking by adding an entry, and return their identities; they stay readable.

    ``who`` is ``NAME@VERSION`` or the beginning (8 digits or more) of an identity; the reason is shown. InputError if
    no active result is meant, or there is no reason.
    """
    standing = board.standing()
    found = matching(who, board_table.records(board, standing), standing)
    if not reason.strip():
        raise InputError(f"say why {plain(who, 100)} is withdrawn, with --reason; the board shows it.")
    at = now or _now()
    for name in found:
        board.put(Event("withdraw", name, at, reason=plain(reason, 500)))
    return found


def supersede(board: Board, old: str, new: str, *, reason: str = "", now: str | None = None) -> list[tuple[str, str]]:
    """Replace results by others on the same splits, by adding entries; both are named as for :func:`withdraw`.

    Returns the pairs of identities (old, new). InputError if one of the two names no active result, they have no split
    in common, or they are by different authors and there is no reason.
    """
    standing = board.standing()
    known = board_table.records(board, standing)
    olds, news = matching(old, known, standing), matching(new, known, standing)
    pairs = [(a, b) for a in olds for b in news if a != b and known[a].digest == known[b].digest]
    if not pairs:
        raise InputError(f"'{plain(old)}' and '{plain(new)}' have no two results on the same split of the same data.")
    for a, b in pairs:
        _require_reason(known[a], known[b], reason)
    at = now or _now()
    for a, b in pairs:
        board.put(Event("supersede", a, at, by=b, reason=plain(reason, 500)))
    return pairs


def matching(who: str, known: Mapping[str, ResultRecord], standing: BoardStanding) -> list[str]:
    """Return the active submissions that ``who`` names; InputError if the board has no such submission."""
    active = {n: r for n, r in known.items() if standing.active(n) and r.kind == "submission"}
    found = [n for n, r in active.items() if r.metadata.label == who or (len(who) >= 8 and n.startswith(who))]
    if not found:
        labels = sorted({plain(r.metadata.label, 80) for r in active.values()})
        raise unknown_name("submission", plain(who), labels[:20])
    return found


def _as_known(one: PreparedResult, board: Board, known: Mapping[str, ResultRecord]) -> PreparedResult:
    """Return a result under its older record, if the board stored it together with predictions of another task."""
    for record in known.values():
        conditions = tuple(c for c in record.conditions if c in CONDITIONS)
        same = replace(record, conditions=conditions, transfers={}, predictions=one.record.predictions)
        if record.transfers and same == one.record:
            stored = board_predictions.stored_predictions(board.table("predictions", record.predictions))
            own = board_predictions.predictions_digest(board_predictions.of_conditions(stored))
            if own == one.record.predictions:
                return replace(one, record=record)
    return one


def _check_new(one: PreparedResult, known: Mapping[str, ResultRecord], standing: BoardStanding) -> None:
    """Refuse what was withdrawn, and another result under a name and version that is taken."""
    said = plain(one.record.metadata.label, 100)
    status = standing.status(one.id)
    if status in ("withdrawn", "superseded"):
        raise InputError(f"{said} was {status} from this board and stays so; submit it under a new version.")
    for name, record in known.items():
        same = record.kind == "submission" and record.digest == one.record.digest and name != one.id
        if same and standing.active(name) and _names(record) == _names(one.record):
            raise InputError(
                f"{said} is on the board already ({name[:12]}) with other content; raise the version, "
                f"and add --supersedes {said} to take its place."
            )


def _check_name(metadata: Metadata, catalogue: Catalogue) -> None:
    """Refuse a name of the suite's own simulators, however it is spelt, unless the suite is named as the author."""
    known = (*catalogue.names(), *references.every())
    twin = next((name for name in known if skeleton(name) == skeleton(metadata.name)), None)
    if twin is not None and (metadata.name, metadata.authors) != (twin, ("gazebench",)):
        raise InputError(f"the name '{plain(metadata.name, 60)}' is taken by the suite's {twin}; choose another.")


def _require_reason(old: ResultRecord, new: ResultRecord, reason: str) -> None:
    """Refuse that a result takes the place of one by others without a word."""
    if set(map(folded, old.metadata.authors)) != set(map(folded, new.metadata.authors)) and not reason.strip():
        raise InputError(f"{whose(old)} cannot be superseded by {whose(new)} without --reason; the board shows it.")


def whose(record: ResultRecord) -> str:
    """Return the name, version and authors of a result."""
    return f"{plain(record.metadata.label, 100)} (by {plain(', '.join(record.metadata.authors) or 'nobody', 200)})"


def _names(record: ResultRecord) -> tuple[str, str]:
    return folded(record.metadata.name), folded(record.metadata.version)


def _missing_references(
    candidate: NewResult,
    context: TaskContext,
    catalogue: Catalogue,
    known: Mapping[str, ResultRecord],
    standing: BoardStanding,
    report: Callable[[str], None],
) -> list[PreparedResult]:
    """Return the references that the board does not hold yet on a candidate's split, scored."""
    digest = candidate.task.digests[candidate.split]
    there = {
        r.metadata.name
        for name, r in known.items()
        if r.kind != "submission" and r.digest == digest and standing.active(name)
    }
    claims = scoring.claims_of(candidate.task, candidate.split, candidate.predictions)
    missing = [name for name in references.names(claims) if name not in there]
    if context.overlap < others.MIN_OVERLAP * len(context.sessions):
        people = (references.OTHERS, *(human for one in FAMILIES if one.apart for human in one.human.values()))
        missing = [name for name in missing if name not in people]
    if not missing:
        return []
    report(f"scoring the references of {candidate.task.name}, {candidate.split}: {', '.join(missing)}")
    return [
        prepare(NewResult(r.metadata, candidate.task, candidate.split, r.predictions), r.kind, context)
        for r in references.compute(candidate.task, candidate.split, catalogue, missing)
    ]


def _key(candidate: NewResult) -> tuple[str, str]:
    return candidate.task.name, candidate.split


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
