"""Numbers as they are printed: a few digits that cover an interval."""

import re
from dataclasses import dataclass
from fractions import Fraction

from tasks.errors import InputError

_NUMBER = re.compile(r"[+-]?(\d{1,12}(\.\d{0,30})?|\.\d{1,30})([eE][+-]?\d{1,2})?", re.ASCII)
"""Bounded on purpose: an exact fraction of 1e-999999999 would fill the memory."""

LARGEST = 1e99
"""As above; the reckoning multiplies by whole numbers and must stay within what a float holds."""

COMPUTED = Fraction(1, 10**12)
"""Half-width of a number printed in full: a mean of doubles is only good to about this much."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A number exactly as it was printed, and what its last digit is worth: 1/1000 for 0.527, 1/1000 for 52.7 %."""

    value: Fraction
    step: Fraction

    @property
    def half(self) -> Fraction:
        """Half of the last digit: how far rounding to the nearest can have moved the number."""
        return max(self.step / 2, COMPUTED)

    @property
    def low(self) -> Fraction:
        """The least number that is printed so, whether halves are rounded up, down or to even."""
        return self.value - self.half

    @property
    def high(self) -> Fraction:
        """The largest number that is printed so."""
        return self.value + self.half

    def meets(self, low: Fraction, high: Fraction) -> bool:
        """Return whether a number from ``low`` to ``high`` is printed so."""
        return self.low <= high and low <= self.high

    @property
    def cut(self) -> tuple[Fraction, Fraction]:
        """The interval that would be printed so if digits were cut off instead of rounded."""
        return (self.value, self.value + self.step) if self.value >= 0 else (self.value - self.step, self.value)

    @property
    def decimals(self) -> int:
        """Digits after the point."""
        return next(count for count in range(100) if self.step * 10**count >= 1)

    def __float__(self) -> float:
        return float(self.value)

    def __str__(self) -> str:
        return f"{float(self.value):.{self.decimals}f}" if self.decimals < 12 else f"{float(self.value):.6g}"


def printed(text: str, decimals: int | None = None, *, percent: bool = False, where: str = "") -> Printed:
    """Return a number from its text, which keeps the digits: ``0.50`` was printed with two.

    ``decimals`` are those it was printed with, where the text lost trailing zeros. With ``percent``, 52.7 is returned
    as 0.527 with a step of 0.001. ``where`` is its place, for messages. InputError if it is not a number, or has more
    digits than ``decimals``.
    """
    place = f"{where}: " if where else ""
    found = text.strip().replace("\N{MINUS SIGN}", "-")
    if not _NUMBER.fullmatch(found):
        raise InputError(f"{place}'{found[:40]}' is not a number. Give one such as 0.1447.")
    mantissa, _, exponent = found.lower().partition("e")
    own = len(mantissa.partition(".")[2]) - int(exponent or 0)
    if decimals is not None and own > decimals:
        many = f"{place}{found} has more than {decimals} digits after the point"
        raise InputError(f"{many}, which 'decimals' says it has.")
    places = own if decimals is None else decimals
    step = Fraction(10) ** -places
    scale = 100 if percent else 1
    return Printed(Fraction(found) / scale, step / scale)


def computed(value: float) -> Printed:
    """Return a number that was computed and not rounded for print.

    InputError if it is not finite, or larger than any number that is printed.
    """
    if not abs(value) <= LARGEST:
        raise InputError(f"{value} is not a number. Give a finite one of at most {LARGEST:g}.")
    return Printed(Fraction(value), COMPUTED)
