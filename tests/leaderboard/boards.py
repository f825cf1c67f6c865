"""Toy submissions for boards: simulators that know more or less of the gaze of the small task."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmark.scores import predictions, scoring
from benchmark.simulator import Prediction
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


def table(given: pd.DataFrame) -> pa.Table:
    """A frame as predictions; a condition that is not there is ``own``."""
    rows = [
        Prediction(**{f.name: _known(row.get(f.name)) for f in fields(Prediction)}) for row in given.to_dict("records")
    ]
    conditions = given["condition"] if "condition" in given else ["own"] * len(given)
    found = predictions.of_rows([replace(row, target=row.target or "none") for row in rows], "own", 0)
    return predictions.renamed(found, simulator=list(conditions), seed=given["seed"].tolist())


def _known(value: object) -> Any:
    return None if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else value


def candidate(name: str, task: Task, split: str = "loo", *, version: str = "1", **options: object) -> NewResult:
    """A toy submission; fields of ``Metadata`` and options of :func:`frame` may be given."""
    said = {key: options.pop(key) for key in list(options) if key in Metadata.__dataclass_fields__}
    metadata = Metadata(
        name=name,
        version=version,
        **{"kind": "other", "inputs": ("image", "profile"), "attention_target": "free", **said},  # type: ignore[arg-type]
    )
    return NewResult(metadata, task, split, table(frame(task, split, **options)))  # type: ignore[arg-type]
