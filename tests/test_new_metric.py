"""A metric is one file and one line: one that is better when lower is added to a copy and goes through every verb."""

from __future__ import annotations

import json

import pytest

from tests.project_copy import ProjectCopy

pytestmark = pytest.mark.slow

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

RUN = ("run", "--task", "recgaze", "--data", "sample", "--simulators", "uniform,position-prior,user-prior")


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> ProjectCopy:
    """A copy with a run, a submission and a board that were made before the metric was added."""
    copy = ProjectCopy(tmp_path_factory.mktemp("copy"))
    copy.call(*RUN, "--out", "old-run")
    copy.call("pack", "old-run", "--simulator", "user-prior", "--out", "old-submission")
    copy.call("submit", "old-submission", "--board", "board")
    copy.add("configs/tables/missed.yaml", LAYOUT)
    copy.add("benchmark/metrics/missed.py", METRIC)
    copy.add_line("benchmark/metrics/registry.py", '    "auc",', '    "missed",')
    return copy


def test_a_run_its_tables_and_its_page_have_it(before):
    before.call(*RUN, "--out", "run")
    record = json.loads((before.work / "run" / "results.json").read_text(encoding="utf-8"))
    means = {row["name"]: row["metrics"]["Missed"]["mean"] for row in record["simulators"]}
    assert means["uniform"] == pytest.approx(1 - 1 / 15)
    assert "Missed↓" in before.call("table", "run")
    assert "Missed↓" in before.call("table", "run", "--format", "markdown")
    assert "Missed" not in before.call("table", "old-run")  # it was scored before
    assert "Missed↓" in before.call("score", "run/predictions.parquet", "--task", "recgaze", "--data", "sample")
    before.call("report", "run", "--html", "report.html")
    assert "Missed↓" in (before.work / "report.html").read_text(encoding="utf-8")
    assert "Missed" in before.call("list", "metrics")


def test_a_reproduced_table_shows_it_and_is_audited(before):
    assert "Missed" in before.call("reproduce", "missed", "--data", "sample", "--out", "reproduced")
    table = json.loads((before.work / "reproduced" / "missed.json").read_text(encoding="utf-8"))
    gain = next(row for row in table["rows"] if row["kind"] == "improvement")["cells"]["Missed"]["value"]
    prior, backbone = (
        next(row["cells"]["Missed"]["value"] for row in table["rows"] if row["method"] == name)
        for name in ("Prior", "Backbone")
    )
    assert gain == pytest.approx((backbone - prior) / backbone * 100)  # positive where it is better
    audited = json.loads(before.call("audit", "reproduced", "--format", "json"))
    looked = {check["check"]: check["checked"] for check in audited["checks"]}
    assert looked["improvement"] == 2 and looked["range"] == 4


def test_it_is_submitted_and_boards_made_before_are_scored_again(before):
    noted = before.call("leaderboard", "verify", "--board", "board")
    assert "not scored yet" in noted and "Missed" in noted
    before.call("doctor", "old-submission")
    if not (before.work / "run").exists():
        before.call(*RUN, "--out", "run")
    before.call("pack", "run", "--simulator", "uniform", "--out", "submission")
    before.call("doctor", "submission")
    before.call("submit", "submission", "--board", "board")
    assert "Missed↓" in before.call("leaderboard", "--board", "board")
    before.call("leaderboard", "rescore", "--board", "board")
    verified = before.call("leaderboard", "verify", "--board", "board")
    assert "not scored yet" not in verified
    lines = before.call("leaderboard", "--board", "board", "--format", "csv").splitlines()
    assert any("Missed" in line for line in lines)


def test_a_report_of_it_is_audited(before):
    (before.work / "reported.csv").write_text(REPORTED, encoding="utf-8")
    text = before.call("audit", "reported.csv", "--baseline", "base", "--format", "json", status=1)
    found = json.loads(text)["findings"]
    assert {(f["check"], f["where"], f["metric"]) for f in found if f["severity"] == "impossible"} == {
        ("range", "ours", "AUC"),
        ("range", "impossible", "Missed"),
    }
    assert "does not know" not in text
