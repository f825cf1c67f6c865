"""What a board keeps of one split of one task, so that ranking and pages need nothing else.

Users and sessions of the test set, the card, and where people looked and clicked per slot. Gaze and clicks of single
sessions are not kept: restricted data stay where they are.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.errors import InputError
from tasks.types import Box, Session

if TYPE_CHECKING:
    from tasks.task import Task

FORMAT = 1
VERSION = ("format", FORMAT)
_DECIMALS = 6
_NEAR = 2.0
"""Boxes whose edges differ by at most this many pixels between sessions are the same place."""


@dataclass(frozen=True, slots=True)
class SlotShares:
    """Mean share of gaze and clicks per slot over the test sessions.

    Attributes:
        labels: What the first session with this slot calls it.
        gaze: Mean share of dwell time, over the sessions that have the slot.
        clicks: Share of these sessions whose click it got.
        sessions: How many have it.
        boxes: Per slot where all sessions agree, else empty.
        size: Width and height of the screen in pixels where there are boxes, else (0, 0).
    """

    labels: tuple[str, ...]
    gaze: tuple[float, ...]
    clicks: tuple[float, ...]
    sessions: tuple[int, ...]
    boxes: tuple[Box, ...]
    size: tuple[int, int]

    def __post_init__(self) -> None:
        k = len(self.labels)
        if not k == len(self.gaze) == len(self.clicks) == len(self.sessions) or len(self.boxes) not in (0, k):
            raise InputError("the lists of 'slots' must be of one length; 'boxes' may be empty.")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Facts about one split of one task.

    Attributes:
        digest: Of sessions and split.
        notice: What every output must say of the data; empty for recorded data.
        card: The data set's card, Markdown.
        statistics: Pairs of a name and what it is, for people.
        n_train: Training sessions, fold by fold.
        sessions: Ids of the test sessions, in dataset order within each fold.
        overlap: Test sessions whose screen enough other users saw for the human reference to speak about it.
    """

    task: str
    version: str
    split: str
    digest: str
    title: str
    description: str
    citation: str
    licence: str
    source: str
    notice: str
    card: str
    statistics: tuple[tuple[str, str], ...]
    n_train: tuple[int, ...]
    sessions: tuple[str, ...]
    users: tuple[str, ...]
    slots: SlotShares
    overlap: int

    def __post_init__(self) -> None:
        if len(self.users) != len(self.sessions):
            raise InputError("'users' must name one user for each of 'sessions'.")

    @property
    def n_users(self) -> int:
        """Number of test users."""
        return len(set(self.users))

    @property
    def key(self) -> str:
        """``<task>-<split>``, as files of a site are called."""
        return f"{self.task}-{self.split}"

    def to_json(self) -> str:
        """Return the text of the context's file."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, sort_keys=True, indent=1) + "\n"


def of_task(task: Task, split: str, overlap: int = 0) -> TaskContext:
    """Return the facts about a split of a loaded task."""
    folds = task.split(split).folds
    tested = [session for _, test in folds for session in task.sessions_at(test)]
    readme = task.folder / "README.md"
    same = ("version", "title", "description", "citation", "licence", "source", "notice")
    return TaskContext(
        **{name: getattr(task, name) for name in same},
        task=task.name,
        split=split,
        digest=task.digests[split],
        card=readme.read_text(encoding="utf-8") if readme.is_file() else "",
        statistics=_statistics(task),
        n_train=tuple(len(train) for train, _ in folds),
        sessions=tuple(s.session_id for s in tested),
        users=tuple(s.user for s in tested),
        slots=slot_shares(tested),
        overlap=overlap,
    )


def slot_shares(sessions: list[Session]) -> SlotShares:
    """Return where people looked and clicked, per slot; slots are matched by their number."""
    width = max(len(s.slots) for s in sessions)
    gaze, clicks, count = np.zeros(width), np.zeros(width), np.zeros(width)
    labels = [""] * width
    for session in sessions:
        k = len(session.slots)
        gaze[:k] += session.gaze
        clicks[session.click] += 1
        count[:k] += 1
        for i, slot in enumerate(session.slots):
            labels[i] = labels[i] or slot.label
    boxes, size = _common_boxes(sessions)
    return SlotShares(
        labels=tuple(labels),
        gaze=tuple(round(float(v), _DECIMALS) for v in gaze / count),
        clicks=tuple(round(float(v), _DECIMALS) for v in clicks / count),
        sessions=tuple(int(n) for n in count),
        boxes=boxes,
        size=size,
    )


def _common_boxes(sessions: list[Session]) -> tuple[tuple[Box, ...], tuple[int, int]]:
    """Return the boxes that all sessions share, and the size of their screen; nothing where they differ."""
    if len({len(s.slots) for s in sessions}) != 1:
        return (), (0, 0)
    stacked = np.array([[slot.box for slot in s.slots] for s in sessions], dtype=np.float64)
    if np.ptp(stacked, axis=0).max() > _NEAR:
        return (), (0, 0)
    mean = stacked.mean(axis=0).round(1)
    first = next((s.image for s in sessions if s.image is not None), None)
    size = first.open().size if first is not None else (int(mean[:, 2].max()) + 8, int(mean[:, 3].max()) + 8)
    return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in mean), size


def _statistics(task: Task) -> tuple[tuple[str, str], ...]:
    s = task.statistics
    return (
        ("sessions", str(s.sessions)),
        ("users", str(s.users)),
        ("distinct screens", str(s.screens)),
        ("sessions per user", str(s.sessions_per_user)),
        ("slots per session", str(s.slots_per_session)),
        ("gaze per session, s", str(s.gaze_s)),
        ("entropy of gaze over slots, bits", str(s.gaze_entropy_bits)),
        ("clicks on the slot looked at longest", f"{s.click_is_longest_looked_at:.1%}"),
    )
