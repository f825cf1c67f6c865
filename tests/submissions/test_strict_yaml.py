from __future__ import annotations

import time

import pytest

from benchmark.files import plain_yaml
from submissions.problems import DEFAULT
from tasks.errors import InputError


def load(data, limits):
    return plain_yaml.load(data, depth=limits.metadata_depth, values=limits.metadata_values)


def test_plain_values():
    text = "a: [1, 2.5, 'x', null, true]\nb: {c: d}\n"
    assert load(text.encode(), DEFAULT) == {"a": [1, 2.5, "x", None, True], "b": {"c": "d"}}


LAUGHS = "l0: &l0 [lol]\n" + "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 30))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "line 1: anchors and aliases"),
        ("a: &a [*a]", "line 1: anchors and aliases"),
        ("a: *b", "line 1: anchors and aliases"),
        ("x: 1\na: !!python/object/apply:os.system ['true']", "line 2: the tag tag:yaml.org,2002:python/object"),
        ("a: !!binary aGVsbG8=", "the tag tag:yaml.org,2002:binary"),
        ("a: " + "[" * 5000, "nested deeper than 8"),
        ("a:\n" + "".join(f"  k{i}: {{}}\n" for i in range(6000)), "more than 5000 values"),
        ("a: 1\nb: 2\na: 3", "line 3: it is not YAML: the key 'a' appears twice"),
        ("a: {b: 1, b: 2}", "the key 'b' appears twice"),
        ("<<: {a: 1}", "a key is not plain text"),
        ("? [a]\n: 1", "a key is not plain text"),
        ("a: [1", "it is not YAML"),
        ("a: 2020-99-99", "a value cannot be read"),
        ("a: " + "9" * 5000, "a value cannot be read"),
        ("\x00", "it is not YAML"),
        ("a: 1\n---\nb: 2", "it is not YAML"),
        ("%YAML 9.9\n---\na: 1", "it is not YAML"),
    ],
)
def test_what_is_more_than_plain_values_is_refused_in_one_line(text, message):
    start = time.process_time()
    with pytest.raises(InputError) as caught:
        load(text.encode(), DEFAULT)
    assert message in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).isascii()
    assert time.process_time() - start < 5  # a bomb would take for ever


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(InputError, match="byte 3 is not UTF-8"):
        load(b"a: \xff", DEFAULT)
