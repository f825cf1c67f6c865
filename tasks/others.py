"""Where other people looked on the same screen: how far gaze on a screen is shared at all."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from tasks.types import Floats, Session

MIN_OTHERS = 3
"""Fewer other users on a screen are too few to represent people."""

MIN_OVERLAP = 0.5
"""Share of sessions with that many others from which on there is a reference for gaze metrics."""

SMOOTHING = 1.0
"""The mean gaze of the others is drawn toward uniform with the weight of this many sessions, as the position prior."""


def others_gaze(known: Sequence[Session], asked: Sequence[Session]) -> dict[str, Floats | None]:
    """Return per asked session where other users looked on the same screen: K shares of sum 1.

    The same screen is one of the same name that shows the same items in the same slots; on ``recgaze-visible`` two
    users who swiped differently did not see the same. Every other user of ``known`` has the same weight; the mean is
    drawn toward uniform with the weight of ``SMOOTHING`` users. It is None where fewer than ``MIN_OTHERS`` others saw
    the screen.
    """
    shares: dict[Hashable, dict[str, list[Floats]]] = defaultdict(lambda: defaultdict(list))
    for session in known:
        shares[_screen(session)][session.user].append(session.gaze)
    found: dict[str, Floats | None] = {}
    for session in asked:
        others = [np.mean(gaze, axis=0) for user, gaze in shares[_screen(session)].items() if user != session.user]
        k = len(session.slots)
        enough = len(others) >= MIN_OTHERS
        pooled = (np.sum(others, axis=0) + SMOOTHING / k) / (len(others) + SMOOTHING) if enough else None
        found[session.session_id] = pooled
    return found


def usable(found: Mapping[str, Floats | None]) -> bool:
    """Return whether enough sessions have other users on the same screen for a reference."""
    return bool(found) and sum(gaze is not None for gaze in found.values()) >= MIN_OVERLAP * len(found)


def _screen(session: Session) -> Hashable:
    return session.screen, tuple((slot.kind, slot.text) for slot in session.slots)
