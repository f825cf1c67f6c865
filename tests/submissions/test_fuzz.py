"""A hundred damaged submissions; ``python -m tests.fuzz --submissions 10000`` runs more."""

from __future__ import annotations

import resource
from collections import Counter

import pytest

import tasks
from benchmark.cli import main
from submissions.examples import GOOD
from tests.submissions import mutations
from tests.submissions.fuzzing import BoardCase, run_case

CASES = 100
BOARD_CASES = 25


@pytest.fixture(scope="module")
def sample():
    return tasks.load("recgaze", "sample")


@pytest.mark.slow
def test_damaged_submissions_are_refused_in_clear_lines_or_scored_for_what_they_say(sample, tmp_path):
    base = mutations.load(GOOD)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for number in range(CASES):
        outcome, problems, done = run_case(base, sample, number, tmp_path / str(number))
        outcomes[outcome] += 1
        kinds.update({p.kind for p in problems})
        assert done or outcome == "accepted", number  # what was not damaged is accepted
    assert outcomes["accepted"] > CASES // 20 and outcomes["refused"] > CASES // 2
    assert {"schema", "missing", "twice", "unknown", "length", "nan", "file", "link", "digest"} <= set(kinds)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 1024**3


@pytest.mark.slow
def test_submit_takes_a_damaged_submission_with_the_scores_of_its_files_or_leaves_the_board(
    sample, tmp_path, monkeypatch
):
    monkeypatch.setattr(tasks, "load", lambda name, *_, **__: sample)  # once, not once a case
    case = BoardCase(mutations.load(GOOD), sample, tmp_path / "board", main)
    outcomes = Counter(case.run(number, tmp_path / str(number))[0] for number in range(BOARD_CASES))
    assert outcomes["accepted"] >= 3 and outcomes["refused"] > BOARD_CASES // 2
