from __future__ import annotations

import math

import pytest

from benchmark.output.units import interval, number, p_value


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (number(0.12345), "0.123"),
        (number(-0.0004), "0.000"),
        (number(0.0004, sign="+"), "0.000"),
        (number(0.25, 4, "+"), "+0.2500"),
        (number(None) + number(math.nan), ""),
        (interval(-0.1, 0.2, sign="+"), "[-0.100, +0.200]"),
        (interval(None, 0.2) + interval(0.1, math.nan), ""),
        (p_value(0.0009), "<0.001"),
        (p_value(0.001), "0.001"),
        (p_value(None), ""),
    ],
)
def test_numbers_are_printed_alike_everywhere(shown, expected):
    assert shown == expected
