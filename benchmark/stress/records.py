"""What stress tests found, as typed values and as ``RUN/stress/stress.json``."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.files.replacing import replace_file
from tasks.errors import InputError
from tasks.storage import write_errors

FOLDER = "stress"
FILE = "stress.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class StressRow:
    """One number of a stress test.

    Attributes:
        test: ``relabel``, ``swap-users``, ``label-leak``, ``layout`` or ``transfer TASK``.
        simulator: Registry name.
        measure: What the number is, such as ``answer stays with the item``.
        value: Mean over users of the mean over their sessions of the mean over seeds; None where the test does not
            apply, or nothing is left to average.
        low: Lower end of the 95 % bootstrap interval over users, None for fewer than two users.
        high: Upper end.
        p: Two-sided p of the paired t-test over users, None where nothing is compared.
        n: Sessions that the value rests on.
        reading: One sentence: what the number says, or why there is none.
        notice: What must be said of this row beside what must be said of its run: that the other task's data are
            simulated.
    """

    test: str
    simulator: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int
    reading: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class StressResults:
    """Everything that ``stress.json`` holds.

    Attributes:
        task: Task of the run.
        split: Split of the run.
        digest: Of the task's sessions and this split.
        seed: Of the conditions.
        notice: What every output must say of simulated data or stand-ins; empty otherwise.
        rows: The numbers.
    """

    task: str
    split: str
    digest: str
    seed: int
    notice: str
    rows: tuple[StressRow, ...]


def read(run_folder: Path) -> list[StressRow]:
    """Return the stress rows of a run, none if no stress test was run on it.

    Raises:
        InputError: The file is damaged.
    """
    found = read_results(run_folder)
    return [] if found is None else list(found.rows)


def read_results(run_folder: Path) -> StressResults | None:
    """Return what ``stress.json`` of a run holds, None if there is none.

    Raises:
        InputError: The file is damaged or of another schema version.
    """
    path = run_folder / FOLDER / FILE
    if not path.is_file():
        return None
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {raw['schema_version']} instead of {SCHEMA_VERSION}")
        if not isinstance(raw["rows"], list):
            raise ValueError("'rows' is no list")
        values = {key: _text(raw, key) for key in ("task", "split", "digest", "notice")}
        rows = tuple(_row(row, values["notice"]) for row in raw["rows"])
        return StressResults(**values, seed=_whole(raw, "seed"), rows=rows)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}); delete it and run 'stress {run_folder}' again.") from error


def write(run_folder: Path, found: StressResults) -> Path:
    """Write ``stress.json`` of a run in one step and return its path.

    Raises:
        InputError: It cannot be written.
    """
    path = run_folder / FOLDER / FILE
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda partial: partial.write_text(to_json(found), encoding="utf-8"))
    return path


def to_json(found: StressResults) -> str:
    """Return the text of ``stress.json``."""
    values = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(found)}
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def merged(before: Sequence[StressRow], new: Sequence[StressRow]) -> tuple[StressRow, ...]:
    """Return all rows; of a test and simulator that is in both, the new ones, in the place of the old."""
    fresh: dict[tuple[str, str], list[StressRow]] = {}
    for row in new:
        fresh.setdefault((row.test, row.simulator), []).append(row)
    rows: list[StressRow] = []
    placed: set[tuple[str, str]] = set()
    for row in before:
        key = (row.test, row.simulator)
        if key not in fresh:
            rows.append(row)
        elif key not in placed:
            placed.add(key)
            rows += fresh[key]
    return tuple(rows + [row for key, found in fresh.items() if key not in placed for row in found])


def _row(raw: Any, notice: str) -> StressRow:
    """Read a row; one of an older file, which says nothing of its own, has the notice of the file."""
    if not isinstance(raw, dict):
        raise ValueError("a row is no object")
    raw = {"notice": notice, **raw}
    n = _whole(raw, "n")
    if n < 0:
        raise ValueError(f"'n' is {n}")
    return StressRow(
        test=_text(raw, "test"),
        simulator=_text(raw, "simulator"),
        measure=_text(raw, "measure"),
        value=_number(raw, "value"),
        low=_number(raw, "low"),
        high=_number(raw, "high"),
        p=_number(raw, "p"),
        n=n,
        reading=_text(raw, "reading"),
        notice=_text(raw, "notice"),
    )


def _text(raw: Any, key: str) -> str:
    value = raw[key]
    if not isinstance(value, str):
        raise ValueError(f"'{key}' is no text")
    return value


def _whole(raw: Any, key: str) -> int:
    value = raw[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"'{key}' is no whole number")
    return value


def _number(raw: Any, key: str) -> float | None:
    value = raw[key]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"'{key}' is no finite number")
    return float(value)
