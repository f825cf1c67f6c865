"""From predictions to the tables that a board stores."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from benchmark.scores import predictions as prediction_tables
from benchmark.scores import scoring as benchmark_scoring
from benchmark.simulator import Prediction
from leaderboard.entries import CONDITIONS, OWN
from tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from tasks.task import Task

LABEL = " [label]"
"""Ends the condition of a score row whose attention was computed for the true click."""

COLUMNS = ("condition", "seed", "session_id", "attention", "probabilities", "answer", "target")
PARTS = ("attention", "probabilities", "answer")
TOLERANCE = 1e-9
"""Stored and recomputed scores may differ by this much: another processor rounds differently."""


def prediction_schema() -> pa.Schema:
    """Return the columns of stored predictions."""
    import pyarrow as pa

    schema = prediction_tables.schema()
    return pa.schema([pa.field("condition", pa.string()) if f.name == "simulator" else f for f in schema])


def canonical_predictions(frame: pd.DataFrame, task: Task, split: str, where: str) -> pd.DataFrame:
    """Check predictions and bring them into the one form that is stored and hashed.

    Args:
        frame: Columns ``COLUMNS``; ``condition`` (own), ``target`` (none), and any part may be missing: None, NaN, NA.
        task: The task.
        split: Name of the split.
        where: What to call the submission in messages.

    Returns:
        ``COLUMNS``, one row per condition, seed and session, sorted by these.

    Raises:
        InputError: A session is unknown or there twice, a number is not allowed, a part has the wrong length, or no
            prediction is there at all.
    """
    import pandas as pd

    slots = benchmark_scoring.test_slots(task, split)
    rows: dict[tuple[str, int, str], dict[str, Any]] = {}
    for number, record in enumerate(frame.to_dict("records"), start=1):
        session_id, condition = record.get("session_id"), record.get("condition", OWN)
        seed = record.get("seed", 0)
        place = f"{where}, row {number}"
        if condition not in CONDITIONS:
            raise InputError(f"{place}: condition {str(condition)[:40]!a} is none of {', '.join(CONDITIONS)}.")
        if not isinstance(session_id, str) or session_id not in slots:
            raise InputError(f"{place}: session {str(session_id)[:80]!a} is no test session of {task.name}, {split}.")
        key = (condition, int(seed), session_id)
        if key in rows:
            raise InputError(f"{place}: session '{session_id}' is predicted twice with seed {seed}; keep one.")
        target = record.get("target", "none")
        prediction = Prediction(
            session_id,
            _part(record.get("attention")),
            _part(record.get("probabilities")),
            _answer(record.get("answer")),
            target if isinstance(target, str) else "none",
        )
        checked = prediction_tables.checked(prediction, slots[session_id], place)
        rows[key] = {
            "condition": condition,
            "seed": int(seed),
            "session_id": session_id,
            **{part: getattr(checked, part) for part in PARTS},
            "target": checked.target,
        }
    if not any(row[part] is not None for row in rows.values() for part in PARTS):
        raise InputError(f"{where} holds no prediction for {task.name}, {split}.")
    ordered = [rows[key] for key in sorted(rows)]
    table: pd.DataFrame = pd.DataFrame(ordered, columns=list(COLUMNS))
    table["answer"] = table["answer"].astype("Int64")
    return table


def _part(value: Any) -> Any:
    """Return a list of numbers, or None where a table says that there is none."""
    return None if value is None or (isinstance(value, float) and value != value) else value


def _answer(value: Any) -> int | None:
    """Return an answer, or None where a table says that there is none."""
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return None
    return value  # type: ignore[no-any-return]


def predictions_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of canonical predictions: over their rows, not over the bytes of a file.

    Each row is a JSON array of ``COLUMNS`` in ASCII, ended by a line feed; numbers are written as the shortest
    decimal that reads back as the same float64.
    """
    digest = hashlib.sha256()
    for row in frame.to_dict("records"):
        lists = [None if row[p] is None else [float(v) for v in row[p]] for p in ("attention", "probabilities")]
        answer = _answer(row["answer"])
        values = [
            row["condition"],
            int(row["seed"]),
            row["session_id"],
            *lists,
            None if answer is None else int(answer),
        ]
        digest.update((json.dumps([*values, row["target"]], separators=(",", ":")) + "\n").encode("ascii"))
    return digest.hexdigest()


def predictions_table(frame: pd.DataFrame, about: dict[str, str]) -> pa.Table:
    """Return canonical predictions as they are stored; ``about`` goes into the file's own metadata."""
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, schema=prediction_schema(), preserve_index=False)
    return table.replace_schema_metadata(about)


def predictions_frame(table: pa.Table) -> pd.DataFrame:
    """Return stored predictions as a frame.

    Raises:
        InputError: Its columns are not those of predictions.
    """
    if table.schema.remove_metadata() != prediction_schema():
        raise InputError("stored predictions have other columns than predictions have; restore the file.")
    frame: pd.DataFrame = table.to_pandas()
    frame["answer"] = frame["answer"].astype("Int64")
    return frame


def score(task: Task, split: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Score canonical predictions (PROTOCOL section 5).

    Attention that was computed for the true click is scored in rows of its own, whose condition ends in ``[label]``;
    the probabilities and answers beside it are not touched by that and stay where they are.

    Returns:
        Columns condition, seed, fold, session_id, user, failed and one per metric; with predictions under stress
        conditions also ``board_scores.STRESS_COLUMNS``.
    """
    import pandas as pd

    from leaderboard.board_stress import with_measures

    label = frame["target"] == "label"
    free = frame.copy()
    free.loc[label, "attention"] = None
    free.loc[label, "target"] = "none"
    labelled = frame[label & frame["attention"].notna()].assign(probabilities=None, answer=pd.NA)
    parts = [p for p in (free, labelled) if p[list(PARTS)].notna().to_numpy().any()]
    named = pd.concat([_typed(p) for p in parts], ignore_index=True).rename(columns={"condition": "simulator"})
    scores: pd.DataFrame = benchmark_scoring.score(task, split, named).rename(columns={"simulator": "condition"})
    return with_measures(task, split, frame, scores)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return predictions whose columns have the types of canonical ones, where a part is blank throughout too."""
    typed: pd.DataFrame = frame.astype({"attention": object, "probabilities": object, "answer": "Int64"})
    return typed


def scores_table(scores: pd.DataFrame) -> pa.Table:
    """Return scores as they are stored."""
    import pyarrow as pa

    return pa.Table.from_pandas(scores, preserve_index=False).replace_schema_metadata(None)
