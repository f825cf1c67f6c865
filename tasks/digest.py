"""The digest that identifies a split: a hash of what is scored, not of how it is stored (PROTOCOL section 4)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence


def canonical_row(
    session_id: str, user: str, screen: str, click: int, gaze_ms: Iterable[float], value: str | int
) -> bytes:
    r"""Return the canonical bytes of one session in one split.

    The row is a JSON array ``[session_id, user, screen, click, gaze, value]`` in ASCII (other characters escaped as
    ``\uXXXX``), without spaces, ended by one line feed. ``gaze`` is an array of strings, each dwell time in ms
    written with ``%.1f``; a negative zero counts as zero. ``value`` is ``train``, ``test`` or the number of the fold.
    """
    gaze = [f"{float(ms) + 0.0:.1f}" for ms in gaze_ms]
    row = [session_id, user, screen, int(click), gaze, value if isinstance(value, str) else int(value)]
    return (json.dumps(row, ensure_ascii=True, separators=(",", ":")) + "\n").encode("ascii")


def split_digest(
    session_ids: Sequence[str],
    users: Sequence[str],
    screens: Sequence[str],
    clicks: Sequence[int],
    gaze_ms: Sequence[Iterable[float]],
    values: Sequence[str] | Sequence[int],
) -> str:
    """Return the SHA-256 (hexadecimal) over the canonical rows, in dataset order.

    Images, slot texts, profiles and file formats do not enter: the same sessions drawn at another size or stored in
    other shards are the same split. ``gaze_ms`` holds dwell times per session, each of shape (K,), ms.
    """
    digest = hashlib.sha256()
    for row in zip(session_ids, users, screens, clicks, gaze_ms, values, strict=True):
        digest.update(canonical_row(*row))
    return digest.hexdigest()
