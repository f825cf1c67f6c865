"""Writes the site: an overview, a page per table, task and submission, and the comparison of two."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.metrics import Metric
from benchmark.output import pages
from benchmark.output.figure_style import encode
from benchmark.output.rendering import render
from benchmark.output.text import plain
from benchmark.report.figures import Plot
from benchmark.statistics.design import Design
from benchmark.statistics.t_interval import t_quantile
from leaderboard import board_table
from leaderboard.board_documents import documents, order
from leaderboard.board_files import Board
from leaderboard.board_table import BoardRow
from leaderboard.columns import HEADLINE, BoardCell, RankedTable, mean_cell
from leaderboard.entries import values_of
from leaderboard.ranking import pairwise_errors
from leaderboard.site.figures import ASSETS, embedded, environment, slot_plot
from leaderboard.site.pictures import Pictures
from leaderboard.site.submissions import SitePage, attention_words, cost_words, kind_words, part_of, size_words
from leaderboard.site.tables import SiteTable, families_of, slug
from tasks.errors import InputError
from tasks.storage import absolute, staged
from tasks.task import Task
from tasks.types import Floats

MARKER = ".gazebench-site"
"""In every site this module wrote: only such a folder is replaced."""

_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
"""Characters that control, turn or hide the text around them."""


@dataclass(frozen=True, slots=True)
class SiteContents:
    """What every page knows; the history holds the results that are no longer ranked."""

    tables: tuple[SiteTable, ...]
    history: tuple[dict[str, str], ...]
    version: str


def build(
    out: Path,
    board: Board,
    views: Sequence[RankedTable],
    tasks: Mapping[str, Task] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write the site of a board and return the address of its overview; it appears whole and replaces an older site.

    ``tasks`` (digest -> loaded task) give the pictures of single sessions. They show recorded gaze and screens: leave a
    task out whose licence does not let you publish these. Each line about what is missing is reported.

    InputError: the folder cannot be used or holds something else, or the board holds nothing.
    """
    from benchmark import __version__

    if not views:
        raise InputError("the board holds no active result; 'submit DIR' adds one.")
    out = absolute(out)
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / MARKER).is_file())):
        raise InputError(f"{out} exists and is not a leaderboard site; choose another folder for --html.")
    addresses = _addresses(views)
    tables = tuple(SiteTable(view, addresses) for view in views)
    site = SiteContents(tables, tuple(_history(board)), __version__)
    with staged(out, replace=True) as folder:
        (folder / MARKER).write_text("written by gazebench leaderboard\n", encoding="utf-8")
        for name in ("assets", "tables", "tasks", "submissions", "data"):
            (folder / name).mkdir()
        (folder / "assets" / "page.css").write_text(pages.style(), encoding="utf-8")
        for asset in sorted(ASSETS.iterdir()):
            (folder / "assets" / asset.name).write_bytes(asset.read_bytes())
        _Writer(folder, site, Pictures(board, tasks or {})).write()
    return out / "index.html"


class _Writer:
    def __init__(self, folder: Path, site: SiteContents, pictures: Pictures) -> None:
        self._folder = folder
        self._site = site
        self._pictures = pictures
        self._templates = environment()

    def write(self) -> None:
        self._page("index.html", "index.html", "", (), families=())
        self._page("compare.html", "compare.html", "", (), families=(), index=embedded(_index(self._site)))
        for t in self._site.tables:
            self._page("table.html", t.table_page, "../", t.notices, t=t, families=t.families)
            slots = slot_plot(t.context.slots, t.key)
            about = [t.context.notice] if t.context.notice else []
            told = families_of(t.view.table.told)
            self._page("task.html", t.task_page, "../", about, t=t, bounds=_bounds(t), slots=slots, families=told)
            self._data(t, {"slots": slots, **({"front": t.front[0]} if t.front else {})})
        for page in self._submissions():
            self._page("submission.html", page.page, "../", page.notices, s=page, families=page.families)

    def _page(self, template: str, path: str, root: str, said: Sequence[str], **values: Any) -> None:
        made = self._templates.get_template(template).render(
            site=self._site, root=root, here=path, notices=said, **values
        )
        # Half of a surrogate pair, which JSON may carry, has no UTF-8.
        (self._folder / path).write_bytes(_UNSEEN.sub("", made).encode("utf-8", "replace"))

    def _data(self, t: SiteTable, plots: Mapping[str, Plot]) -> None:
        """Write the table, its figures, and a script of every line.

        That holds per metric its user means and the errors of its differences to the lines.

        A page opened from a disk may not fetch anything but scripts. Lines are in the order of :func:`_index`.
        """
        folder = self._folder / "data" / t.key
        folder.mkdir()
        document = documents([t.view])[0]
        for form in ("csv", "json"):
            (folder / f"table.{form}").write_text(render(document, form) + "\n", encoding="utf-8")
        for name, figure in plots.items():
            notes = (t.context.notice,) if t.context.notice else ()
            for form, written in encode(dataclasses.replace(figure.drawing, notes=notes)).items():
                (folder / f"{name}.{form}").write_bytes(written)
        table, shown = t.view.table, order(t.view, t.default)
        by_user, columns = table.by_user, [table.metric_index(metric.name) for metric in table.told]
        errors = [_errors(table.by_session[shown, :, j].T, table.design) for j in columns]
        for place, i in enumerate(shown):
            means = [None if np.isnan(v).any() else _digits(v) for v in by_user[i].T[columns]]
            apart = [_digits(one[place]) for one in errors]
            key = f"{t.key}/{data_name(t.rows[i].key)}"
            text = f"gazebench({json.dumps(key)},{embedded({'means': means, 'errors': apart})});\n"
            (folder / f"{data_name(t.rows[i].key)}.js").write_text(text, encoding="ascii")

    def _submissions(self) -> list[SitePage]:
        """Return the pages of submissions, in the order of the tables."""
        found: dict[str, SitePage] = {}
        for t in self._site.tables:
            for i, row in enumerate(t.rows):
                page = t.pages[row.id]
                said = row.record.metadata
                words = kind_words(row), attention_words(said), size_words(said), cost_words(said)
                made = found.setdefault(page, SitePage(said, page, *words, []))
                part = part_of(t, i, data_name(row.key))
                if not self._pictures.available(t.context.digest):
                    part.no_pictures = "Pictures of single sessions need the task's data, which was not available."
                else:
                    part.sessions_by, part.sessions = self._pictures.of(t, row)
                part.order = self._pictures.order(t, row)
                made.parts.append(part)
        return list(found.values())


