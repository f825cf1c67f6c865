"""Toy submissions for boards: simulators that know more or less of the gaze of the small task."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmark.scores import scoring
from leaderboard.entries import Metadata
from leaderboard.submitting import NewResult
from tasks.task import Task

AT = "2026-01-31T12:00:00Z"


def frame(
    task: Task,
    split: str = "loo",
    *,
    knows: float = 0.5,
    seeds: tuple[int, ...] = (1, 2),
    parts: tuple[str, ...] = ("attention", "probabilities", "answer"),
    target: str = "free",
    random_state: int = 0,
) -> pd.DataFrame:
    """Predictions that mix the gaze, with weight ``knows``, with noise."""
    random = np.random.default_rng(random_state)
    rows = []
    for seed in seeds:
        for session_id in scoring.test_slots(task, split):
            gaze = task.find(session_id).gaze
            seen = knows * gaze + (1 - knows) * random.dirichlet(np.ones(len(gaze)))
            values = {"attention": seen, "probabilities": seen, "answer": int(seen.argmax())}
            given = {part: values[part] if part in parts else None for part in values}
            rows.append({"seed": seed, "session_id": session_id, **given, "target": target})
    return pd.DataFrame(rows)


def candidate(name: str, task: Task, split: str = "loo", *, version: str = "1", **options: object) -> NewResult:
    """A toy submission; fields of ``Metadata`` and options of :func:`frame` may be given."""
    said = {key: options.pop(key) for key in list(options) if key in Metadata.__dataclass_fields__}
    metadata = Metadata(
        name=name,
        version=version,
        **{"kind": "other", "inputs": ("image", "profile"), "attention_target": "free", **said},  # type: ignore[arg-type]
    )
    return NewResult(metadata, task, split, frame(task, split, **options))  # type: ignore[arg-type]
