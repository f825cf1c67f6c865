"""The paper's tables: carried over without a slip, and what the audit says of them."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path

import pytest

from baselines import registry as simulators
from baselines.probing import registry as operators
from benchmark import published
from benchmark.audit import audit, examine

REFERENCE = Path(__file__).parents[4] / "shared" / "reference" / "fixate_tables.json"


@pytest.fixture(scope="module")
def found():
    return audit(published.load())


def of(found, check):
    return [finding for finding in found if finding.check == check]


def test_every_number_is_that_of_the_reference_file():
    if not REFERENCE.is_file():
        pytest.skip(f"no reference file {REFERENCE}")
    reference = json.loads(REFERENCE.read_text(encoding="utf-8"))
    labels = ("table", "task", "backbone", "operator", "method")
    expected = {}
    for row in [*reference["tables"], *reference["significance"]]:
        for metric, value in row["metrics"].items():
            value = value if isinstance(value, dict) else {"mean": value}
            key = (*(str(row[label]) for label in labels), metric)
            expected[key] = value["mean"], value.get("std"), value.get("stars")
    table = published.load()
    given = {
        (*(getattr(row, label) for label in labels), metric): (
            float(cell.mean),
            None if cell.sd is None else float(cell.sd),
            cell.stars,
        )
        for row, metric, cell in table.cells()
    }
    assert given == expected and table.source == reference["source"]
    for task, n in reference["n_test"].items():
        assert (table.settings[task].n_sessions, table.settings[task].n_seeds) == (n, reference["n_seeds"])


def test_rows_are_found_by_our_names():
    row, *_ = published.originals("recgaze", "qwen3-vl", "glimpse", published.SIMULATORS["fixate"])
    assert row.table == "1" and str(row.cells["CSH@1"].mean) == "0.2368"
    assert published.originals("recgaze", "qwen3-vl", "glimpse", "uniform") == ()
    assert published.originals("recgaze", "another", "glimpse", "FixATE") == ()
    assert set(published.SIMULATORS) <= set(simulators.names())
    assert set(published.OPERATORS) <= set(operators.names())
    known = {(row.method, row.operator) for row in published.load().rows}
    assert {method for method, _ in known} == set(published.SIMULATORS.values())
    assert {operator for _, operator in known} == set(published.OPERATORS.values())
    assert {row.backbone for row in published.load().rows} == set(published.BACKBONES.values())


def test_nothing_in_the_paper_is_impossible(found):
    assert not [finding for finding in found if finding.severity == "impossible"]


def test_count_metrics_are_those_of_one_run(found):
    recgaze, auc, adserp = of(found, "one-run")
    assert recgaze.severity == "unlikely" and recgaze.where == "recgaze"
    assert "CSH@1/CSH@3/CSH@5/TGO@1/Accuracy: 80 of 80 multiples of 1/76" in recgaze.what
    assert "TGO@3: 15 of 16 multiples of 1/228; TGO@5: 16 of 16 multiples of 1/380" in recgaze.what
    assert "TGO@3 0.1263 (table 2, recgaze, Qwen3-VL-4B-Instruct, AttnLRP, Rand. SP)" in recgaze.what
    assert adserp.where == "adserp" and "6 of 6 multiples of 1/33" in adserp.what and "6.4e-05" in adserp.arithmetic
    assert auc.metric == "AUC" and "13 of 16" in auc.what and "may be defined otherwise" in auc.what


def test_the_same_by_counting_without_the_audit():
    whole = total = 0
    for row in published.load().rows:
        sessions = {"recgaze": 76, "adserp": 33}[row.task]
        for metric, cell in row.cells.items():
            if metric.startswith(("CSH", "Accuracy", "TGO@1")):
                total += 1
                nearest = Fraction(round(cell.mean.value * sessions), sessions)
                whole += abs(nearest - cell.mean.value) <= Fraction(1, 20000)
    assert whole == total == 166


def test_every_backbone_is_worse_than_uniform_on_recgaze(found):
    first = of(found, "uniform")[0]
    assert first.where == "recgaze, Backbone" and first.what.startswith("6 of 6 rows")
    assert "ln 15 = 2.708" in first.what and "+0.0779" in first.arithmetic and "+0.0877" in first.arithmetic
    assert 2.786 - math.log(15) == pytest.approx(0.0779, abs=1e-4)


def test_sds_and_stars_fit(found):
    assert all("fit as sample SDs" in finding.what for finding in of(found, "grimmer"))
    (stars,) = of(found, "stars")
    assert stars.what.startswith("48 of 48 stars follow") and "47 with the numbers as printed" in stars.what
    assert "33 is the smallest number of test sessions" in of(found, "grim")[0].what


def test_accuracy_on_adserp_is_csh_at_1(found):
    (finding,) = of(found, "coincide")
    assert (finding.severity, finding.where, finding.metric) == ("unlikely", "adserp", "CSH@1, Accuracy")
    assert "all 4 rows" in finding.what and "elsewhere in the report 0 of 22" in finding.what
    # of the subsets of 4 among 26 rows, one is that of AdSERP
    assert f"{1 / (26 * 25 * 24 * 23 / 24):.2g}" in finding.arithmetic


def test_what_was_looked_at():
    looked = {outcome.check: outcome.checked for outcome in examine(published.load())}
    assert looked == {
        "range": 384,
        "order": 52,
        "grim": 218,
        "grimmer": 24,
        "improvement": 0,
        "stars": 48,
        "one-run": 134,
        "uniform": 22,
        "repeat": 96,
        "interval": 0,
        "interval-range": 0,
        "coincide": 81,
        "quoted": 0,
    }
