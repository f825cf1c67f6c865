"""Means in which ties count with their chance: every honest one passes to the last digit, a changed one does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.audit import Setting, granularity, grim
from benchmark.audit.printed import computed, printed
from benchmark.audit.reported import Cell, Reported, Row
from benchmark.metrics import evaluate_sessions

COUNTS = ("CSH@1", "CSH@3", "TGO@1", "TGO@3", "Accuracy")


def one(cells, fixed=False, **known):
    setting = Setting(**{"average": "sessions", "ties": "expected", **known})
    return Reported("x", (Row("", "t", "", "", "m", fixed, cells),), {"t": setting})


def means(seed: int, sessions: int, seeds: int, slots: list[int]) -> dict[str, float]:
    """Return metric -> mean over sessions and seeds of predictions and gaze that are full of ties."""
    generator = np.random.default_rng(seed)
    sizes = generator.choice(slots, size=sessions)
    gaze = [generator.integers(1, 3, size=k).astype(float) for k in sizes]
    click = [int(generator.integers(k)) for k in sizes]
    scores = []
    for _ in range(seeds):
        attention, p = ([generator.integers(1, 4, size=k).astype(float) for k in sizes] for _ in range(2))
        p = [values / values.sum() for values in p]
        scores.append(evaluate_sessions(gaze, click, attention, p)[list(COUNTS)].mean())
    return {metric: float(np.mean([of_seed[metric] for of_seed in scores])) for metric in COUNTS}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 30), st.integers(1, 5), st.integers(2, 7))
def test_an_honest_mean_is_never_impossible(seed, sessions, seeds, slots):
    cells = {metric: Cell(computed(value)) for metric, value in means(seed, sessions, seeds, [slots]).items()}
    outcome = grim.check(one(cells, n_sessions=sessions, n_seeds=seeds, n_slots=slots))
    assert outcome.checked == len(COUNTS)
    assert {finding.severity for finding in outcome.findings} <= {"note"}


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 20), st.integers(1, 3))
def test_nor_where_the_number_of_slots_varies(seed, sessions, seeds):
    cells = {metric: Cell(computed(value)) for metric, value in means(seed, sessions, seeds, [2, 4, 5]).items()}
    outcome = grim.check(one(cells, n_sessions=sessions, n_seeds=seeds, most_slots=5))
    assert {finding.severity for finding in outcome.findings} <= {"note"}
    assert outcome.checked == len(COUNTS)
    # TGO@3 counts two slots of two, so that no whole count over three is due to it
    assert not any("TGO@3" in finding.metric for finding in outcome.findings)


@pytest.mark.parametrize("metric", COUNTS)
def test_a_mean_that_no_ties_give_is_impossible(metric):
    setting = {"n_sessions": 24, "n_seeds": 2, "n_slots": 5}
    report = one({metric: Cell(computed(0.13131313))}, **setting)
    (finding,) = grim.check(report).findings
    assert finding.severity == "impossible" and "whatever ties among 5 slots" in finding.what


def test_a_mean_between_two_counts_is_noted():
    report = one({"CSH@1": Cell(printed("0.130")), "Accuracy": Cell(printed("0.167"))}, n_sessions=24, n_seeds=2)
    (finding,) = grim.check(report).findings
    assert (finding.severity, finding.metric) == ("note", "CSH@1") and "only ties" in finding.what
    assert "CSH@1 0.130 x 48 = 6.240" in finding.arithmetic
    # 8/48 of two seeds, 4/24 of one; 7/48 is none of one
    assert grim.check(one({"CSH@1": Cell(printed("0.146"))}, n_sessions=24, n_seeds=2)).findings == []
    assert len(grim.check(one({"CSH@1": Cell(printed("0.146"))}, True, n_sessions=24, n_seeds=2)).findings) == 1


def test_nothing_is_known_of_users_that_weigh_alike():
    report = one({"CSH@1": Cell(computed(0.13131313))}, n_sessions=24, n_seeds=2, n_slots=5, average="users")
    outcome = grim.check(report)
    assert outcome.checked == 0 and outcome.findings == [] and outcome.reason


def test_shares_of_a_run():
    known = {"average": "sessions", "ties": "expected", "n_sessions": 10}
    assert granularity.shares("CSH@1", Setting(**known, n_slots=4)) == 10 * 12
    assert granularity.shares("Accuracy", Setting(**known, most_slots=5)) == 10 * 60
    assert granularity.shares("TGO@3", Setting(**known, n_slots=4)) == 10 * 12 * 12 * 3
    assert granularity.shares("TGO@3", Setting(**known, most_slots=4)) == 10 * 12 * 12 * 6
    assert granularity.shares("KL", Setting(**known, n_slots=4)) is None
    assert granularity.shares("CSH@1", Setting(**known)) is None
    assert granularity.shares("CSH@1", Setting(**{**known, "ties": "broken"}, n_slots=4)) is None
