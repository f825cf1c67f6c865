"""The results table: what a board stores about one split of one task, as arrays.

Everything that is ranked or shown of it starts here and needs nothing but the board.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa

from benchmark.metrics import Metric, all_metrics, asked_of
from benchmark.naming import FORESIGHT, LABEL, OWN, PROOF, SHARED, STATED, TEST_INPUTS
from benchmark.statistics.design import Design, Factor
from leaderboard import board_scores
from leaderboard.board_files import Board, BoardStanding
from leaderboard.context import TaskContext
from leaderboard.entries import CONDITIONS, SWAPPED, ReportedRecord, ResultRecord
from tasks.errors import InputError, unknown_name
from tasks.types import Floats

STRESS = tuple(condition for condition in CONDITIONS if condition not in (OWN, SHARED))
UNSCORED = "not scored yet: run 'leaderboard rescore'"
"""Why a metric is blank that the suite learned after a result was submitted."""

_BEFORE = "foresight"
"""The column of the rules before those of ``FORESIGHT``."""

TWINS = 0.9995
"""Lines whose scores correlate more than this over sessions and metrics are named as alike."""

APART = {
    "label": "attention computed for the true click",
    "oracle": "sees the recording it is scored on",
    "reference": "the recording itself, or other people",
    "stated": "attention stated by the model, with tiers of its own",
    "leak": "knows the recording it is scored on, whatever it declares",
}
"""Why a row is not ranked with the others -> in words."""


@dataclass(frozen=True, slots=True)
class ScoredResult:
    """A result with its stored scores; ``at`` is empty if it was not submitted yet."""

    id: str
    record: ResultRecord
    scores: pa.Table
    at: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class BoardRow:
    """One line of a table.

    Attributes:
        condition: ``own``; ``own [label]`` and ``own [stated]`` for lines of label-conditioned and stated attention.
        apart: Why it is not ranked (a key of ``APART``), empty if it is.
        values: Scores, shape (seeds, sessions, metrics), NaN where a metric is not claimed.
        failed: Sessions, over seeds, in which a claimed part was missing.
        controls: ``shared`` and ``swapped`` -> scores of the same shape, where the submission gives them.
        unscored: Metrics that the suite learned after the result was scored.
        foresight: How clearly it knows the recordings: 1 is suspicious, 2 is proof; NaN if that is not known.
        stress: The whole score table where the submission has predictions under stress conditions, else None.
    """

    id: str
    record: ResultRecord
    condition: str
    apart: str
    at: str
    seeds: tuple[int, ...]
    values: Floats
    failed: int
    controls: Mapping[str, Floats]
    unscored: tuple[str, ...] = ()
    stress: pa.Table | None = None
    foresight: float = math.nan

    @property
    def mark(self) -> str:
        """What follows the name of a line that knows more of the recordings than simulators do, else nothing."""
        return f" ?{self.foresight:.2f}" if self.foresight >= 1 and self.apart in ("", "stated", "leak") else ""

    @property
    def key(self) -> str:
        """What identifies a line: the result, and ``-label`` or ``-stated`` for its line of such attention."""
        return "-".join(filter(None, (self.id, self.suffix.strip(" []"))))

    @property
    def name(self) -> str:
        """The simulator's name, with what its condition adds to it."""
        return self.record.metadata.name + self.suffix

    @property
    def suffix(self) -> str:
        """`` [label]`` where attention was computed for the true click, `` [stated]`` where the model stated it."""
        return self.condition.removeprefix(OWN)

    @property
    def ranked(self) -> bool:
        """Whether the line takes part in the ranking."""
        return not self.apart


