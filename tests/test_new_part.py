"""A part is one file, one line and one field: lists of lists whose shape depends on the session, through every verb."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.documents.blocks import blocks
from tests.project_copy import ProjectCopy

pytestmark = pytest.mark.slow

[PART] = [block.text for block in blocks("CONTRIBUTING.md") if "PART = Part(" in block.text]

SIMULATOR = """from dataclasses import dataclass

import numpy as np

from benchmark.simulator import Prediction


@dataclass
class Walker:
    def fit(self, train, seed):
        pass

    def simulate(self, sessions):
        found = []
        for s in sessions:
            rng = np.random.default_rng([ord(c) for c in s.session_id])
            k = len(s.slots)
            steps = rng.dirichlet(np.ones(k + 1), len(s.session_id))
            found.append(Prediction(s.session_id, probabilities=rng.dirichlet(np.ones(k)), steps=steps))
        return found
"""

CONFIG = """task: recgaze
data: sample
simulators: [uniform, "simulator.py:Walker"]
reference: uniform
seeds: [42]
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> ProjectCopy:
    """A copy with the part, in which a simulator that gives it was run; the run before knew nothing of it."""
    copy = ProjectCopy(tmp_path_factory.mktemp("copy"))
    copy.call("run", "--task", "recgaze", "--data", "sample", "--simulators", "uniform", "--out", "before")
    copy.add("benchmark/parts/steps.py", PART)
    copy.add_line(
        "benchmark/parts/__init__.py", "from benchmark.parts.part import Part", "from benchmark.parts import steps"
    )
    line = "PARTS: tuple[Part, ...] = (attention.PART, probabilities.PART, answer.PART, next_visit.PART)"
    copy.add_line("benchmark/parts/__init__.py", line, "PARTS = (*PARTS, steps.PART)")
    copy.add_line("benchmark/simulator.py", "    next_visit: Floats | None = None", "    steps: Floats | None = None")
    (copy.work / "simulator.py").write_text(SIMULATOR, encoding="utf-8")
    (copy.work / "config.yaml").write_text(CONFIG, encoding="utf-8")
    copy.call("run", "--config", "config.yaml", "--out", "run")
    return copy


def test_it_is_stored_where_it_is_there(ran):
    table = pq.read_table(ran.work / "run" / "predictions.parquet")
    for row in table.to_pylist():
        if row["simulator"] == "walker":
            assert np.shape(row["steps"]) == (len(row["session_id"]), 16)
        else:
            assert row["steps"] is None
    alone = ran.work / "before"
    before = (alone / "predictions.parquet").read_bytes()
    ran.call("run", "--task", "recgaze", "--data", "sample", "--simulators", "uniform", "--out", "before")
    assert (alone / "predictions.parquet").read_bytes() == before  # its trials are kept, its files are the same


def test_it_is_compared_under_stress(ran):
    ran.call("stress", "run", "--simulators", "walker", "--swap-users")
    table = pq.read_table(ran.work / "run" / "stress" / "swap-users" / "predictions.parquet")
    assert table["steps"].null_count == 0
    (trial,) = (p for p in (ran.work / "run" / "trials").glob("*/trial.json") if "Walker" in p.read_text())
    stored = pq.read_table(trial.parent / "predictions.parquet")
    rows = stored.to_pylist()
    rows[0]["steps"] = rows[0]["steps"][::-1]
    pq.write_table(pa.Table.from_pylist(rows, schema=stored.schema), trial.parent / "predictions.parquet")
    (ran.work / "run" / "stress").rename(ran.work / "away")
    said = ran.call("stress", "run", "--simulators", "walker", "--swap-users", status=2)
    assert "does not predict again what its trial predicted (steps is up to" in said
    (ran.work / "away").rename(ran.work / "run" / "stress")
    pq.write_table(stored, trial.parent / "predictions.parquet")


def test_it_is_packed_checked_and_submitted(ran):
    ran.call("pack", "run", "--simulator", "walker", "--out", "submission")
    ran.call("doctor", "submission")
    ran.call("submit", "submission", "--board", "board")
    assert "came out again as it is stored" in ran.call("leaderboard", "verify", "--board", "board")
    stored = [pq.read_table(path) for path in (ran.work / "board" / "predictions").iterdir()]
    assert sorted("steps" in table.column_names for table in stored) == [False] * (len(stored) - 1) + [True]


def test_it_is_refused_in_the_same_words_everywhere(ran):
    rows = pq.read_table(ran.work / "run" / "predictions.parquet").to_pylist()
    rows = [row for row in rows if row["simulator"] == "walker"]
    rows[1]["steps"] = rows[1]["steps"][:-1]
    rows[2]["steps"][0] = [0.5] * 16
    rows[3]["steps"][0] = [1.0]
    path = ran.work / "bad.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    said = ran.call("score", "bad.jsonl", "--task", "recgaze", "--data", "sample", status=2)
    first = f"row 2: steps has the shape {len(rows[1]['steps'])} x 16."
    assert first in said and "(2 more problems in other rows.)" in said
    if not (ran.work / "submission").exists():
        ran.call("pack", "run", "--simulator", "walker", "--out", "submission")
    (file,) = (ran.work / "submission" / "predictions").rglob("*.parquet")
    file.unlink()
    kept = ("session_id", "probabilities", "steps")
    lines = "".join(json.dumps({name: row[name] for name in kept}) + "\n" for row in rows)
    file.with_suffix(".jsonl").write_text(lines, encoding="utf-8")
    said = ran.call("doctor", "submission", status=1)
    assert first in said and "row 3: steps has a row that does not sum to 1." in said
    assert "row 4: steps has the shape of lists that differ in length." in said
