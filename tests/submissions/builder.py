"""Builds small submissions for the mini task, good ones and ones with a single change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from submissions.format import METADATA_FILE, PREDICTIONS_FOLDER
from tasks.task import Task

Row = dict[str, Any]


def sessions(task: Task, split: str = "kfold"):
    return [s for _, test in task.split(split).folds for s in task.sessions_at(test)]


def rows(task: Task, seed: int = 1, split: str = "kfold") -> list[Row]:
    """Predictions without a fault."""
    rng = np.random.default_rng(seed)
    found = []
    for session in sessions(task, split):
        attention, p = rng.gamma(1.0, size=(2, len(session.slots))) + 0.01
        attention, p = attention / attention.sum(), p / p.sum()
        record = {"session_id": session.session_id, "attention": attention.tolist(), "probabilities": p.tolist()}
        found.append({**record, "answer": int(p.argmax())})
    return found


def metadata(task: Task, seeds: Any = (1,), split: str = "kfold", **changes: Any) -> Row:
    values: Row = {
        "format": 1,
        "name": "ours",
        "version": "1.0",
        "authors": ["Ada Example"],
        "contact": "ada@example.org",
        "licence": "CC0-1.0",
        "description": "A simulator for tests.",
        "simulator": {"kind": "other", "inputs": ["image"]},
        "attention": {"source": "drawn", "target": "free"},
        "seeds": list(seeds) if isinstance(seeds, tuple) else seeds,
        "digests": {f"{task.name}@{task.version}/{split}": task.digests[split]},
        "notice": task.notice,
    }
    return {**values, **changes}


def write_rows(path: Path, table: list[Row]) -> None:
    """Write rows as the file's name says: parquet, or JSON lines."""
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        frame = pd.DataFrame(table)
        if "answer" in frame and all(row.get("answer") in (None, *range(-9, 100)) for row in table):
            frame["answer"] = frame["answer"].astype("Int64")
        frame.to_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")


def write(
    folder: Path,
    task: Task,
    runs: Mapping[int, list[Row]] | None = None,
    *,
    split: str = "kfold",
    suffix: str = ".parquet",
    **changes: Any,
) -> Path:
    """Write a submission; a change of None removes the field."""
    runs = {1: rows(task, split=split)} if runs is None else runs
    for seed, table in runs.items():
        place = folder / PREDICTIONS_FOLDER / f"{task.name}@{task.version}" / split
        write_rows(place / f"seed-{seed}{suffix}", table)
    values = {k: v for k, v in metadata(task, split=split, **{"seeds": list(runs), **changes}).items() if v is not None}
    (folder / METADATA_FILE).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return folder
