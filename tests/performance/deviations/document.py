"""The measured column of docs/deviations.md: reading its rows, and putting measured effects into them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from tests.performance.deviations.measuring import Deviation, Effect

NOT_MEASURED = "Not measurable here: "
NOT_YET = "Not measured yet."
"""In the place of an effect that the script can measure and nobody has."""
_ROW = re.compile(r"^\| `([a-z0-9-]+)`")


@dataclass(frozen=True)
class Row:
    """One deviation of the document: its name, what is there, what is here, and the measured effect."""

    name: str
    what: str
    there: str
    here: str
    effect: str


def rows(text: str) -> Iterator[Row]:
    """Yield the rows of all tables whose first cell begins with a name."""
    for line in text.splitlines():
        if found := _ROW.match(line):
            what, there, here, effect = (cell.strip() for cell in line.strip().strip("|").split("|"))
            yield Row(found[1], what, there, here, effect)


def cell(deviation: Deviation, effects: Iterable[Effect]) -> str:
    """Return the measured column of a deviation, one line per kind of data."""

    def kind(effect: Effect) -> tuple[str, str]:
        return effect.data, effect.size

    lines = []
    for (data, size), group in groupby(effects, kind):
        lines.append(f"{'; '.join(map(str, group))} [n = {size}; {data}]")
    if deviation.unmeasured:
        lines.append(f"{NOT_MEASURED}{deviation.unmeasured}.")
    return "<br>".join(lines)


def filled(text: str, measured: Mapping[str, str]) -> str:
    """Return the document with the last cell of each measured row replaced."""
    lines = []
    for line in text.splitlines():
        found = _ROW.match(line)
        if found and found[1] in measured:
            line = "|".join([*line.strip().strip("|").split("|")[:-1], f" {measured[found[1]]} "])
            line = f"|{line}|"
        lines.append(line)
    return "\n".join(lines) + "\n"
