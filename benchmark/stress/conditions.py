"""The conditions of the stress tests: what is altered, as a function of the data, the session and a seed.

A ``digest`` is that of the task's sessions and the split.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmark.naming import LAYOUT, RELABEL, STEER, STEER_RANDOM, SWAP_USERS, TRUE_LABEL, WRONG_LABEL
from tasks.altered import SEED, Altered, derangement, generator, mirrored, relabelled
from tasks.definition import LabelDrawing
from tasks.errors import InputError
from tasks.types import Session, Stimulus

LABEL_LEAK = "label-leak"
TESTS = (RELABEL, SWAP_USERS, LABEL_LEAK, LAYOUT)
"""The tests that need nothing but the run, made where none is named."""
ALL = (*TESTS, STEER)

CONDITIONS = {
    RELABEL: (RELABEL,),
    SWAP_USERS: (SWAP_USERS,),
    LABEL_LEAK: (TRUE_LABEL, WRONG_LABEL),
    LAYOUT: (LAYOUT,),
    STEER: (STEER, STEER_RANDOM),
}
"""Test -> the conditions that it predicts under; each has a predictions file of its own."""

VERSION = 1
"""Changes whenever a condition shows simulators something else than before; earlier predictions are then void."""


def alter(
    condition: str, stimulus: Stimulus, digest: str, labels: LabelDrawing | None, seed: int = SEED, *, draw: bool = True
) -> Altered:
    """Return a stimulus under ``relabel`` or ``layout``; without ``draw`` the altered stimulus has no screen.

    InputError if ``labels`` is None: the task does not say how it draws labels.
    """
    if condition == RELABEL:
        return relabelled(stimulus, digest, labels, seed, draw=draw)
    assert condition == LAYOUT
    return mirrored(stimulus, labels, draw=draw)


def swapped_users(users: Iterable[str], digest: str, seed: int = SEED) -> dict[str, str]:
    """Return whose prompt or habits each test user is given: another's, each one's once; InputError for one user."""
    known = sorted(set(users))
    if len(known) < 2:
        raise InputError("the split has fewer than two test users; there is nobody to swap with.")
    order = derangement(len(known), generator(SWAP_USERS, digest, "", seed))
    return {user: known[other] for user, other in zip(known, order, strict=True)}


def wrong_label(session: Session, digest: str, seed: int = SEED) -> int:
    """Return a slot of a session that was not clicked, to be offered as if it were."""
    draw = int(generator(LABEL_LEAK, digest, session.session_id, seed).integers(len(session.slots) - 1))
    return draw + (draw >= session.click)


def steered_to(session: Session, digest: str, seed: int = SEED) -> int:
    """Return the slot of a session that attention is pushed to; it may be the one that was clicked."""
    return int(generator(STEER, digest, session.session_id, seed).integers(len(session.slots)))


def moved_to(condition: str, session: Session) -> list[int]:
    """Return the slot that each slot's item is moved to under a condition, shape (K,)."""
    if condition != LAYOUT:
        return list(range(len(session.slots)))
    item = mirrored(session.stimulus(), None, draw=False).item
    return sorted(range(len(item)), key=item.__getitem__)


def stimuli(
    condition: str,
    sessions: Sequence[Session],
    users: Iterable[str],
    digest: str,
    labels: LabelDrawing | None,
    seed: int = SEED,
) -> list[Stimulus]:
    """Return stimuli under ``relabel``, ``layout`` or ``swap-users``; ``users`` are all test users of the split."""
    seen = [session.stimulus() for session in sessions]
    if condition == SWAP_USERS:
        other = swapped_users(users, digest, seed)
        return [replace(s, user=other[s.user]) for s in seen]
    return [alter(condition, s, digest, labels, seed).stimulus for s in seen]
