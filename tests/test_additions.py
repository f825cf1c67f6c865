"""A part, a metric and statistics added to a copy of the project, one file and one line each, go through every verb.

The part is lists of lists whose shape depends on the session; the metric is better when lower; the statistics are a
test and an interval. A run, a submission and a board were made before they were added.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark.output.units import interval
from tests.documents.blocks import blocks
from tests.project_copy import ProjectCopy

pytestmark = pytest.mark.slow

[PART] = [block.text for block in blocks("CONTRIBUTING.md") if "PART = Part(" in block.text]
[SIGN] = [block.text for block in blocks("CONTRIBUTING.md") if "STATISTIC = Statistic(" in block.text]

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
simulators: [uniform, position-prior, user-prior, "simulator.py:Walker"]
reference: uniform
seeds: [42]
"""

METRIC = '''"""Missed: the probability that the simulator does not give to the clicked slot, 1 - p[click]."""

from __future__ import annotations

import numpy as np

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import Metric


def missed(block: Block) -> Floats:
    """Return 1 - p[click] per session, shape (n,)."""
    found: Floats = 1.0 - block.probabilities.share[block.click, np.arange(block.click.size)]
    return found


METRICS = (
    Metric(
        name="Missed",
        family="click",
        against="click",
        needs=("probabilities",),
        higher_is_better=False,
        range=(0.0, 1.0),
        worst=1.0,
        unit="probability",
        citation="made up, to show what a metric is",
        definition="Probability that is not given to the clicked slot.",
        function=missed,
    ),
)
'''

LAYOUT = """task: recgaze
simulators: [backbone, position-prior]
seeds: [42]
reference: backbone
layout:
  part: missed
  title: What is missed
  backbones: [qwen3-vl]
  operators: [glimpse]
  rows: {backbone: Backbone, position-prior: Prior}
  metrics: [LogLoss, Missed]
  improvement: [position-prior, backbone]
"""

REPORTED = "method,Missed,AUC\nbase,0.80,0.50\nours,0.60,1.40\nimprovement,25.0,\nimpossible,1.40,0.50\n"

EXTREMES = '''"""From the lowest user to the highest."""

from __future__ import annotations

from benchmark.statistics.statistic import Sample, Statistic


def extremes(sample: Sample) -> tuple[float, float]:
    """Return the lowest and the highest value."""
    return float(sample.values.min()), float(sample.values.max())


STATISTIC = Statistic("extremes", "all users", "interval", "Lowest and highest user.", extremes)
'''

RUN = ("run", "--task", "recgaze", "--data", "sample", "--simulators", "uniform,position-prior,user-prior")


@pytest.fixture(scope="module")
def ran(tmp_path_factory) -> Iterator[ProjectCopy]:
    """A copy with the additions, in which a simulator that gives the part was run; what is old knew nothing of them."""
    with ProjectCopy(tmp_path_factory.mktemp("copy")) as copy:
        copy.call(*RUN, "--out", "old-run")
        (copy.work / "named.yaml").write_text("name: habits\n", encoding="utf-8")  # the suite's own name is taken
        named = ("--about", "named.yaml", "--out", "old-submission")
        copy.call("pack", "old-run", "--simulator", "user-prior", *named)
        copy.call("submit", "old-submission", "--board", "board")
        (copy.work / "old.md").write_text(copy.call("table", "old-run", "--format", "markdown"), encoding="utf-8")
        parts = "benchmark/parts/__init__.py"
        copy.add("benchmark/parts/steps.py", PART)
        copy.add_line(parts, "from benchmark.parts.part import Part", "from benchmark.parts import steps")
        line = "PARTS: tuple[Part, ...] = (attention.PART, probabilities.PART, answer.PART, next_visit.PART)"
        copy.add_line(parts, line, "PARTS = (*PARTS, steps.PART)")
        last = "    next_visit: Floats | None = None"
        copy.add_line("benchmark/simulator.py", last, "    steps: Floats | None = None")
        copy.add("benchmark/metrics/missed.py", METRIC)
        copy.replace("benchmark/metrics/registry.py", '"auc", ', '"auc", "missed", ')
        copy.add("configs/tables/missed.yaml", LAYOUT)
        copy.add("benchmark/statistics/sign.py", SIGN)
        copy.add("benchmark/statistics/extremes.py", EXTREMES)
        last = '"bootstrap")'
        copy.replace("benchmark/statistics/registry.py", last, '"bootstrap", "sign", "extremes")')
        (copy.work / "simulator.py").write_text(SIMULATOR, encoding="utf-8")
        (copy.work / "config.yaml").write_text(CONFIG, encoding="utf-8")
        copy.call("run", "--config", "config.yaml", "--out", "run")
        copy.call("report", "run", "--html", "report.html")
        yield copy


@pytest.fixture(scope="module")
def page(ran) -> str:
    """The page of the run."""
    return str((ran.work / "report.html").read_text(encoding="utf-8"))


def test_a_part_is_stored_where_it_is_there(ran):
    table = pq.read_table(ran.work / "run" / "predictions.parquet")
    for row in table.to_pylist():
        if row["simulator"] == "walker":
            assert np.shape(row["steps"]) == (len(row["session_id"]), 16)
        else:
            assert row["steps"] is None
    again = shutil.copytree(ran.work / "old-run", ran.work / "again") / "predictions.parquet"
    before = again.read_bytes()
    ran.call(*RUN, "--out", "again")
    assert again.read_bytes() == before  # its trials are kept, its files are the same