def _digits(values: Iterable[float]) -> list[float | None]:
    """Return numbers with 7 digits, None for NaN."""
    return [None if np.isnan(value) else float(f"{value:.7g}") for value in values]


def _errors(values: Floats, design: Design) -> Floats:
    """Return the standard errors of the differences of lines; NaN where one of the two does not claim the metric."""
    claim = np.flatnonzero(~np.isnan(values).any(axis=0))
    found = np.full((values.shape[1], values.shape[1]), np.nan)
    if len(claim) > 1:
        found[np.ix_(claim, claim)] = pairwise_errors(values[:, claim], design)
    return found


def data_name(key: str) -> str:
    """Return what the data file of a line is called."""
    return key[:16] + ("-label" if key.endswith("-label") else "")


def _addresses(views: Sequence[RankedTable]) -> dict[str, str]:
    """Return result -> address of its submission's page; results with one description share a page."""
    found = {}
    for view in views:
        for row in view.table.rows:
            said = json.dumps([row.record.kind, values_of(row.record.metadata)], sort_keys=True)
            short = hashlib.sha256(said.encode()).hexdigest()[:12]
            found[row.id] = f"submissions/{slug(row.record.metadata.name)}-{short}.html"
    return found


def _history(board: Board) -> list[dict[str, str]]:
    standing = board.standing()
    records = board_table.records(board, standing)
    found = []
    for name, record in records.items():
        event = standing.withdrawn.get(name) or standing.superseded.get(name)
        if event is not None:
            by = records[event.by].metadata.label if event.by in records else ""
            what = {"status": standing.status(name), "by": by, "reason": event.reason}
            named = {"at": event.at, "label": record.metadata.label, "task": record.task, "split": record.split}
            found.append(named | what)
    return sorted(found, key=lambda one: list(one.values())[:4])


def _bounds(t: SiteTable) -> list[tuple[Metric, list[BoardCell], BoardRow | None]]:
    """Return of every metric the means of uniform, prior, best ranked line and human reference, and the best line."""
    table, ranking = t.view.table, t.view.ranking

    def cell(index: int | None, metric: Metric) -> BoardCell:
        return BoardCell("", why="not on the board") if index is None else mean_cell(t.view, index, metric.name)

    found = []
    for metric in table.told:
        j = table.metric_index(metric.name)
        first = [int(i) for i in np.flatnonzero(ranking.place[:, j] == 1)]
        best = min(first, key=lambda i: t.rows[i].name) if first else None
        shown = (*map(table.find, ("uniform", metric.prior)), best, table.find(metric.human_reference))
        found.append((metric, [cell(i, metric) for i in shown], None if best is None else t.rows[best]))
    return found


def _index(site: SiteContents) -> dict[str, Any]:
    """Return what the page of comparisons contains before it loads two lines."""
    return {
        "tables": [
            {
                "key": t.key,
                "title": plain(f"{t.context.task}, {t.context.split}"),
                "users": [plain(user) for user in t.view.table.users],
                "over": t.view.table.over,
                "t": _digits([t_quantile(t.view.table.design.degrees)])[0],
                "metrics": [
                    {"name": m.name, "arrow": m.arrow, "up": m.higher_is_better, "main": m.name in HEADLINE}
                    for m in t.view.table.told
                ],
                "rows": [
                    {
                        "data": data_name(t.rows[i].key),
                        "name": plain(t.rows[i].name) + t.rows[i].mark,
                        "version": t.rows[i].record.metadata.version if t.rows[i].record.kind == "submission" else "",
                        "page": t.pages[t.rows[i].id],
                        "ranked": t.rows[i].ranked,
                    }
                    for i in order(t.view, t.default)
                ],
            }
            for t in site.tables
        ]
    }