@dataclass(frozen=True, eq=False)
class BoardTable:
    """All results on one split of one task, and numbers stated elsewhere about it.

    The suite's own priors and references appear once, whatever was merged. ``screens`` is the screen of each session,
    empty where no result says it, as on boards of older versions.
    """

    context: TaskContext
    rows: tuple[BoardRow, ...]
    reported: tuple[ReportedRecord, ...] = ()
    metrics: tuple[Metric, ...] = field(default_factory=all_metrics)
    screens: tuple[str, ...] = ()

    @cached_property
    def design(self) -> Design:
        """Users and screens of the test sessions."""
        screens = Factor.of_labels(self.screens) if self.screens else None
        return Design(Factor.of_labels(self.context.users), screens)

    @property
    def over(self) -> str:
        """What tests and intervals are over, in words."""
        return "users and screens" if self.design.two_way else "users"

    @property
    def users(self) -> tuple[str, ...]:
        """Test users, sorted."""
        return self.design.users.names

    @cached_property
    def by_session(self) -> Floats:
        """Scores of every line, seeds averaged, shape (rows, sessions, metrics); NaN where a metric is not claimed."""
        shape = (0, len(self.context.sessions), len(self.metrics))
        return np.stack([row.values.mean(axis=0) for row in self.rows]) if self.rows else np.zeros(shape)

    @cached_property
    def by_user(self) -> Floats:
        """User means of every line, shape (rows, users, metrics)."""
        shape = (0, len(self.users), len(self.metrics))
        return np.stack([self.design.users.means(one) for one in self.by_session]) if self.rows else np.zeros(shape)

    @cached_property
    def twins(self) -> dict[str, tuple[str, ...]]:
        """Key of a submission's line -> the lines of other results that score all but the same in every session."""
        scores = np.nan_to_num(self.by_session - self.by_session.mean(axis=1, keepdims=True))
        spread = np.sqrt((scores**2).sum(axis=(0, 1)))
        flat = (scores / np.where(spread > 0, spread, 1)).reshape(len(self.rows), -1)
        length = np.linalg.norm(flat, axis=1)
        alike = flat @ flat.T / np.maximum(np.outer(length, length), 1e-12)
        found: dict[str, tuple[str, ...]] = {}
        for i, row in enumerate(self.rows):
            others = [j for j in np.flatnonzero(alike[i] > TWINS) if self.rows[j].id != row.id]
            if others and row.record.kind == "submission":
                said = (f"{self.rows[j].record.metadata.label} (correlation {alike[i, j]:.4f})" for j in others)
                found[row.key] = tuple(said)
        return found

    @cached_property
    def told(self) -> tuple[Metric, ...]:
        """The metrics with a place on pages: those of a family that stays apart only if a line has a value."""
        known = ~np.isnan(self.by_user)
        wanted = asked_of(
            {need for j, metric in enumerate(self.metrics) if known[:, :, j].any() for need in metric.needs}
        )
        return tuple(metric for metric in self.metrics if metric in wanted)

    @cached_property
    def unscored(self) -> dict[str, int]:
        """Metrics that some lines have no scores for yet -> how many lines."""
        return dict(Counter(metric for row in self.rows for metric in row.unscored))

    def metric_index(self, name: str) -> int:
        """Return the column of a metric; InputError if the table has no metric of that name."""
        names = [metric.name for metric in self.metrics]
        if name not in names:
            raise unknown_name("metric", name, names)
        return names.index(name)

    def find(self, name: str) -> int | None:
        """Return the line of one of the suite's own priors or references, None if the board does not hold it."""
        for i, row in enumerate(self.rows):
            if row.record.kind != "submission" and row.record.metadata.name == name:
                return i
        return None


def assemble(
    context: TaskContext, items: Iterable[ScoredResult], reported: Iterable[ReportedRecord] = ()
) -> BoardTable:
    """Return the table of some results on the split of ``context``; InputError if the scores of one are damaged."""
    metrics = all_metrics()
    position = {session: i for i, session in enumerate(context.sessions)}
    rows: list[BoardRow] = []
    screens: tuple[str, ...] = ()
    own: set[str] = set()
    for item in sorted(items, key=lambda i: (i.record.kind == "submission", i.at or "9", i.id)):
        if item.record.kind != "submission":
            if item.record.metadata.name in own:
                continue
            own.add(item.record.metadata.name)
        rows += _rows(item, position, metrics)
        screens = screens or _screens(item.scores, context.sessions)
    about = [r for r in reported if (r.task, r.split) == (context.task, context.split)]
    return BoardTable(context, tuple(rows), tuple(sorted(about, key=lambda r: (r.source, r.name))), screens=screens)


def load(board: Board, digest: str, standing: BoardStanding, results: Mapping[str, ResultRecord]) -> BoardTable:
    """Return the table of a split from a board, given all its results (:func:`records`)."""
    items = scored(board, digest, standing, results)
    reported = [board.reported(name) for name in board.names("reported")]
    return assemble(board.context(digest), items, reported)


def scored(
    board: Board, digest: str, standing: BoardStanding, results: Mapping[str, ResultRecord]
) -> list[ScoredResult]:
    """Return the active results of a split with their stored scores."""
    return [
        ScoredResult(name, record, board_scores.read(board, name, record), standing.submitted[name])
        for name, record in results.items()
        if record.digest == digest and standing.active(name)
    ]


