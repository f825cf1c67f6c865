"""The conditions of the stress tests: what is altered, as a function of the data, the session and a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from benchmark.naming import LAYOUT, RELABEL, SWAP_USERS, TRUE_LABEL, WRONG_LABEL
from tasks.altered import SEED, Altered, derangement, generator, mirrored, relabelled
from tasks.definition import LabelDrawing
from tasks.errors import InputError
from tasks.types import Session, Stimulus

LABEL_LEAK = "label-leak"
TESTS = (RELABEL, SWAP_USERS, LABEL_LEAK, LAYOUT)
"""The tests that need nothing but the run."""

CONDITIONS = {
    RELABEL: (RELABEL,),
    SWAP_USERS: (SWAP_USERS,),
    LABEL_LEAK: (TRUE_LABEL, WRONG_LABEL),
    LAYOUT: (LAYOUT,),
}
"""Test -> the conditions that it predicts under; each has a predictions file of its own."""

VERSION = 1
"""Changes whenever a condition shows simulators something else than before; earlier predictions are then void."""

__all__ = [
    "CONDITIONS",
    "LAYOUT",
    "RELABEL",
    "SEED",
    "SWAP_USERS",
    "TESTS",
    "TRUE_LABEL",
    "WRONG_LABEL",
    "alter",
    "swapped_users",
    "wrong_label",
]


def alter(
    condition: str,
    stimulus: Stimulus,
    digest: str,
    labels: LabelDrawing | None,
    seed: int = SEED,
    *,
    draw: bool = True,
) -> Altered:
    """Return a stimulus under a condition that alters the screen.

    Args:
        condition: ``relabel`` or ``layout``.
        stimulus: What is altered.
        digest: Of the task's sessions and split.
        labels: How the task draws labels.
        seed: See ``SEED``.
        draw: Draw the screen; without it the altered stimulus has none.

    Raises:
        InputError: The task does not say how it draws labels.
    """
    makers: dict[str, Callable[[], Altered]] = {
        RELABEL: lambda: relabelled(stimulus, digest, labels, seed, draw=draw),
        LAYOUT: lambda: mirrored(stimulus, labels, draw=draw),
    }
    return makers[condition]()


def swapped_users(users: Iterable[str], digest: str, seed: int = SEED) -> dict[str, str]:
    """Return whose prompt or habits each test user is given: another's, each one's once.

    Args:
        users: The test users of a split.
        digest: Of the task's sessions and split.
        seed: See ``SEED``.

    Raises:
        InputError: There is one user only.
    """
    known = sorted(set(users))
    if len(known) < 2:
        raise InputError("the split has fewer than two test users; there is nobody to swap with.")
    order = derangement(len(known), generator(SWAP_USERS, digest, "", seed))
    return {user: known[other] for user, other in zip(known, order, strict=True)}


def wrong_label(session: Session, digest: str, seed: int = SEED) -> int:
    """Return a slot of a session that was not clicked, to be offered as if it were.

    Args:
        session: A test session.
        digest: Of the task's sessions and split.
        seed: See ``SEED``.
    """
    draw = int(generator(LABEL_LEAK, digest, session.session_id, seed).integers(len(session.slots) - 1))
    return draw + (draw >= session.click)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a simulator is shown under a condition.

    Attributes:
        stimuli: One per session, in order.
        altered: Likewise, where the screen was altered, else empty.
    """

    stimuli: tuple[Stimulus, ...]
    altered: tuple[Altered, ...] = ()


def shown(
    condition: str,
    sessions: Sequence[Session],
    users: Iterable[str],
    digest: str,
    labels: LabelDrawing | None,
    seed: int = SEED,
) -> Shown:
    """Return the stimuli of some test sessions under a condition.

    Args:
        condition: ``relabel``, ``layout`` or ``swap-users``.
        sessions: Test sessions of a fold.
        users: All test users of the split.
        digest: Of the task's sessions and split.
        labels: How the task draws labels.
        seed: See ``SEED``.
    """
    stimuli = [session.stimulus() for session in sessions]
    if condition == SWAP_USERS:
        other = swapped_users(users, digest, seed)
        return Shown(tuple(replace(s, user=other[s.user]) for s in stimuli))
    altered = tuple(alter(condition, s, digest, labels, seed) for s in stimuli)
    return Shown(tuple(a.stimulus for a in altered), altered)
