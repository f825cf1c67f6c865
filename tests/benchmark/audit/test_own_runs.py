"""A run of this suite, from its scores to its audit: what the results say of the slots."""

from __future__ import annotations

import json
import math

import pytest

from benchmark.audit import audit, read
from benchmark.metrics import get
from benchmark.runs.runner import run
from benchmark.scores import results
from benchmark.trials.configuration import RunConfig
from tests.benchmark.toys import Toys


@pytest.fixture(scope="module")
def folder(mini, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    run(RunConfig("mini", simulators=("sharp", "noisy"), reference="sharp", seeds=(1, 2)), mini, Toys(), out)
    return out


def test_results_hold_the_number_of_slots(folder):
    found = results.read(folder)
    assert found.slots == (4,) and found.uniform_logloss == pytest.approx(math.log(4))


def test_a_run_is_held_against_uniform_probabilities_without_a_row_of_them(folder):
    found = read(folder)
    assert found.setting(found.rows[0]).uniform_logloss == pytest.approx(math.log(4))
    worse = {row.method for row in found.rows if "LogLoss" in row.cells and float(row.cells["LogLoss"].mean) > 1.387}
    assert {f.where.partition(", ")[2] for f in audit(found) if f.check == "uniform"} == worse == {"sharp"}
    assert [f for f in audit(found) if f.severity == "impossible"] == []


def test_results_of_older_versions_are_read(folder, tmp_path):
    raw = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    del raw["slots"], raw["uniform_logloss"]
    (tmp_path / "results.json").write_text(json.dumps(raw), encoding="utf-8")
    found = results.read(tmp_path)
    assert found.slots == () and found.uniform_logloss is None
    assert not [f for f in audit(read(tmp_path)) if f.check == "uniform"]


def test_a_mean_of_a_run_that_was_changed_is_found(folder, tmp_path):
    raw = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    for row in raw["simulators"]:
        for metric, value in row["metrics"].items():
            ends = {value["low"], value["high"]}
            if value["low"] is None or len(ends) == 1 or ends & set(get(metric).range):  # cut at the range
                continue
            before = value["mean"]
            value["mean"] = before + 0.001
            (tmp_path / "results.json").write_text(json.dumps(raw), encoding="utf-8")
            value["mean"] = before
            found = [f for f in audit(read(tmp_path)) if f.severity == "impossible"]
            assert "interval" in {f.check for f in found} and {f.metric for f in found} == {metric}