def records(board: Board, standing: BoardStanding) -> dict[str, ResultRecord]:
    """Return every result that was ever submitted; InputError if one is missing or damaged."""
    return {name: board.result(name) for name in sorted(standing.submitted)}


def digests(results: Mapping[str, ResultRecord], standing: BoardStanding) -> list[str]:
    """Return the digests of the splits with active results, by task, split and version."""
    found = {r.digest: (r.task, r.split, r.version) for name, r in results.items() if standing.active(name)}
    return sorted(found, key=lambda digest: (*found[digest], digest))


def _screens(scores: pa.Table, sessions: Sequence[str]) -> tuple[str, ...]:
    """Return the screen of each session by the scores of a result; nothing where they do not say it."""
    if "screen" not in scores.column_names:
        return ()
    shown = dict(zip(scores["session_id"].to_pylist(), scores["screen"].to_pylist(), strict=True))
    return tuple(str(shown[session]) for session in sessions)


def _apart(record: ResultRecord, condition: str, knows: float) -> str:
    if record.kind == "reference":
        return "reference"
    if record.metadata.kind == "oracle" or any(seen in TEST_INPUTS for seen in record.metadata.inputs):
        return "oracle"
    group = condition.removeprefix(OWN).strip(" []")
    return "leak" if knows >= PROOF and group != "label" else group


def _rows(item: ScoredResult, position: Mapping[str, int], metrics: Sequence[Metric]) -> list[BoardRow]:
    table, where = item.scores, f"scores of result {item.id[:12]}"
    needed = ("condition", "seed", "session_id", "failed")
    missing = [name for name in needed if name not in table.column_names]
    if missing:
        raise InputError(f"the {where} have no column {', '.join(missing)}; restore the file.")
    try:
        conditions = np.array(table["condition"].to_pylist(), dtype=object)
        seeds, failed = (np.array(table[name].to_pylist(), dtype=np.int64) for name in ("seed", "failed"))
        sessions = np.array([position[s] for s in table["session_id"].to_pylist()], dtype=np.int64)
        values = np.full((len(seeds), len(metrics)), np.nan)
        for j, metric in enumerate(metrics):
            if metric.name in table.column_names:
                values[:, j] = table[metric.name].to_numpy()
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"the {where} do not fit the split ({error}); restore the file.") from error
    wanted = board_scores.columns(item.record, table.column_names)
    unscored = tuple(m.name for m in metrics if m.name in wanted and m.name not in table.column_names)
    lowest, highest = np.array([metric.range for metric in metrics]).T + [[-1e-9], [1e-9]]
    found: dict[str, tuple[tuple[int, ...], Floats, int]] = {}
    for condition in dict.fromkeys(conditions.tolist()):
        mask = conditions == condition
        distinct, at = np.unique(seeds[mask], return_inverse=True)
        place = at * len(position) + sessions[mask]
        shape = (len(distinct), len(position), len(metrics))
        if len(place) != shape[0] * shape[1] or len(np.unique(place)) != len(place):
            raise InputError(f"the {where} do not cover every session once per seed; restore the file.")
        ordered = np.empty((shape[0] * shape[1], shape[2]))
        ordered[place] = values[mask]
        cube = ordered.reshape(shape)
        claimed = ~np.isnan(cube).all(axis=(0, 1))
        if not ((cube >= lowest) & (cube <= highest))[:, :, claimed].all():
            raise InputError(f"the {where} hold blanks or numbers out of their metrics' range; restore the file.")
        found[str(condition)] = tuple(distinct.tolist()), cube, int((failed[mask] > 0).sum())
    controls = {name: found[name][1] for name in (SHARED, SWAPPED) if name in found}
    knows = math.nan
    # Until a board is rescored, what older rules found of a line marks it.
    stored = [name for name in (FORESIGHT, _BEFORE) if name in table.column_names]
    if item.record.kind == "submission" and stored:
        knows = float(np.nanmax(table[stored[0]].to_numpy()))
    rows = []
    for condition in (OWN, OWN + STATED, OWN + LABEL):
        if condition in found:
            used, cube, fails = found[condition]
            apart = _apart(item.record, condition, knows)
            given = controls if condition == OWN else {}
            stress = table if condition == OWN and any(name in found for name in STRESS) else None
            rows.append(
                BoardRow(
                    item.id, item.record, condition, apart, item.at, used, cube, fails, given, unscored, stress, knows
                )
            )
    return rows
