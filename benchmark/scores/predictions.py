"""Predictions as a table: checked, stored as parquet, read back as data and never as code."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.parts.part import SUM_TOLERANCE
from benchmark.simulator import Floats, Prediction
from tasks.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TARGETS = ("none", "free", "label")

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""Columns that pandas may add to a parquet file for the index of a table with left-out rows; they say nothing."""


def schema() -> pa.Schema:
    """Return the columns of a predictions file."""
    import pyarrow as pa

    return pa.schema(
        [
            ("simulator", pa.string()),
            ("seed", pa.int64()),
            ("session_id", pa.string()),
            ("attention", pa.list_(pa.float64())),
            ("probabilities", pa.list_(pa.float64())),
            ("answer", pa.int64()),
            ("target", pa.string()),
        ]
    )


def checked(prediction: Prediction, k: int, where: str) -> Prediction:
    """Return a prediction in float64, or refuse it.

    Args:
        prediction: What a simulator or a file said.
        k: Number of slots of its session.
        where: Simulator or file and row, for the message.

    Returns:
        The prediction; attention whose sum is 0 has become None (PROTOCOL section 6: it is missing).

    Raises:
        InputError: A wrong length, a negative or non-finite number, probabilities that do not sum to 1, an
            answer that is no slot, an unknown target.
    """
    place = f"{where}, session '{prediction.session_id}'"
    attention = _vector(prediction.attention, k, f"{place}: attention")
    probabilities = _vector(prediction.probabilities, k, f"{place}: probabilities")
    if attention is not None and attention.sum() == 0:
        attention = None
    if probabilities is not None and abs(float(probabilities.sum()) - 1) > SUM_TOLERANCE:
        raise InputError(f"{place}: probabilities sum to {float(probabilities.sum()):.6g}; normalise them to 1.")
    answer = prediction.answer
    if answer is not None:
        if isinstance(answer, bool) or int(answer) != answer or not 0 <= int(answer) < k:
            raise InputError(f"{place}: answer {answer!r} is not a slot index 0..{k - 1}.")
        answer = int(answer)
    if prediction.target not in TARGETS:
        raise InputError(f"{place}: target '{prediction.target}' is none of {', '.join(TARGETS)}.")
    return Prediction(prediction.session_id, attention, probabilities, answer, prediction.target)


def _vector(values: object, k: int, where: str) -> Floats | None:
    """Return ``values`` as K finite non-negative float64 numbers, or None if there are none."""
    if values is None:
        return None
    try:
        vector = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} is not a list of numbers.") from error
    if vector.shape != (k,):
        raise InputError(f"{where} has shape {vector.shape}; the session has {k} slots.")
    if not np.isfinite(vector).all():
        raise InputError(f"{where} holds NaN or infinity.")
    if (vector < 0).any():
        raise InputError(f"{where} holds a negative number.")
    return vector


def to_frame(predictions: Iterable[Prediction], simulator: str, seed: int) -> pd.DataFrame:
    """Return predictions as a table with the columns of ``schema``; missing parts are None."""
    import pandas as pd

    rows = [
        {
            "simulator": simulator,
            "seed": seed,
            "session_id": p.session_id,
            "attention": p.attention,
            "probabilities": p.probabilities,
            "answer": p.answer,
            "target": p.target,
        }
        for p in predictions
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=schema().names)
    frame["answer"] = frame["answer"].astype("Int64")
    return frame


