from __future__ import annotations

import math

import pytest

from submissions.json_schema import faults, schema, text_values
from tests.submissions.builder import metadata


def found(changes, mini):
    values = {**metadata(mini), **changes}
    return [(where, what, remedy) for where, what, remedy in faults(values, schema())]


def test_a_full_submission_keeps_to_it(mini):
    more = {
        "link": None,
        "failures": 0,
        "hardware": "one GPU",
        "cost": {"tokens": 3, "seconds": 0.5},
        "reported": [{"task": "recgaze", "split": "loo", "metric": "KL", "value": 0.5, "source": "a paper"}],
    }
    assert found(more, mini) == []
    assert list(faults(metadata(mini, seeds=(1.0,)), schema())) == []  # as JSON Schema has it, 1.0 is whole


@pytest.mark.parametrize(
    ("change", "where", "message"),
    [
        ({"format": 2}, "format", "Give 1"),
        ({"format": True}, "format", "Give 1"),
        ({"name": ""}, "name", "printable ASCII"),
        ({"name": "\u0405im"}, "name", "'\\\\u0405im'"),
        ({"name": "x" * 61}, "name", "printable ASCII"),
        ({"name": "a\n"}, "name", "printable ASCII"),
        ({"version": 1.1}, "version", "is the number 1.1"),
        ({"authors": []}, "authors", "has 0 entries"),
        ({"authors": "Ada"}, "authors", "Give a list"),
        ({"authors": ["Ada", "Ada"]}, "authors", "twice"),
        ({"authors": [""]}, "authors[0]", "is ''"),
        ({"contact": "nowhere"}, "contact", "an e-mail address or a web address"),
        ({"contact": "javascript:alert(1)"}, "contact", "an e-mail address or a web address"),
        ({"link": "javascript:alert(1)"}, "link", "A paper or the code"),
        ({"link": 'https://x.org/"onclick=alert(1)'}, "link", "A paper or the code"),
        ({"licence": False}, "licence", "the truth value false"),
        ({"description": "x" * 4001}, "description", "has 4001 characters"),
        ({"simulator": None}, "simulator", "is null"),
        ({"simulator": {"kind": "magic", "inputs": []}}, "simulator.kind", "one of prior"),
        ({"simulator": {"kind": "other", "inputs": ["gaze"]}}, "simulator.inputs[0]", "one of text"),
        ({"simulator": {"kind": "other"}}, "simulator.inputs", "is missing"),
        (
            {"simulator": {"kind": "other", "inputs": [], "backbone": {"name": "x", "parameters": math.nan}}},
            "simulator.backbone.parameters",
            "from 1 to",
        ),
        ({"attention": {"source": "x", "target": "Free"}}, "attention.target", "one of free, label, none"),
        ({"seeds": [1, 1]}, "seeds", "twice"),
        ({"seeds": [-1]}, "seeds[0]", "from 0 to"),
        ({"seeds": [1.5]}, "seeds[0]", "Give a whole number"),
        ({"seeds": [True]}, "seeds[0]", "Give a whole number"),
        ({"seeds": list(range(101))}, "seeds", "has 101 entries"),
        ({"digests": {"mini/kfold": "0" * 64}}, "digests.mini/kfold", "not a valid key"),
        ({"digests": {"mini@1/kfold": "abc"}}, "digests.mini@1/kfold", "is 'abc'"),
        ({"digests": {1: "0" * 64}}, "digests.1", "not a valid key"),
        ({"cost": {"tokens": math.inf}}, "cost.tokens", "from 0 to"),
        ({"cost": {"tokens": 10**4000}}, "cost.tokens", "a huge number"),
        ({"cost": {f"x{i}": 1 for i in range(51)}}, "cost", "has 51 entries"),
        ({"contakt": "x"}, "contakt", "Did you mean 'contact'?"),
    ],
)
def test_what_departs_from_it_is_named(change, where, message, mini):
    ((place, what, remedy),) = found(change, mini)
    assert place == where and message.replace("\\\\", "\\") in f"{what}. {remedy}"


def test_several_faults_are_named_at_once(mini):
    places = {where for where, _, _ in found({"name": 3, "seeds": [], "x": 1}, mini)}
    assert places == {"name", "seeds", "x"}


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_a_file_that_is_not_a_mapping(value):
    ((place, what, remedy),) = faults(value, schema())
    assert place == "" and remedy == "Give a mapping."


def test_every_field_is_described():
    rules = schema()["properties"]
    for name in set(rules) - {"simulator"}:
        assert rules[name]["description"].endswith("."), name
    assert set(schema()["required"]) <= set(rules)


def test_texts_are_found_everywhere():
    nested = {"a": ["x", {"b": "y"}], "c": 1}
    assert list(text_values(nested)) == [("a", "a"), ("a[0]", "x"), ("a[1].b", "b"), ("a[1].b", "y"), ("c", "c")]
