"""The families of metrics fit the registry of metrics, and what the suite lists by default comes from them."""

from __future__ import annotations

import dataclasses

import pytest

from benchmark.metrics import all_metrics, get
from benchmark.metrics.families import FAMILIES, family, headlines, main_metrics
from benchmark.runs.search.space import Space
from benchmark.trials.configuration import RunConfig
from tasks.errors import InputError


@pytest.mark.parametrize("one", FAMILIES, ids=lambda one: one.name)
def test_a_family_names_metrics_of_its_own(one):
    assert one.headline in one.main
    assert {get(name).family for name in one.main} == {one.name}


def test_every_metric_belongs_to_a_family_that_has_its_parts():
    for metric in all_metrics():
        assert set(metric.needs) <= set(family(metric.family).parts), metric.name


def test_a_metric_knows_both_ends_of_its_scale():
    assert (get("KL").prior, get("KL").human_reference) == ("position-prior", "other-users")
    assert (get("CSH@1").prior, get("CSH@1").human_reference) == ("position-prior", "gaze-oracle")
    assert (get("LogLoss").prior, get("LogLoss").human_reference) == ("position-prior", "gaze-oracle")


def test_a_family_that_stays_apart_is_in_no_default():
    assert [one.name for one in FAMILIES if one.apart] == ["order"]
    assert (get("NextSlot").prior, get("NextSlot").human_reference) == ("step-markov", "other-paths")


def test_defaults_come_from_the_families():
    assert RunConfig("recgaze").family == main_metrics() == ("KL", "Accuracy", "LogLoss", "AUC")
    assert Space({}).score == headlines() == ("KL", "LogLoss")


def test_an_unknown_family_or_comparison_is_refused():
    with pytest.raises(InputError, match="clicks"):
        family("clicks")
    with pytest.raises(InputError, match="looks"):
        dataclasses.replace(get("KL"), family="looks")
    with pytest.raises(ValueError, match="no human reference for 'gaze'"):
        dataclasses.replace(get("AUC"), against="gaze")
