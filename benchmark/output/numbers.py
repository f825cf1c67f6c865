"""Numbers, intervals and p values as every table prints them; what is not known is blank, never 0."""

from __future__ import annotations

import math


def number(value: float | None, digits: int = 3, sign: str = "") -> str:
    """Return a number with so many decimals; what rounds to zero has no sign.

    The sign ``+`` shows that of positive numbers too; None and NaN are blank.
    """
    if value is None or math.isnan(value):
        return ""
    text = f"{value:{sign}.{digits}f}"
    return text.lstrip("+-") if float(text) == 0 else text


def interval(low: float | None, high: float | None, digits: int = 3, sign: str = "") -> str:
    """Return ``[low, high]``, blank if an end is not known."""
    ends = number(low, digits, sign), number(high, digits, sign)
    return f"[{ends[0]}, {ends[1]}]" if all(ends) else ""


def p_value(value: float | None) -> str:
    """Return a p value with three decimals, blank if there is none."""
    return "<0.001" if value is not None and value < 0.001 else number(value)


def p_text(value: float | None) -> str:
    """Return a p value within a sentence: ``p = 0.012``, ``p <0.001``."""
    return "p not known" if value is None else f"p {p_value(value)}" if value < 0.001 else f"p = {p_value(value)}"
