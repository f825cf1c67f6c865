"""Times, counts and sizes in a unit that suits them; what was not measured is never 0."""

from __future__ import annotations


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
