"""From predictions to the tables that a board stores."""

import hashlib
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from benchmark.naming import FORESIGHT, OWN
from benchmark.parts import PARTS
from benchmark.parts.checking import claimed
from benchmark.parts.ragged import Bools
from benchmark.scores import checking, predictions, tested
from benchmark.scores import scoring as benchmark_scoring
from leaderboard.entries import CONDITIONS
from submissions.checks import foresight
from tasks.errors import InputError
from tasks.task import Task

KEYS = ("simulator", "seed", "session_id")
"""What says whose a prediction is; on a board the simulator is the condition it was asked under, called so in files."""

TOLERANCE = 1e-9
"""Stored and recomputed scores may differ by this much: another processor rounds differently."""


def canonical_predictions(found: pa.Table, task: Task, split: str, where: str) -> pa.Table:
    """Check predictions and bring them into the one form that is stored and hashed; ``where`` names them in messages.

    Takes and returns the columns of ``predictions.schema``, with the condition as ``simulator``; what is returned has
    one row per condition, seed and session, sorted by these. InputError if a session is unknown or there twice, a
    number is not allowed, a part has the wrong length, or no prediction is there at all.
    """
    conditions = found["simulator"].to_pylist()
    for row, condition in enumerate(conditions):
        if condition not in CONDITIONS:
            raise InputError(
                f"{where}, row {row + 1}: condition {str(condition)[:40]!a} is none of {', '.join(CONDITIONS)}."
            )
    checked = checking.table(predictions.raw(found), tested.of_task(task, split), where, once=KEYS)
    if not claimed(predictions.cells_of(checked)):
        raise InputError(f"{where} holds no prediction for {task.name}, {split}.")
    return checked.sort_by([(key, "ascending") for key in KEYS])


def predictions_digest(found: pa.Table) -> str:
    """Return the SHA-256 of canonical predictions: over their rows, not over the bytes of a file.

    Each row is a JSON array in ASCII, ended by a line feed: condition, seed, session, the parts of the first boards,
    target and, where it is there, an object with each later part. Numbers are written as the shortest decimal that
    reads back as the same float64.
    """
    first = [*KEYS, *(part.name for part in PARTS if not part.later), "target"]
    later = [part.name for part in PARTS if part.later and part.name in found.column_names]
    digest = hashlib.sha256()
    for row in (row for some in found.to_batches(max_chunksize=10_000) for row in some.to_pylist()):
        values = [row[name] for name in first] + [{name: row[name]} for name in later if row[name] is not None]
        digest.update((json.dumps(values, separators=(",", ":")) + "\n").encode("ascii"))
    return digest.hexdigest()


def predictions_table(found: pa.Table, about: dict[str, str]) -> pa.Table:
    """Return canonical predictions as they are stored; ``about`` goes into the file's own metadata."""
    return _called(predictions.stored_columns(found), "simulator", "condition").replace_schema_metadata(about)


def stored_predictions(table: pa.Table) -> pa.Table:
    """Return predictions that a board has stored; InputError if its columns are not those of predictions."""
    found = _called(table, "condition", "simulator").replace_schema_metadata(None)
    kept = [field for field in predictions.schema() if field.name in found.column_names]
    if list(found.schema) != kept or not set(predictions.first_columns()) <= set(found.column_names):
        raise InputError("stored predictions have other columns than predictions have; restore the file.")
    return found


def of_conditions(found: pa.Table) -> pa.Table:
    """Return predictions without those of another task's sessions, which older boards also stored."""
    return found.filter(pc.is_in(found["simulator"], pa.array(CONDITIONS)))


def _called(table: pa.Table, old: str, new: str) -> pa.Table:
    return table.rename_columns([new if name == old else name for name in table.column_names])


def score(task: Task, split: str, found: pa.Table, *, stated: bool = False) -> pd.DataFrame:
    """Score canonical predictions (PROTOCOL section 5).

    Attention that was computed for the true click is scored in rows of its own, whose condition ends in ``[label]``,
    and that which the model ``stated`` itself in rows whose condition ends in ``[stated]``; the probabilities and
    answers next to it are not touched by that and stay where they are.

    The columns are condition, seed, fold, session_id, user, screen, failed, one per metric and ``foresight``, the
    clearest clue of ``submissions.checks.foresight``, 0 without any; with predictions under stress conditions also
    ``board_scores.STRESS_COLUMNS``. Screens are numbered in the order of the test sessions: what they show, such as a
    query, stays where the data are.
    """
    from leaderboard.board_stress import with_measures

    label: Bools = np.array(found["target"].to_pylist()) == "label"
    free, labelled = predictions.attention_apart(found, label)
    free = predictions.renamed(free, target="none")
    own = checking.checked(predictions.raw(predictions.chosen(free, simulator=OWN)), tested.of_task(task, split))
    if stated:
        free = predictions.with_stated_apart(free, [OWN])
    said = [part for part in (free, labelled) if claimed(predictions.cells_of(part))]
    scores = benchmark_scoring.score(task, split, predictions.joined(said))
    scores["screen"] = np.unique(scores["screen"].to_numpy(dtype=object), return_inverse=True)[1]
    numbers = [clue.number for clue in foresight.clues(task, split, [own], labelled=False)]
    scores[FORESIGHT] = round(max([0.0, *numbers]), 2)
    return with_measures(task, split, found, scores.rename(columns={"simulator": "condition"}))
