from __future__ import annotations

import hashlib

import pytest

from tasks.splits import canonical_row, split_digest

ROW = {"session_id": "u-1", "user": "u", "screen": "s", "click": 1, "gaze_ms": [0.0, 12.34, 100.0], "value": "train"}


def test_the_canonical_bytes():
    assert canonical_row(**ROW) == b'["u-1","u","s",1,["0.0","12.3","100.0"],"train"]\n'
    assert canonical_row("é\n", "u", "s", 0, [-0.0], 3) == b'["\\u00e9\\n","u","s",0,["0.0"],3]\n'


def test_sha256_over_the_rows_in_order():
    rows = [["a", "b"], ["u", "v"], ["s", "t"], [0, 1], [[1.0], [2.0, 3.0]], ["train", "test"]]
    text = b'["a","u","s",0,["1.0"],"train"]\n["b","v","t",1,["2.0","3.0"],"test"]\n'
    assert split_digest(*rows) == hashlib.sha256(text).hexdigest()
    assert split_digest(*(column[::-1] for column in rows)) != split_digest(*rows)


@pytest.mark.parametrize(
    "change",
    [
        {"session_id": "u-2"},
        {"user": "v"},
        {"screen": "t"},
        {"click": 2},
        {"gaze_ms": [0.0, 12.4, 100.0]},
        {"gaze_ms": [0.0, 12.34]},
        {"value": "test"},
        {"value": 0},
    ],
)
def test_every_field_counts(change):
    assert canonical_row(**(ROW | change)) != canonical_row(**ROW)


def test_gaze_counts_to_a_tenth_of_a_millisecond():
    assert canonical_row(**(ROW | {"gaze_ms": [0.04, 12.349, 99.96]})) == canonical_row(**ROW)


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError):
        split_digest(["a", "b"], ["u"], ["s"], [0], [[1.0]], ["train"])
