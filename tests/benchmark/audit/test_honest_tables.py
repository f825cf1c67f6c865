"""Properties: what was printed honestly is never impossible, what was changed afterwards is found."""

from __future__ import annotations

import copy
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.audit import audit, granularity
from benchmark.audit.printed import printed
from tests.benchmark.audit import simulated


def impossible(document):
    return [finding for finding in audit(simulated.reported(document)) if finding.severity == "impossible"]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(5, 90), st.integers(2, 7), st.integers(2, 6), st.booleans())
def test_an_honest_table_is_never_impossible(seed, sessions, seeds, decimals, sd_given):
    assert impossible(simulated.table(seed, sessions, seeds, decimals, sd_given)) == []


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(simulated.COUNTS), st.integers(1, 9), st.sampled_from([-1, 1]))
def test_a_changed_mean_is_found(seed, metric, digits, sign):
    document = simulated.table(seed, sessions=40, seeds=5)
    cell = document["rows"][2]["values"][metric]
    changed = Decimal(cell["mean"]) + sign * digits * Decimal("0.0001")
    cell["mean"] = str(changed)
    most = 40 * 5 * (3 if metric == "TGO@3" else 1)
    assert not granularity.fits(printed(str(changed)), most)  # steps of 1/600 = 0.0017 are wider than 9 digits
    found = [f for f in audit(simulated.reported(document)) if f.check == "grim" and f.metric == metric]
    assert [f.where for f in found] == ["table 1, toy, method"]
    low, high = printed(str(changed)).cut
    assert found[0].severity == ("unlikely" if granularity.totals(low, high, most) else "impossible")


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(["AUC", "KL", "LogLoss", "CSH@3"]), st.sampled_from([-1, 1]))
def test_a_changed_improvement_is_found(seed, metric, sign):
    document = simulated.table(seed, sessions=60, seeds=5)
    cell = document["rows"][2]["values"][metric]
    cell["improvement"] = f"{Decimal(cell['improvement']) + sign * Decimal('400'):.2f}"
    assert [f.check for f in impossible(document)] == ["improvement"]


@pytest.mark.parametrize("seed", range(6))
def test_an_sd_between_whole_sums_is_found(seed):
    document = simulated.table(seed, sessions=40, seeds=5)
    document["settings"]["toy"]["sd"] = "sample"
    cell = copy.deepcopy(document["rows"][2]["values"]["Accuracy"])
    # squared deviations of 5 counts over 40 sum to multiples of 2/5; 0.0001 is nowhere near an SD but 0
    document["rows"][2]["values"]["Accuracy"] = {"mean": cell["mean"], "sd": "0.0001"}
    assert [f.check for f in impossible(document)] == ["grimmer"]
