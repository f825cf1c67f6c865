"""Verdicts: each sentence by hand from the tests that it reports."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmark.metrics.families import family
from benchmark.scores import table, verdict
from benchmark.scores.results import BestLine
from benchmark.scores.verdict import FamilyTests, mark, sentences
from tests.benchmark.scores.test_results import COMPARED, FOUND

CLICK, GAZE = family("click"), family("attention")


def test_the_verdict_of_two_families():
    click = FamilyTests(
        CLICK,
        "prior",
        {
            "fixate": {"Accuracy": "", "LogLoss": "▲", "AUC": "▲"},
            "habit": {"LogLoss": "", "AUC": ""},
            "uniform": {"LogLoss": "▼", "AUC": "▼"},
            "odd": {"LogLoss": "▲", "AUC": "▼"},
        },
        "fixate",
        {"prior": True, "habit": False, "uniform": True, "odd": True},
    )
    gaze = FamilyTests(
        GAZE, "prior", {"user": {"KL": "▲"}, "fixate": {"KL": ""}}, "user", {"prior": True, "fixate": True}
    )
    assert sentences([click, gaze]) == [
        "fixate clicks better than prior (LogLoss, AUC ▲), is not separable from habit on clicks, and looks worse than "
        "user (KL ▼).",
        "user looks better than prior (KL ▲) and looks better than every other line (KL ▲).",
        "On clicks, worse than prior: uniform (LogLoss, AUC ▼); better and worse than it: odd (LogLoss ▲; AUC ▼); "
        "not separable from it: habit.",
        "On gaze, not separable from prior: fixate.",
    ]


def test_nothing_is_said_without_tests():
    assert sentences([FamilyTests(CLICK, "prior", {}), FamilyTests(GAZE, "prior", {}, "alone", {})]) == []
    assert verdict.of(replace(FOUND, comparisons=(replace(COMPARED, p_holm=None),))) == []


def test_a_best_line_that_is_not_separable_from_the_reference_is_not_better_than_every_line():
    lead = FamilyTests(CLICK, "prior", {"a": {"LogLoss": ""}}, "a", {"prior": True, "b": True})
    assert sentences([lead]) == ["a is not separable from prior on clicks."]


def test_a_reference_that_is_the_best_line_is_compared_once_with_each():
    lead = FamilyTests(CLICK, "prior", {"a": {"LogLoss": "▼"}, "b": {"LogLoss": ""}}, "prior", {"a": True, "b": False})
    assert sentences([lead]) == [
        "prior is not separable from b on clicks.",
        "On clicks, worse than prior: a (LogLoss ▼); not separable from it: b.",
    ]


@pytest.mark.parametrize(
    ("difference", "metric", "p", "found"),
    [
        (-0.1, "KL", 0.05, "▲"),
        (0.1, "KL", 0.05, "▼"),
        (0.1, "AUC", 0.01, "▲"),
        (-0.1, "AUC", 0.01, "▼"),
        (0.1, "AUC", 0.051, ""),
        (0.1, "AUC", None, ""),
        (0.0, "AUC", 0.0, ""),
    ],
)
def test_a_mark_says_its_direction_and_nothing_where_no_difference_is_shown(difference, metric, p, found):
    assert mark(difference, metric, p, 0.05) == found


def test_the_verdict_of_results_comes_from_their_tests_and_their_best_lines():
    compared = replace(COMPARED, simulator="b", metric="KL", difference=-0.1, p_holm=0.04)
    found = replace(FOUND, comparisons=(compared,), best=(BestLine("KL", "b", 3, {"a": 0.03, "c": None}),))
    assert verdict.of(found) == ["b looks better than a (KL ▲) and looks better than every other line (KL ▲)."]
    assert verdict.of(found, ["click"]) == []
    unclear = replace(found, best=(BestLine("KL", "b", 3, {"a": 0.03, "d": 0.06}),))
    assert verdict.of(unclear) == ["b looks better than a (KL ▲) and is not separable from d on gaze."]


def test_the_legend_says_the_size_of_a_family_what_is_equal_and_what_few_screens_carry():
    text = "\n".join(table.legend(FOUND))
    assert "KL, AUC (m = 7)" in text and "c scores the same as b" in text and "Only 3 screens" in text
    assert "Only" not in "\n".join(table.legend(replace(FOUND, n_screens=8)))
    gone = replace(FOUND, comparisons=(), reference="z")
    assert "the reference, z, is not in this table" in "\n".join(table.legend(gone))
