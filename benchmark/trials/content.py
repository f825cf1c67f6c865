"""The digest of everything that a simulator can read of a task.

The digest of a split (PROTOCOL section 4) covers what is scored: sessions, clicks, gaze. A simulator also reads the
screen, the items' words and boxes, the profile and, as an oracle, the cursor. The same sessions drawn at another size
are the same split and may still give other predictions, so a trial's identity needs both digests.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.task import Task
    from tasks.types import ScreenImage, Session


@functools.lru_cache(maxsize=8)
def content_digest(task: Task) -> str:
    """Return the SHA-256 (hexadecimal) over all sessions of a task in dataset order, screens included.

    Args:
        task: A loaded task; the digest of one object is computed once.
    """
    digest = hashlib.sha256()
    screens: dict[int, tuple[ScreenImage, str]] = {}
    for index in range(len(task)):
        session = task.session(index)
        row = json.dumps([*_row(session), _screen(session.image, screens)], separators=(",", ":"))
        digest.update(row.encode("ascii") + b"\n")
    return digest.hexdigest()


def _row(session: Session) -> list[object]:
    """Return a session without its screen as JSON values; floats are written in full."""
    return [
        session.session_id,
        session.user,
        session.screen,
        session.profile,
        [[slot.label, slot.kind, slot.text, list(slot.box)] for slot in session.slots],
        session.gaze_ms.tolist(),
        session.cursor_ms.tolist(),
        int(session.click),
        list(session.flags),
    ]


def _screen(image: ScreenImage | None, known: dict[int, tuple[ScreenImage, str]]) -> str | None:
    """Return the digest of a screen; sessions that share an image object have it computed once."""
    if image is None:
        return None
    # The image is kept beside its digest: while it lives, no other object can have its id.
    if id(image) not in known:
        known[id(image)] = (image, image.digest())
    return known[id(image)][1]
