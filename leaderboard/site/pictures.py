"""The pictures of single sessions: they need the task's data, which a board does not hold."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.naming import OWN
from benchmark.output.text import plain
from benchmark.report.order import Order, section
from benchmark.reproduction.figures.paths import PEOPLE, moves
from benchmark.scores import paths, predictions
from benchmark.scores.tested import of_task
from leaderboard import board_predictions
from leaderboard.board_files import Board
from leaderboard.board_table import BoardRow
from leaderboard.columns import RankedTable
from leaderboard.site.figures import session_figure
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
"""Whose paths a page shows; a submission's own name may hold anything."""


class Pictures:
    """Draws sessions, given the loaded task of each digest, and keeps each screen once in the site's folder."""

    def __init__(self, board: Board, tasks: Mapping[str, Task], folder: Path) -> None:
        self._board = board
        self._tasks = tasks
        self._folder = folder
        self._screens: dict[tuple[str, str], tuple[str | None, tuple[int, int]]] = {}
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
            session = self._session(t.context.digest, session_id)
            shares = attention.get(session_id)
            if shares is None or len(shares) != len(session.slots):
                continue
            image, size = self._screen(t.context.digest, session)
            boxes = [slot.box for slot in session.slots]
            title = f"{word}: {metric} {value:.3f}, session {plain(session_id, 60)}, user {plain(session.user, 40)}"
            drawn = session_figure(boxes, session.gaze, shares, session.click, size, image)
            figures.append(SessionFigure(title, drawn))
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

    def _screen(self, digest: str, session: Session) -> tuple[str | None, tuple[int, int]]:
        """Write a session's screen unless that was done; return its address from a submission's page, and its size."""
        if session.image is None:
            right, below = (max(slot.box[i] for slot in session.slots) for i in (2, 3))
            return None, (int(right) + 8, int(below) + 8)
        key = digest, session.session_id
        if key not in self._screens:
            data = session.image.encoded()
            size, kind = session.image.measure()
            name = f"{session.image.digest()[:24]}.{'jpg' if kind == 'JPEG' else 'png'}"
            if kind not in ("JPEG", "PNG"):
                encoded = io.BytesIO()
                session.image.open().save(encoded, format="PNG")
                data = encoded.getvalue()
            path = self._folder / "screens" / name
            if not path.exists():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)
            self._screens[key] = f"../screens/{name}", size
        return self._screens[key]
