"""Which training sessions choose the epoch, and published code's scores of it.

Holding out whole users would cost them their prompt, so sessions are held out per user: users
give up one random session each, in random order and round after round, until the share is reached; everybody keeps at
least one. Only where nobody has two sessions, users are held out whole: their coefficients stay at their start, alike
for all bases, and what the other users learn together is validated.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from tasks.errors import InputError
from tasks.types import Floats, Session

COMPOSITE = {"Cosine": 0.10, "CSH@1": 0.20, "CSH@3": 0.25, "TGO@3": 0.20}
"""Weights in the score ``composite``; less 0.10 times the JS over the slots looked at most."""
_TOP, _TOP_WEIGHT = 5, 0.10
FEWEST = 2
"""A user with fewer training sessions gives up none."""
_NAMED = 3


def published_score(name: str, session: Session, attention: Floats) -> float:
    """Return the score of one session by which published code chooses the epoch; lower is better.

    ``js`` (AdSERP): JS of gaze and attention. ``composite`` (RecGaze): metrics with the weights ``COMPOSITE``, its sign
    turned; the JS over the slots looked at most takes the five first and the rest of the slots as one. Ties fall to the
    last slot. Attention, shape (K,), is uniform where it is missing (a row of zeros).
    """
    from benchmark.metrics import evaluate_sessions

    attention = attention / attention.sum() if attention.any() else np.full(len(attention), 1 / len(attention))
    if name == "js":
        return float(evaluate_sessions([session.gaze], [0], attention=[attention], metrics=["JS"])["JS"][0])
    chosen = [*COMPOSITE]
    values = evaluate_sessions([session.gaze], [session.click], attention=[attention], ties="last", metrics=chosen)
    order = np.argsort(session.gaze)[::-1][:_TOP]
    gaze, own = (np.append(shares[order], max(0.0, 1.0 - shares[order].sum())) for shares in (session.gaze, attention))
    top = evaluate_sessions([gaze], [0], attention=[own], metrics=["JS"])["JS"][0]
    return float(_TOP_WEIGHT * top - sum(weight * values[metric][0] for metric, weight in COMPOSITE.items()))


def split(
    train: Sequence[Session], share: float, seed: int, report: Callable[[str], None] = lambda line: None
) -> tuple[list[Session], list[Session]]:
    """Return the sessions to train on and those to validate on, each in the order of ``train``.

    ``share``, 0..1, is held out, the number rounded, by a generator of its own. ``report`` gets a line about users with
    too few sessions to hold one out, or who are held out whole. InputError if there is no training session, or a share
    above 0 is asked for and there is only one.
    """
    if not train:
        raise InputError("there is no training session to fit on; choose another split or a larger data set.")
    wanted = round(share * len(train))
    if share == 0:
        return list(train), []
    own: dict[str, list[int]] = defaultdict(list)
    for index, session in enumerate(train):
        own[session.user].append(index)
    short = sorted(user for user, indices in own.items() if len(indices) < FEWEST)
    generator = np.random.default_rng(seed)
    users = [str(user) for user in generator.permutation(sorted(own))]
    if len(short) == len(own):
        return _without_users(train, users[: max(1, wanted)], report)
    if short:
        report(
            f"{len(short)} of {len(own)} users have a single training session ({_names(short)}): "
            "they are trained on, not validated."
        )
    held: set[int] = set()
    while len(held) < max(1, wanted):
        before = len(held)
        for user in users:
            if len(own[user]) >= FEWEST and len(held) < max(1, wanted):
                held.add(own[user].pop(int(generator.integers(len(own[user])))))
        if len(held) == before:
            break
    kept = [session for index, session in enumerate(train) if index not in held]
    return kept, [session for index, session in enumerate(train) if index in held]


def _without_users(
    train: Sequence[Session], out: Sequence[str], report: Callable[[str], None]
) -> tuple[list[Session], list[Session]]:
    """Return the sessions of the users that are kept and of those held out whole."""
    if len(out) == len(train):
        raise InputError(
            f"nobody would be left to train on: of {len(train)} users with one training session each, {len(out)} are "
            "to be held out for validation; set validation=0 or use a larger data set."
        )
    report(
        f"each of the {len(train)} users has a single training session: {len(out)} of them ({_names(sorted(out))}) are "
        "held out whole to choose the epoch, and get no coefficients of their own. validation=0 trains on everybody."
    )
    held = set(out)
    return [s for s in train if s.user not in held], [s for s in train if s.user in held]


def _names(users: list[str]) -> str:
    return ", ".join(users[:_NAMED]) + (", ..." if len(users) > _NAMED else "")
