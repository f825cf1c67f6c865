from __future__ import annotations

import pytest

from benchmark.output import units


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (units.seconds(None), "not measured"),
        (units.seconds(1.2345), "1.23 s"),
        (units.seconds(90), "1.5 min"),
        (units.seconds(5400), "1.5 h"),
        (units.seconds(3 * 86400), "3.0 d"),
        (units.count(None), "not measured"),
        (units.count(0), "0"),
        (units.count(385_999_000_000), "386 G"),
        (units.count(1_785_440, 4), "1.785 M"),
        (units.count(4e15), "4 P"),
        (units.memory(None), "not measured"),
        (units.memory(736_342_016), "702 MiB"),
        (units.memory(3 * 2**29), "1.50 GiB"),
        (units.counted(0, "session"), "0 sessions"),
        (units.counted(1, "test session"), "1 test session"),
        (units.counted(83, "user"), "83 users"),
    ],
)
def test_numbers_are_shown_in_a_unit_that_suits_them(shown, expected):
    assert shown == expected