def test_a_part_is_compared_under_stress(ran):
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


def test_a_part_is_refused_in_the_same_words_everywhere(ran):
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
    ran.call("pack", "run", "--simulator", "walker", "--out", "spoilt")
    (file,) = (ran.work / "spoilt" / "predictions").rglob("*.parquet")
    file.unlink()
    kept = ("session_id", "probabilities", "steps")
    lines = "".join(json.dumps({name: row[name] for name in kept}) + "\n" for row in rows)
    file.with_suffix(".jsonl").write_text(lines, encoding="utf-8")
    said = ran.call("doctor", "spoilt", status=1)
    assert first in said and "row 3: steps has a row that does not sum to 1." in said
    assert "row 4: steps has the shape of lists that differ in length." in said


def test_part_and_metric_are_submitted_and_boards_made_before_are_scored_again(ran):
    noted = ran.call("leaderboard", "verify", "--board", "board")
    assert "not scored yet" in noted and "Missed" in noted
    ran.call("doctor", "old-submission")
    ran.call("pack", "run", "--simulator", "walker", "--out", "submission")
    ran.call("doctor", "submission")
    ran.call("submit", "submission", "--board", "board")
    stored = [pq.read_table(path) for path in (ran.work / "board" / "predictions").iterdir()]
    assert sorted("steps" in table.column_names for table in stored) == [False] * (len(stored) - 1) + [True]
    assert "Missed↓" in ran.call("leaderboard", "--board", "board")
    ran.call("leaderboard", "rescore", "--board", "board")
    verified = ran.call("leaderboard", "verify", "--board", "board")
    assert "not scored yet" not in verified and "came out again as it is stored" in verified
    lines = ran.call("leaderboard", "--board", "board", "--format", "csv").splitlines()
    assert any("Missed" in line for line in lines)


def test_a_metric_is_in_a_run_its_tables_and_its_page(ran, page):
    record = json.loads((ran.work / "run" / "results.json").read_text(encoding="utf-8"))
    means = {row["name"]: row["metrics"]["Missed"]["mean"] for row in record["simulators"]}
    assert means["uniform"] == pytest.approx(1 - 1 / 15)
    assert "Missed↓" in ran.call("table", "run")
    assert "Missed↓" in ran.call("table", "run", "--format", "markdown")
    assert "Missed" not in ran.call("table", "old-run")  # it was scored before
    assert "Missed↓" in ran.call("score", "old-run/predictions.parquet", "--task", "recgaze", "--data", "sample")
    assert "Missed↓" in page
    assert "Missed" in ran.call("list", "metrics")


def test_a_reproduced_table_shows_a_metric_and_is_audited(ran):
    assert "Missed" in ran.call("reproduce", "missed", "--data", "sample", "--out", "reproduced")
    table = json.loads((ran.work / "reproduced" / "missed.json").read_text(encoding="utf-8"))
    gain = next(row for row in table["rows"] if row["kind"] == "improvement")["cells"]["Missed"]["value"]
    prior, backbone = (
        next(row["cells"]["Missed"]["value"] for row in table["rows"] if row["method"] == name)
        for name in ("Prior", "Backbone")
    )
    assert gain == pytest.approx((backbone - prior) / backbone * 100)  # positive where it is better
    audited = json.loads(ran.call("audit", "reproduced", "--format", "json"))
    looked = {check["check"]: check["checked"] for check in audited["checks"]}
    assert looked["improvement"] == 2 and looked["range"] == 4


def test_a_report_of_a_metric_is_audited(ran):
    (ran.work / "reported.csv").write_text(REPORTED, encoding="utf-8")
    text = ran.call("audit", "reported.csv", "--baseline", "base", "--format", "json", status=1)
    found = json.loads(text)["findings"]
    assert {(f["check"], f["where"], f["metric"]) for f in found if f["severity"] == "impossible"} == {
        ("range", "ours", "AUC"),
        ("range", "impossible", "Missed"),
    }
    assert "does not know" not in text


def test_a_test_and_an_interval_come_out_in_results_tables_and_pages(ran, page):
    before, after = (json.loads((ran.work / run / "results.json").read_text()) for run in ("old-run", "run"))
    assert ran.call("table", "old-run", "--format", "markdown") != (ran.work / "old.md").read_text(encoding="utf-8")
    compared = after["comparisons"][0]
    assert 0 < compared["p_sign"] <= 1 and compared["p_t"] == before["comparisons"][0]["p_t"]
    low, high = compared["intervals"]["extremes"]
    assert low <= compared["low"] <= compared["high"] <= high
    mean = after["simulators"][0]["metrics"]["KL"]
    assert mean["intervals"]["extremes"][0] <= mean["mean"] <= mean["intervals"]["extremes"][1]
    table = (ran.work / "run" / "table.md").read_text(encoding="utf-8")
    shown = interval(low, high, sign="+").strip("[]")  # Markdown escapes brackets
    for words in ("sign test", "all users", shown):
        assert words in table and words in page
