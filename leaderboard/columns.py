"""The columns of the leaderboard. Adding one is one entry in ``COLUMNS``; every format and the site then have it.

A column of the group ``metrics``, ``normalised`` or ``gain`` shows numbers and can be ordered by; one of the group
``about`` says what a simulator is.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from benchmark.metrics import Metric, all_metrics
from benchmark.metrics.families import apart_metrics, main_metrics
from benchmark.output.text import plain
from benchmark.output.units import number
from leaderboard import board_table
from leaderboard.board_files import Board
from leaderboard.board_table import UNSCORED, BoardRow, BoardTable
from leaderboard.derived import Normalised, normalise, personal_gain
from leaderboard.ranking import Ranking, rank
from tasks.errors import unknown_name

HEADLINE = (*main_metrics(), *apart_metrics())
"""The metrics a table shows first."""


@dataclass(frozen=True, slots=True)
class RankedTable:
    """A ranked table."""

    table: BoardTable
    ranking: Ranking
    normalised: Normalised


def view(table: BoardTable) -> RankedTable:
    """Return a table with its order and its normalised scores."""
    return RankedTable(table, rank(table), normalise(table))


def views(board: Board, task: str | None = None, split: str | None = None) -> list[RankedTable]:
    """Return the ranked tables of a board, or only those of a task or split.

    InputError if the board has none of that task or split, or a file is damaged.
    """
    standing = board.standing()
    known = board_table.records(board, standing)
    found = [view(board_table.load(board, digest, standing, known)) for digest in board_table.digests(known, standing)]
    for key, wanted in (("task", task), ("split", split)):
        there = sorted({str(getattr(v.table.context, key)) for v in found})
        if wanted is not None and wanted not in there:
            raise unknown_name(f"{key} on this board", wanted, there)
        found = [v for v in found if wanted is None or getattr(v.table.context, key) == wanted]
    return found


@dataclass(frozen=True, slots=True)
class BoardCell:
    """One value of one line, as it is printed and as it is ordered by, with its 95 % interval; NaN where unknown.

    ``tier`` is 0 if the line is not ranked; ``why`` says why there is no value.
    """

    text: str
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    tier: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """One column.

    Attributes:
        key: Short name for commands and files.
        group: ``metrics``, ``normalised``, ``gain`` or ``about``.
        help: One sentence.
        cell: Gives the cell of a line, by its place in the table.
        higher_is_better: Direction; None for text.
        metric: The metric it is about; empty if it is about none.
    """

    key: str
    title: str
    group: str
    help: str
    cell: Callable[[RankedTable, int], BoardCell]
    higher_is_better: bool | None = None
    metric: str = ""


def _why_blank(view: RankedTable, row: int, metric: str) -> str:
    return UNSCORED if metric in view.table.rows[row].unscored else "not claimed"


def _cell(why: str, mean: float, low: float, high: float, tier: int = 0) -> BoardCell:
    """Return a mean with its interval; ``why`` is shown where it is NaN."""
    if math.isnan(mean):
        return BoardCell("", why=why)
    return BoardCell(number(mean), float(mean), float(low), float(high), int(tier))


def mean_cell(view: RankedTable, row: int, metric: str) -> BoardCell:
    """Return the mean of a line on a metric, with its interval and tier."""
    at, r = (row, view.table.metric_index(metric)), view.ranking
    return _cell(_why_blank(view, row, metric), r.mean[at], r.low[at], r.high[at], r.tier[at])


def normalised_cell(view: RankedTable, row: int, metric: str) -> BoardCell:
    """Return the normalised score of a line on a metric, or why there is none."""
    at, n = (row, view.table.metric_index(metric)), view.normalised
    return _cell(n.reasons[at[1]] or _why_blank(view, row, metric), n.mean[at], n.low[at], n.high[at])


def _gain(view: RankedTable, row: int, metric: str, swapped: bool) -> BoardCell:
    found = personal_gain(view.table, row, view.table.metric_index(metric))
    if found is None:
        return BoardCell("", why="no predictions under " + ("another user's prompt" if swapped else "a shared prompt"))
    gain = found.swapped_over_shared if swapped else found.own_over_shared
    return _cell(gain.reason, gain.mean, gain.low, gain.high)


def _about(key: str, title: str, help: str, value: Callable[[BoardRow], str | int]) -> BoardColumn:

    def cell(view: RankedTable, row: int) -> BoardCell:
        found = value(view.table.rows[row])
        return BoardCell(str(found), float(found)) if isinstance(found, int) else BoardCell(plain(found, 120))

    return BoardColumn(key, title, "about", help, cell)


def _of_metric(metric: Metric) -> list[BoardColumn]:
    name = metric.name
    scale = f"{name} on a scale where 0 is the {metric.prior.replace('-', ' ')} and 1 the human reference."
    kinds = [
        ("", metric.arrow, "metrics", metric.definition, mean_cell, metric.higher_is_better),
        (":norm", " norm↑", "normalised", scale, normalised_cell, True),
    ]
    if name in HEADLINE:
        gain = f"{name} under the user's own prompt against one prompt for all; positive is better."
        swap = f"Control: {name} under another user's prompt against one for all. A personal gain vanishes here."
        kinds += [
            (":gain", " gain↑", "gain", gain, partial(_gain, swapped=False), True),
            (":swap", " swap", "gain", swap, partial(_gain, swapped=True), True),
        ]
    return [
        BoardColumn(name + key, name + title, group, help, partial(cell, metric=name), up, name)
        for key, title, group, help, cell, up in kinds
    ]


FAILED = "Sessions, over seeds, without a part it claims; they count with the worst value."

KNOWS = "How clearly it knows the recordings that it is scored on, where that is much: 1 is suspicious, 2 is proof."
NEARLY = 0.65

COLUMNS: tuple[BoardColumn, ...] = (
    *(column for metric in all_metrics() for column in _of_metric(metric)),
    _about("kind", "kind", "What it is.", lambda r: r.record.metadata.kind),
    _about("inputs", "sees", "Inputs it uses.", lambda r: ", ".join(r.record.metadata.inputs) or "nothing"),
    _about("backbone", "backbone", "Model that it uses.", lambda r: r.record.metadata.backbone),
    _about("seeds", "seeds", "Number of seeds.", lambda r: len(r.seeds)),
    _about("failed", "failed", FAILED, lambda r: r.failed),
    _about("foresight", "knows", KNOWS, lambda r: f"{r.foresight:.2f}" if r.foresight >= NEARLY else ""),
    _about("date", "submitted", "When it was submitted, UTC.", lambda r: r.at[:10]),
)
"""Every column, in the order of the table."""

GROUPS = ("metrics", "normalised", "gain", "about")


def claimed(view: RankedTable, groups: Sequence[str] = GROUPS) -> list[BoardColumn]:
    """Return the columns of some groups that have something to show for this table."""
    return [
        c for c in COLUMNS if c.group in groups and any(c.cell(view, row).text for row in range(len(view.table.rows)))
    ]
