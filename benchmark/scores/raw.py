"""Predictions as a file has them, before anything is checked against a task."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from benchmark.parts.checking import Fault
from benchmark.parts.ragged import Bools, Ints, Ragged
from tasks.errors import InputError

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""Columns that pandas may add to a file for the index of a table with left-out rows; they say nothing."""

TOO_MANY = "Give one number per slot, and one row per test session."


@dataclass(frozen=True, slots=True, eq=False)
class RawPredictions:
    """A predictions file as it is: nothing is checked against a task.

    Attributes:
        numbers: Number of each row in the file, counted from 1, shape (rows,).
        keys: Column of ``KEYS`` -> its values; a session id is null where there is none that can be read.
        cells: Part -> its cells, every part; one that the file has no column of is blank.
        broken: Whether something in the row could not be read, shape (rows,); that is among the faults.
        faults: What could not be read.
    """

    numbers: Ints
    keys: Mapping[str, pa.Array]
    cells: Mapping[str, Ragged]
    broken: Bools
    faults: Sequence[Fault]

    def __len__(self) -> int:
        return len(self.numbers)


class Unreadable(InputError):
    """A file that cannot be read at all; ``faults`` say why, and the message is the first of them."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = faults
        super().__init__(" ".join(faults[0].words(-1)).strip())


def unknown_column(word: str, name: str, known: Sequence[str]) -> tuple[str, str]:
    """Return what is wrong with a column (a field) that predictions do not have, and what to do."""
    return f"the {word} '{name}' is not of the format.", f"Keep only {', '.join(known)}."
