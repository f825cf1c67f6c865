"""What stress tests found, as typed values, as ``RUN/stress/stress.json`` and as a document."""

import dataclasses
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.files.replacing import replace_text
from benchmark.metrics import all_metrics
from benchmark.metrics.registry import given
from benchmark.output.document import Document, Grid, GridColumn, row
from benchmark.output.units import interval, number, p_value
from tasks.decoding import Count, decode, load_json

FOLDER = "stress"
FILE = "stress.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class StressRow:
    """One number of a stress test.

    Attributes:
        test: ``relabel``, ``swap-users``, ``label-leak``, ``layout``, ``steer`` or ``transfer TASK``.
        measure: What the number is, such as ``answer stays with the item``.
        value: Mean over users of the mean over their sessions of the mean over seeds; None where the test does not
            apply, or nothing is left to average.
        low: Lower end of the 95 % interval, None for fewer than two users.
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
    """What ``stress.json`` holds: digest of the task's sessions and split, seed of the conditions, notice, rows."""

    task: str
    split: str
    digest: str
    seed: int
    notice: str
    rows: tuple[StressRow, ...]


def read(run_folder: Path) -> StressResults | None:
    """Return what ``stress.json`` of a run holds, None if there is none.

    InputError if the file is damaged or of another schema version.
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
        for one in rows:
            found.setdefault((one.test, one.simulator), []).append(one)
        groups |= found
    return tuple(itertools.chain.from_iterable(groups.values()))


TITLES = {
    "relabel": "relabel: the labels on the screen are dealt again. Does the answer follow the item or the label?",
    "swap-users": "swap-users: each user is given another user's prompt or habits. Is the gain personal?",
    "label-leak": "label-leak: attention is computed for a label that is offered. How much of it comes out again?",
    "layout": "layout: the columns are mirrored. Position or content?",
    "steer": "steer: attention of its heads is pushed to a slot before the softmax. Does the answer go there?",
}
HEADERS = ("simulator", "measure", "value", "95 %", "p", "n")


def title(test: str) -> str:
    """Return the heading of a test."""
    task = test.removeprefix("transfer ")
    return TITLES.get(test, f"transfer: prompts tuned on this task, used on {task}. How much of the tuning transfers?")


def document(found: StressResults, tests: Sequence[str], simulators: Sequence[str] | None = None) -> Document:
    """Return some tests as tables, in this order, each with its readings; None shows all simulators."""
    columns = tuple(GridColumn(name, "left" if i < 2 else "right", key=i < 2) for i, name in enumerate(HEADERS))
    grids = []
    for test in tests:
        rows = [r for r in found.rows if r.test == test and (simulators is None or r.simulator in simulators)]
        lines = [row(*line) for line in numbers(rows)]
        notes = readings(rows) if lines else ("It applies to none of the simulators.", *readings(rows))
        grids.append(Grid(columns if lines else (), tuple(lines), heading=title(test), notes=tuple(notes)))
    return Document(
        title=f"{found.task}, split {found.split}: stress tests, seed {found.seed}",
        notices=(found.notice,) if found.notice else (),
        grids=tuple(grids),
        legend=(
            "Mean over users with its 95 % interval; p: paired t-test, uncorrected (shares: against chance); both over "
            "users and, where they repeat, screens; n: sessions.",
            *given(m for m in all_metrics() if any(one.measure.startswith(m.name + m.arrow) for one in found.rows)),
        ),
    )


def numbers(rows: Sequence[StressRow]) -> list[tuple[str, ...]]:
    """Return the cells of the rows that hold a number, below ``HEADERS``."""
    return [
        (r.simulator, r.measure, number(r.value), interval(r.low, r.high), p_value(r.p), str(r.n))
        for r in rows
        if r.value is not None
    ]


def readings(rows: Sequence[StressRow]) -> list[str]:
    """Return one sentence per simulator: how its first row is to be read, or why there is none."""
    first: dict[str, StressRow] = {}
    for one in rows:
        first.setdefault(one.simulator, one)
    return [f"{name}: {one.reading}" for name, one in first.items()]
