"""The five fixed splits of every task, and the digest that identifies one (PROTOCOL section 4)."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


Indices = NDArray[np.int64]

SEED = 42
FOLDS = 5
DEFAULT_SPLIT = "loo"

SPLIT_NOTES = {
    "loo": "one session per user is tested; other users' training sessions may show the tested screen",
    "kfold": f"every session is tested once, in {FOLDS} folds dealt over each user's sessions",
    "unseen-screen": "the tested screens, 6 in 35, never occur in training",
    "screen-kfold": f"every session is tested once, on a screen that its training never shows: {FOLDS} folds",
    "user-kfold": f"every session is tested once, of a user whom its training never shows: {FOLDS} folds",
}
"""Name and meaning of every split, the default first."""

IN_FOLDS = ("kfold", "screen-kfold", "user-kfold")
"""Splits that test every session once."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which sessions train and which are tested.

    Attributes:
        name: One of ``SPLIT_NOTES``.
        folds: ``(train, test)`` pairs of session indices in dataset order, one pair for ``loo`` and
            ``unseen-screen``, five for those of ``IN_FOLDS``.
    """

    name: str
    folds: list[tuple[Indices, Indices]]

    def counts(self) -> dict[str, int]:
        """Return the number of sessions per part: ``train`` and ``test``, or per tested fold."""
        if len(self.folds) == 1:
            train, test = self.folds[0]
            return {"train": len(train), "test": len(test)}
        return {f"fold {i}": len(test) for i, (_, test) in enumerate(self.folds)}

    @property
    def unusable(self) -> str:
        """Why the split cannot be used, in words; empty if every fold has sessions to train on and to test."""
        for number, parts in enumerate(self.folds):
            for part, indices in zip(("training", "test"), parts, strict=True):
                if not len(indices):
                    where = f"fold {number} of " if len(self.folds) > 1 else ""
                    return f"{where}split {self.name} has no {part} session"
        return ""


def column(name: str) -> str:
    """Return the dataset column that holds the split's value: ``split_unseen_screen`` for ``unseen-screen``."""
    return "split_" + name.replace("-", "_")


def leave_one_out(users: Sequence[str]) -> list[str]:
    """Return ``train`` or ``test`` per session: one tested session per user with two or more.

    Users come in order of first appearance in the data set; each one's session indices are shuffled by one
    ``numpy.random.RandomState(42)`` shared over users, and the first is tested. A user with a single session only
    trains; shuffling a list of one draws nothing from the generator, so it does not matter for the others whether such
    users are shuffled or passed over.
    """
    values = ["train"] * len(users)
    for shuffled in _shuffled_by_user(users):
        if len(shuffled) > 1:
            values[shuffled[0]] = "test"
    return values


def k_fold(users: Sequence[str], k: int = FOLDS) -> list[int]:
    """Return the fold 0..k-1 in which each session is tested.

    The shuffled lists of :func:`leave_one_out` are dealt out round-robin. The dealer goes on where it stopped at the
    previous user instead of starting at fold 0 for each: the folds then differ by at most one session in size even when
    users have few sessions, and any k sessions of one user still fall into k different folds.
    """
    if k < 2:
        raise ValueError(f"k must be at least 2, not {k}")
    folds = [0] * len(users)
    dealt = 0
    for shuffled in _shuffled_by_user(users):
        for index in shuffled:
            folds[index] = dealt % k
            dealt += 1
    return folds


def unseen_screen(screens: Sequence[str]) -> list[str]:
    """Return ``train`` or ``test`` per session so that no tested screen occurs in training.

    The n distinct screens, in order of first appearance, are shuffled by ``numpy.random.RandomState(42)``; the first
    round(6 n / 35), at least one, are tested: 6 of the 35 of RecGaze. With a single screen nothing is left to train on.
    """
    distinct = _shuffled(screens)
    tested = set(distinct[: max(1, round(len(distinct) * 6 / 35))])
    return ["test" if screen in tested else "train" for screen in screens]


def whole_k_fold(groups: Sequence[str], k: int = FOLDS) -> list[int]:
    """Return the fold 0..k-1 in which each session is tested, so that no tested screen or user occurs in its training.

    The screens, shuffled as by :func:`unseen_screen`, or the users, shuffled alike, are dealt out round-robin; with
    fewer than k some folds are empty.
    """
    fold = {group: place % k for place, group in enumerate(_shuffled(groups))}
    return [fold[group] for group in groups]


def assign(users: Sequence[str], screens: Sequence[str]) -> dict[str, list[str] | list[int]]:
    """Return the value of every session in every split, by split name."""
    return {
        "loo": leave_one_out(users),
        "kfold": k_fold(users),
        "unseen-screen": unseen_screen(screens),
        "screen-kfold": whole_k_fold(screens),
        "user-kfold": whole_k_fold(users),
    }


def split_from_values(name: str, values: Sequence[Any]) -> Split:
    """Return the split whose column holds ``values`` (``train`` / ``test``, or fold numbers).

    ValueError if a value is something else.
    """
    if name in IN_FOLDS:
        folds = np.asarray(values)
        if len(folds) and (folds.dtype.kind not in "iu" or folds.min() < 0 or folds.max() >= FOLDS):
            raise ValueError(f"column {column(name)} holds something else than folds 0..{FOLDS - 1}")
        return Split(name, [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)])
    unknown = sorted({str(value) for value in values} - {"train", "test"})
    if unknown:
        raise ValueError(f"column {column(name)} holds '{unknown[0]}' instead of train or test")
    tested = np.asarray([value == "test" for value in values], dtype=bool)
    return Split(name, [(np.flatnonzero(~tested), np.flatnonzero(tested))])


def _shuffled(names: Sequence[str]) -> list[str]:
    """Return the distinct names, in order of first appearance shuffled by a generator of their own."""
    distinct = list(dict.fromkeys(names))
    np.random.RandomState(SEED).shuffle(distinct)
    return distinct


def _shuffled_by_user(users: Sequence[str]) -> list[list[int]]:
    """Return each user's shuffled session indices, users in order of first appearance."""
    sessions: dict[str, list[int]] = {}
    for index, user in enumerate(users):
        sessions.setdefault(user, []).append(index)
    generator = np.random.RandomState(SEED)
    for indices in sessions.values():
        generator.shuffle(indices)
    return list(sessions.values())
