"""Numbers, intervals and p values as every table prints them, and times, counts and sizes in a unit that suits them.

What is not known is blank, what was not measured is said to be, and neither is ever 0.
"""

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


def seconds(value: float | None) -> str:
    """Return a duration in seconds, minutes, hours or days."""
    if value is None:
        return "not measured"
    if value < 60:
        return f"{value:.3g} s"
    if value < 3600:
        return f"{value / 60:.1f} min"
    return f"{value / 3600:.1f} h" if value < 48 * 3600 else f"{value / 86400:.1f} d"


def count(value: float | None, digits: int = 3) -> str:
    """Return a count with some digits and a prefix."""
    if value is None:
        return "not measured"
    for size, prefix in ((1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.{digits}g}{prefix}"
    return f"{value:.{digits}g}"


def memory(value: float | None) -> str:
    """Return a number of bytes in MiB or GiB."""
    if value is None:
        return "not measured"
    return f"{value / 2**20:.0f} MiB" if value < 2**30 else f"{value / 2**30:.2f} GiB"


def counted(number: int, word: str) -> str:
    """Return a number with its word, which gets an s unless it is one: ``1 session``, ``2 sessions``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
