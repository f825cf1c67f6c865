"""The pictures of single sessions: they need the task's data, which a board does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from benchmark.naming import OWN
from benchmark.output import drawing
from benchmark.output.text import plain
from benchmark.report.gallery import encode
from benchmark.report.order import Order, section
from benchmark.reproduction.figures.paths import PEOPLE, moves
from benchmark.scores import paths, predictions
from benchmark.scores.tested import of_task
from leaderboard import board_predictions
from leaderboard.board_files import Board
from leaderboard.board_table import BoardRow
from leaderboard.columns import RankedTable
from leaderboard.site.submissions import SessionFigure, extreme_sessions
from leaderboard.site.tables import SiteTable
from tasks.errors import InputError
from tasks.types import Floats, visits

if TYPE_CHECKING:
    from leaderboard.recomputing import LoadTask
    from tasks.task import Task
    from tasks.types import Session


def data_of(
    views: Sequence[RankedTable], load_task: LoadTask, report: Callable[[str], None] = lambda line: None
) -> dict[str, Task]:
    """Return digest -> task of the tables whose data can be loaded, for the pictures of a site.

    Reported is each line about what is missing, and about what may only be published under a licence.
    """
    found: dict[str, Task] = {}
    for context in (view.table.context for view in views):
        try:
            task = load_task(context.task, {context.split: context.digest})
            if task.digests.get(context.split) != context.digest:
                raise InputError("the data given is not what it was made from.")
        except InputError as error:
            report(f"no pictures for {context.task}, {context.split}: {error}")
            continue
        found[context.digest] = task
    for task in {task.name: task for task in found.values() if not task.simulated}.values():
        report(
            f"note: the site shows recorded gaze and screens of {task.name} (licence: {task.licence}); "
            "publish it only if you may, or add --no-pictures."
        )
    return found


DRAWN = "this simulator"
"""Whose attention and paths a page shows; a submission's own name may hold anything."""

_DPI, _BUDGET = 130, 150_000
"""Of a picture of a session; at most so many bytes."""


class Pictures:
    """Draws sessions, given the loaded task of each digest."""

    def __init__(self, board: Board, tasks: Mapping[str, Task]) -> None:
        self._board = board
        self._tasks = tasks
        self._sessions: dict[tuple[str, str], Session] = {}

    def available(self, digest: str) -> bool:
        """Return whether the data of a split is available."""
        return digest in self._tasks

    def of(self, t: SiteTable, row: BoardRow) -> tuple[str, list[SessionFigure]]:
        """Return by which metric, and the best and worst sessions of a line that has attention."""
        found = extreme_sessions(t, row)
        if found is None or t.context.digest not in self._tasks or row.record.kind == "reference":
            return "", []
        metric, chosen = found
        ids = [t.context.sessions[i] for _, i, _ in chosen]
        attention = self._attention(row, ids)
        figures = []
        for (word, _, value), session_id in zip(chosen, ids, strict=True):
            session, shares = self._session(t.context.digest, session_id), attention.get(session_id)
            if shares is None or session.image is None or len(shares) != len(session.slots):
                continue
            title = f"{word}: {metric} {value:.3f}, session {plain(session_id, 60)}, user {plain(session.user, 40)}"
            views = drawing.views_of(session, [(DRAWN, shares)])
            sheet = drawing.draw_session(session, views, t.context.notice).image(_DPI)
            looked, seen = int(session.gaze.argmax()) + 1, int(shares.argmax()) + 1
            alt = f"Screen, human gaze, most on slot {looked}, attention, most on slot {seen}; slot {session.click + 1}"
            figures.append(SessionFigure(title, *encode(sheet, _BUDGET), f"{alt} was clicked"))
        return metric, figures

    def order(self, t: SiteTable, row: BoardRow) -> Order:
        """Return how a line moves, next to people where the data is available; empty without paths."""
        if not row.record.paths:
            return Order()
        drawn = self._board.paths(row.record.paths)
        sessions: list[Session] = []
        if self.available(t.context.digest):
            tested = of_task(self._tasks[t.context.digest], t.context.split)
            for wrong in paths.faults(drawn, dict(zip(tested.ids, tested.slots.tolist(), strict=True))):
                raise InputError(f"paths of result {row.id[:12]}: {wrong}; run 'leaderboard verify'.")
            sessions = [one for one in tested.sessions if one.session_id in drawn and visits(one)]
        recorded = {one.session_id: [visit.slot for visit in visits(one)] for one in sessions}
        lines = [moves(PEOPLE, recorded, {of: [path] for of, path in recorded.items()})] if recorded else []
        lines.append(moves(DRAWN, recorded or dict.fromkeys(drawn, ()), drawn))
        return section(lines, sessions, t.context.notice, lambda shown: [(DRAWN, drawn[shown][0])], f"steps-{t.key}")

    def _session(self, digest: str, session_id: str) -> Session:
        key = digest, session_id
        if key not in self._sessions:
            self._sessions[key] = self._tasks[digest].find(session_id)
        return self._sessions[key]

    def _attention(self, row: BoardRow, ids: list[str]) -> dict[str, Floats]:
        """Return what is drawn per session, the mean over seeds."""
        import pyarrow as pa
        import pyarrow.compute as pc

        said = board_predictions.stored_predictions(self._board.table("predictions", row.record.predictions))
        said = predictions.chosen(said.filter(pc.is_in(said["session_id"], pa.array(ids, pa.string()))), simulator=OWN)
        try:
            return {
                session_id: shares for session_id, each in predictions.drawn(said).items() for shares in each.values()
            }
        except InputError as error:
            raise InputError(f"predictions of result {row.id[:12]}: {error}") from error
