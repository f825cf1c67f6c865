"""``results.json``: what this version writes is read back, and so is what older versions wrote."""

from __future__ import annotations

import dataclasses
import json

import pytest

from benchmark.scores import results
from benchmark.scores.results import ComparisonResult, Corrected, MetricResult, Results, SimulatorResult

MEAN = MetricResult(0.5, 0.25, 0.75, None, 4, {"score": (0.3, 0.7)})
COMPARED = ComparisonResult("b", "KL", -0.1, -0.2, 0.0, {"t": 0.02, "wilcoxon": None, "sign": 0.25}, 0.04, 0.3)
FOUND = Results(
    schema_version=results.SCHEMA_VERSION,
    task="recgaze",
    version="1",
    title="RecGaze",
    data=None,
    notice="",
    split="loo",
    digest="d" * 64,
    n_sessions=4,
    n_users=4,
    n_train=(8,),
    seeds=(1, 2),
    reference="a",
    family=("KL",),
    alpha=0.05,
    packages={},
    resolution={"KL": None},
    simulators=(SimulatorResult("b", True, ("image",), {}, 0, {"KL": MEAN}),),
    comparisons=(COMPARED,),
    n_screens=3,
    corrected=(Corrected(("KL", "AUC"), 7),),
    equal={"c": "b"},
)


def test_results_are_read_back(tmp_path):
    (tmp_path / "results.json").write_text(results.to_json(FOUND), encoding="utf-8")
    found = results.read(tmp_path)
    assert found.comparisons == FOUND.comparisons
    assert (found.n_screens, found.corrected, found.equal) == (3, FOUND.corrected, FOUND.equal)
    assert {name: tuple(ends) for name, ends in found.simulators[0].metrics["KL"].intervals.items()} == MEAN.intervals


def test_a_test_is_found_by_its_name(tmp_path):
    compared = json.loads(results.to_json(FOUND))["comparisons"][0]
    assert (compared["p_t"], compared["p_wilcoxon"], compared["p_sign"], compared["p_holm"]) == (0.02, None, 0.25, 0.04)


def test_results_of_an_older_version_are_read(tmp_path):
    raw = json.loads(results.to_json(FOUND))
    old = {"simulator": "b", "metric": "KL", "difference": -0.1, "low": None, "high": None, "smallest_difference": None}
    raw["comparisons"] = [{**old, "p_t": 0.5, "p_wilcoxon": 0.25, "p_bootstrap": None, "p_holm": 1.0}]
    del raw["simulators"][0]["metrics"]["KL"]["intervals"], raw["n_screens"], raw["corrected"], raw["equal"]
    (tmp_path / "results.json").write_text(json.dumps(raw), encoding="utf-8")
    found = results.read(tmp_path)
    assert (found.n_screens, found.corrected, found.equal) == (None, (), {})
    assert found.comparisons[0].tests == {"t": 0.5, "wilcoxon": 0.25, "bootstrap": None}
    assert found.simulators[0].metrics["KL"] == dataclasses.replace(MEAN, intervals={})
    assert found.comparisons[0].p_holm == pytest.approx(1.0)
