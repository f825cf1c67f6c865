"""Checks a board: every stored score is computed again from the stored predictions."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from benchmark.metrics import names as metric_names
from benchmark.naming import FORESIGHT
from benchmark.output.text import folded, plain
from benchmark.output.units import counted
from benchmark.scores import paths, scoring
from benchmark.trials.catalogue import Catalogue
from leaderboard import board_predictions, board_scores, board_table, references
from leaderboard.board_files import FOLDERS, MARK, MARKER, Board, BoardStanding, unfinished
from leaderboard.board_scores import KEYS
from leaderboard.entries import Event, ResultRecord
from leaderboard.recomputing import BoardFinding, LoadTask, by_data, scores_of, suite_result, where_of
from leaderboard.submitting import context_of
from tasks.errors import InputError
from tasks.task import Task

_error, _note = partial(BoardFinding, "error"), partial(BoardFinding, "note")


def verify(board: Board, load_task: LoadTask, catalogue: Catalogue) -> Iterator[BoardFinding]:
    """Check a whole board; yields nothing if everything is right.

    Every file must be readable and belong to its name, every event must name a result that is there, and every
    score, withdrawn ones included, must come out of the stored predictions again, within
    ``board_predictions.TOLERANCE``. The suite's own priors and references must be what this version computes.
    """
    readers: dict[str, Callable[[str], object]] = {"results": board.result, "events": board.event, "paths": board.paths}
    readers |= {"reported": board.reported, "tasks": board.context}
    names: dict[str, list[str]] = dict.fromkeys(FOLDERS, [])
    read: dict[str, dict[str, Any]] = {folder: {} for folder in FOLDERS}
    mark = board.root / MARKER
    if mark.stat().st_size > len(MARK) or mark.read_bytes() != MARK.encode():
        yield _error(MARKER, f"is not {MARK.strip()}; restore the file.")
    for folder in FOLDERS:
        try:
            names[folder] = board.names(folder)
        except InputError as error:
            yield _error(folder, str(error))
        for name in names[folder] if folder in readers else ():
            try:
                read[folder][name] = readers[folder](name)
            except InputError as error:
                yield _error(f"{folder}/{name[:12]}", str(error))
    known: dict[str, ResultRecord] = read["results"]
    yield from _events(read["events"], known)
    unscored: Counter[str] = Counter()
    for results, task in by_data(known, load_task):
        if isinstance(task, BoardFinding):
            yield task
            continue
        yield from _context(board, next(iter(results.values())), task)
        for name, record in results.items():
            yield from _result(board, name, record, task, catalogue, unscored)
    if unscored:
        columns = ", ".join(f"{column} of {counted(n, 'result')}" for column, n in unscored.items())
        yield _note("scores", f"not scored yet: {columns} (run 'leaderboard rescore').")
    try:
        standing = board.standing()
        submitted = set(board_table.records(board, standing))
        yield from _namesakes(known, standing)
    except InputError:  # reported above
        submitted = set(known)
    yield from _pointless(board, names, known, submitted)


def _namesakes(known: dict[str, ResultRecord], standing: BoardStanding) -> Iterator[BoardFinding]:
    """Report results with the same name and version on a split, which 'submit' refuses and merging boards does not."""
    first: dict[tuple[str, str, str], str] = {}
    for name, record in known.items():
        if record.kind == "submission" and standing.active(name):
            m = record.metadata
            other = first.setdefault((record.digest, folded(m.name), folded(m.version)), name)
            if other != name:
                what = f"has the name and version of {other[:12]} ({plain(m.label, 60)}); withdraw one of the two."
                report = _note if known[other].predictions == record.predictions else _error
                yield report(f"results/{name[:12]}", what)


def _events(events: dict[str, Event], known: dict[str, ResultRecord]) -> Iterator[BoardFinding]:
    """Check that events name results that exist, and that superseding does not run in a circle."""
    after: dict[str, str] = {}
    for name, event in events.items():
        for result in filter(None, (event.result, event.by)):
            if result not in known:
                yield _error(f"events/{name[:12]}", f"there is no result {result[:12]}; restore the file.")
        if event.kind == "supersede" and event.result in known and event.by in known:
            after[event.result] = event.by
            if known[event.result].digest != known[event.by].digest:
                yield _error(f"events/{name[:12]}", "it is replaced by a result of another split.")
    for start in after:
        seen, at = {start}, after[start]
        while at in after and at not in seen:
            seen.add(at)
            at = after[at]
        if at == start:
            yield _error(f"results/{start[:12]}", "superseded in a circle; submit it under a new version.")


def _result(
    board: Board, name: str, record: ResultRecord, task: Task, catalogue: Catalogue, unscored: Counter[str]
) -> Iterator[BoardFinding]:
    """Compute a result again and compare; count the columns that it has no scores for yet."""
    where = where_of(name, record)
    try:
        if record.paths:
            for what in paths.faults(board.paths(record.paths), scoring.test_slots(task, record.split)):
                yield _error(f"paths/{record.paths[:12]}", f"{what}; restore the file.")
        if record.transfers:
            conditions = ", ".join(record.transfers)
            yield _note(where, f"{conditions}: boards no longer score predictions of another task's sessions.")
        stored: pd.DataFrame = board_scores.read(board, name, record).to_pandas()
        unscored.update(column for column in board_scores.columns(record, stored.columns) if column not in stored)
        if record.kind != "reference":  # whose predictions are not stored
            yield from _compare(where, stored, scores_of(board, record, task, catalogue))
    except InputError as error:
        yield _error(where, str(error))
        return
    if record.kind != "submission":
        yield from _reference(where, record, task, catalogue, stored)


def _context(board: Board, record: ResultRecord, task: Task) -> Iterator[BoardFinding]:
    """Compare what is stored about a split with its data; what only this version of the suite may say is a note."""
    where = f"tasks/{record.digest[:12]}"
    try:
        stored, now = (asdict(one) for one in (board.context(record.digest), context_of(task, record.split)))
    except InputError:
        return  # reported above
    other = [name for name in now if stored[name] != now[name]]
    if set(other) & {"sessions", "users", "notice", "task", "version", "split"}:
        yield _error(where, "the facts stored about its split are not those of the data; restore them.")
    elif other:
        what = f"not as this version of the suite says it of the data here: {', '.join(other)}"
        yield _note(where, f"{what}; restore the file, unless they were prepared in another way, say without texts.")


def _compare(where: str, stored: pd.DataFrame, computed: pd.DataFrame) -> Iterator[BoardFinding]:
    """Report where two score tables differ, in the columns that are stored."""
    keys, fixed = list(KEYS), ("user", "failed", "fold", *(["screen"] if "screen" in stored else []))
    if missing := {*keys, *fixed} - {*stored.columns}:
        yield _error(where, f"its scores have no column {', '.join(sorted(missing))}; restore the file.")
        return
    a, b = (t.sort_values(keys, ignore_index=True) for t in (stored, computed))
    if len(a) != len(b) or not a[keys].equals(b[keys].astype(a[keys].dtypes.to_dict())):
        yield _error(where, f"its scores have {len(a)} rows about other sessions than the {len(b)} computed.")
        return
    for column in fixed:
        wrong = np.flatnonzero((a[column] != b[column]).to_numpy())
        if len(wrong):
            yield _error(where, f"{len(wrong)} scores with another {column} than computed, {_at(a, wrong[0])}.")
    numbers = (*metric_names(), *board_scores.STRESS_COLUMNS, FORESIGHT)
    for metric in [c for c in stored.columns if c in numbers]:
        x, y = (t[metric].to_numpy(dtype=np.float64) for t in (a, b))
        near = 0.011 if metric == FORESIGHT else board_predictions.TOLERANCE  # it is rounded
        wrong = np.flatnonzero(~((np.abs(x - y) <= near) | (np.isnan(x) & np.isnan(y))))
        if len(wrong):
            i = int(wrong[0])
            yield _error(
                where, f"{metric} differs in {len(wrong)} rows, {_at(a, i)}: stored {x[i]:.9g}, is {y[i]:.9g}."
            )


def _at(table: pd.DataFrame, row: int) -> str:
    found = table.iloc[int(row)]
    return f"first in session {found['session_id']} (seed {found['seed']}, {found['condition']})"


def _reference(
    where: str, record: ResultRecord, task: Task, catalogue: Catalogue, stored: pd.DataFrame
) -> Iterator[BoardFinding]:
    """Check that a result that claims to be a prior of the suite is one."""
    from benchmark import __version__

    name = record.metadata.name
    if name not in references.every():
        yield _error(where, f"claims to be a {record.kind} of the suite, which has none of that name.")
        return
    if record.metadata.version != __version__:
        by = f"was computed by version {plain(record.metadata.version)} of the suite, this is {__version__}"
        yield _note(where, by + (": not verified." if record.kind == "reference" else "."))
        return
    own = suite_result(record, task, catalogue, context_of(task, record.split))
    if own is not None:
        if own.record.metadata != record.metadata or own.record.kind != record.kind:
            yield _error(where, "is not described as the suite describes it.")
        yield from _compare(f"{where}, as this suite computes it", stored, own.scores.to_pandas())


def _pointless(
    board: Board, names: dict[str, list[str]], known: dict[str, ResultRecord], submitted: set[str]
) -> Iterator[BoardFinding]:
    """Note files that nothing refers to: an interrupted writer leaves them, and they do no harm."""
    for name in sorted(set(known) - submitted):
        yield _note(f"results/{name[:12]}", "was never submitted (a writer was interrupted); submit it again.")
    added = {
        board_scores.column_file(n, column)
        for n, r in known.items()
        for column in board_scores.columns(r, metric_names())
    }
    used = {"predictions": {r.predictions for r in known.values()}, "scores": set(known), "added": added}
    used["paths"] = {r.paths for r in known.values()}
    for folder, belonging in used.items():
        for name in sorted(set(names[folder]) - belonging):
            yield _note(
                f"{folder}/{name[:12]}", "belongs to no result (or to a newer version's metric); it may be deleted."
            )
    if (board.root / "transfers").exists():
        yield _note("transfers", "holds scores on other tasks, which boards no longer use; delete it.")
    for path in unfinished(board):
        yield _note(path.name, "was left by an interrupted writer; delete it while nobody submits.")
