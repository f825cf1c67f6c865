"""The task that settings are chosen on: the training sessions alone, in folds of their own."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from tasks.digest import split_digest
from tasks.errors import InputError
from tasks.splits import FOLDS, Split, k_fold

if TYPE_CHECKING:
    from tasks.task import Task

SPLIT = "cross-validation"
"""Name of the one split that the task of the training sessions has."""


def training_task(task: Task, split: str) -> Task:
    """Return a task of the training sessions of a split; the test sessions are not in it.

    Args:
        task: The task; no row of a test session is read.
        split: A split with one fold. The training sessions of several folds are test sessions of others.

    Returns:
        A task with the single split ``SPLIT``: five folds dealt over each user's sessions (PROTOCOL section 4).

    Raises:
        InputError: The split has several folds, or fewer training sessions than folds.
    """
    folds = task.split(split).folds
    if len(folds) != 1:
        raise InputError(
            f"{split} tests in {len(folds)} folds every session once, so none is left to choose settings on; "
            "use --split loo or unseen-screen."
        )
    train, _ = folds[0]
    if len(train) < FOLDS:
        raise InputError(f"{split} of {task.name} has {len(train)} training sessions, too few for {FOLDS} folds.")
    rows = task.sessions.select([int(index) for index in train])
    names = ("session_id", "user", "screen", "click", "gaze_ms")
    table = rows.with_format("arrow").select_columns(list(names))[:]
    ids, users, screens, clicks, gaze = (table[name].to_pylist() for name in names)
    values = k_fold(users, FOLDS)
    dealt = np.asarray(values)
    parts = [(np.flatnonzero(dealt != fold), np.flatnonzero(dealt == fold)) for fold in range(FOLDS)]
    return dataclasses.replace(
        task,
        sessions=rows,
        splits={SPLIT: Split(SPLIT, parts)},
        digests={SPLIT: split_digest(ids, users, screens, clicks, gaze, values)},
    )