def write(frame: pd.DataFrame, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write a predictions table as parquet.

    Args:
        frame: Columns of ``schema``.
        path: The file.
        about: What the file itself says of its data (key-value metadata): task, digest, the simulated-data notice.
    """
    import pyarrow as pa

    write_table(pa.Table.from_pandas(frame, schema=schema(), preserve_index=False), path, about)


def write_table(table: pa.Table, path: Path, about: Mapping[str, str] | None = None) -> None:
    """Write an Arrow table as parquet with key-value metadata instead of pandas' own."""
    import pyarrow.parquet as pq

    pq.write_table(table.replace_schema_metadata(dict(about or {})), path, compression="zstd")


def read(path: Path, slots: Mapping[str, int]) -> pd.DataFrame:
    """Read and check a predictions file (.parquet or .jsonl).

    Args:
        path: The file; ``session_id`` is required, ``simulator`` (default: the file's name) and ``seed``
            (default 0) are optional, as is each of attention, probabilities, answer and target.
        slots: session_id -> K of the sessions that may be predicted.

    Returns:
        A table with the columns of ``schema``.

    Raises:
        InputError: The file cannot be read, lacks a column, or a row is refused; the row is named.
    """
    import pandas as pd

    if path.suffix not in (".parquet", ".jsonl"):
        raise InputError(f"{path}: a predictions file ends in .parquet or .jsonl.")
    if not path.is_file():
        raise InputError(f"there is no predictions file {path}.")
    records = _parquet_records(path) if path.suffix == ".parquet" else _jsonl_records(path)
    if not records:
        raise InputError(f"{path} holds no predictions.")
    rows: dict[tuple[str, int], list[Prediction]] = {}
    seen: set[tuple[str, int, str, str]] = set()
    for number, record in records:
        where = f"{path.name}, row {number}"
        session_id, simulator, seed, prediction = _prediction(record, where, path.stem)
        if session_id not in slots:
            raise InputError(f"{where}: session '{session_id}' is not among the test sessions of this task and split.")
        key = (simulator, seed, session_id, prediction.target)
        if key in seen:
            raise InputError(f"{where}: session '{session_id}' is predicted twice by '{simulator}' with seed {seed}.")
        seen.add(key)
        rows.setdefault((simulator, seed), []).append(checked(prediction, slots[session_id], where))
    tables = [to_frame(found, simulator, seed) for (simulator, seed), found in rows.items()]
    frame: pd.DataFrame = pd.concat(tables, ignore_index=True)
    return frame


def _prediction(record: Mapping[str, object], where: str, stem: str) -> tuple[str, str, int, Prediction]:
    """Return the session, simulator, seed and (unchecked) prediction of one row."""
    unknown = {name for name in record if not _PANDAS_INDEX.fullmatch(name)} - set(schema().names)
    if unknown:
        raise InputError(f"{where}: unknown column '{sorted(unknown)[0]}'. Known: {', '.join(schema().names)}.")
    session_id, simulator, seed = record.get("session_id"), record.get("simulator"), record.get("seed")
    if not isinstance(session_id, str) or not session_id:
        raise InputError(f"{where}: session_id is missing or not text.")
    if simulator is not None and not isinstance(simulator, str):
        raise InputError(f"{where}: simulator is not text.")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise InputError(f"{where}: seed is not a whole number.")
    answer, target = record.get("answer"), record.get("target")
    if isinstance(answer, float):
        # A column of whole numbers with a blank is a column of floats to most tools.
        answer = None if math.isnan(answer) else int(answer) if answer.is_integer() else answer
    if answer is not None and (isinstance(answer, bool) or not isinstance(answer, int)):
        raise InputError(f"{where}: answer is not a whole number.")
    prediction = Prediction(
        session_id,
        record.get("attention"),  # type: ignore[arg-type]  # checked() decides
        record.get("probabilities"),  # type: ignore[arg-type]
        answer,
        "none" if target is None else str(target),
    )
    return session_id, simulator or stem, seed or 0, prediction


def _parquet_records(path: Path) -> Sequence[tuple[int, dict[str, object]]]:
    """Return the rows of a parquet file with their numbers, counted from 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is not a readable parquet file: {str(error).splitlines()[0]}.") from error
    if "session_id" not in table.column_names:
        raise InputError(f"{path} has no column 'session_id'. Columns: {', '.join(table.column_names)}.")
    return list(enumerate(table.to_pylist(), start=1))


def _jsonl_records(path: Path) -> Sequence[tuple[int, dict[str, object]]]:
    """Return the objects of a JSON-lines file with their line numbers."""
    records = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not a readable text file: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path.name}, row {number}: not JSON: {error}.") from error
        if not isinstance(record, dict):
            raise InputError(f"{path.name}, row {number}: not a JSON object.")
        records.append((number, record))
    return records
