"""What stress tests found, as typed values and as ``RUN/stress/stress.json``."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.files.replacing import replace_text
from tasks.decoding import Count, decode, load_json

FOLDER = "stress"
FILE = "stress.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class StressRow:
    """One number of a stress test.

    Attributes:
        test: ``relabel``, ``swap-users``, ``label-leak``, ``layout`` or ``transfer TASK``.
        measure: What the number is, such as ``answer stays with the item``.
        value: Mean over users of the mean over their sessions of the mean over seeds; None where the test does not
            apply, or nothing is left to average.
        low: Lower end of the 95 % bootstrap interval over users, None for fewer than two users.
        high: Upper end.
        p: Two-sided p of the paired t-test over users, None where nothing is compared.
        n: Sessions in the mean.
        reading: One sentence: what the number shows, or why there is none.
        notice: What must be said of this row in addition to the notice of its run: that the other task's data are
            simulated.
    """

    test: str
    simulator: str
    measure: str
    value: float | None
    low: float | None
    high: float | None
    p: float | None
    n: Count
    reading: str
    notice: str = ""


@dataclass(frozen=True, slots=True)
class StressResults:
    """Everything that ``stress.json`` holds.

    Attributes:
        digest: Of the task's sessions and this split.
        seed: Of the conditions.
        notice: What every output must say of simulated data or stand-ins; empty otherwise.
    """

    task: str
    split: str
    digest: str
    seed: int
    notice: str
    rows: tuple[StressRow, ...]


def read(run_folder: Path) -> list[StressRow]:
    """Return the stress rows of a run, none if no stress test was run on it; InputError if the file is damaged."""
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
    remedy = f"delete it and run 'stress {run_folder}' again"
    raw = load_json(path, remedy)
    if isinstance(raw, dict) and isinstance(raw.get("rows"), list):
        # A row of an older file, which has no notice of its own, has the notice of the file.
        raw["rows"] = [{"notice": raw.get("notice"), **row} if isinstance(row, dict) else row for row in raw["rows"]]
    return decode(StressResults, raw, path, remedy, version=("schema_version", SCHEMA_VERSION))


def write(run_folder: Path, found: StressResults) -> Path:
    """Write ``stress.json`` of a run in one step and return its path."""
    path = run_folder / FOLDER / FILE
    replace_text(path, to_json(found))
    return path


def to_json(found: StressResults) -> str:
    """Return the text of ``stress.json``."""
    values = {"schema_version": SCHEMA_VERSION, **dataclasses.asdict(found)}
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def merged(before: Sequence[StressRow], new: Sequence[StressRow]) -> tuple[StressRow, ...]:
    """Return all rows; of a test and simulator that is in both, the new ones, in the place of the old."""
    groups: dict[tuple[str, str], list[StressRow]] = {}
    for rows in (before, new):
        found: dict[tuple[str, str], list[StressRow]] = {}
        for row in rows:
            found.setdefault((row.test, row.simulator), []).append(row)
        groups |= found
    return tuple(itertools.chain.from_iterable(groups.values()))
