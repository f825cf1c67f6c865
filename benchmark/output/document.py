"""A printed table as one object: what it is about, what must be known first, columns, rows, marks and legend.

Whoever has something to print builds a ``Document``; ``rendering.render`` prints it in any format. What is simulated,
what the marks mean and which rows are not ranked is part of the document, so that no format can lose it.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmark.output.units import number

CsvRow = Sequence[object]


@dataclass(frozen=True, slots=True)
class GridColumn:
    """One column.

    Attributes:
        align: ``left`` for text, ``right`` for numbers.
        key: It says what a row is; it is repeated where a wide grid is printed in blocks. The last key column names
            the row: a row that is not ranked has its name in brackets.
        once: A key that is printed once for the rows that share it.
        group: Title of the columns that are printed together, such as a family of metrics.
        wraps: Long text that may continue on the next line of its cell.
    """

    title: str
    align: Literal["left", "right"] = "right"
    key: bool = False
    once: bool = False
    group: str = ""
    wraps: bool = False


@dataclass(frozen=True, slots=True)
class GridCell:
    """One value as it is printed, marks that follow it directly, and detail after it or, if that is too wide, below."""

    text: str
    marks: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class GridRow:
    """A cell per column; the name of a row that is not ranked is in brackets, an indented row belongs to that above."""

    cells: tuple[GridCell, ...]
    ranked: bool = True
    indent: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns and rows, or only notes; the heading distinguishes it from the other grids of its document."""

    columns: tuple[GridColumn, ...] = ()
    rows: tuple[GridRow, ...] = ()
    heading: str = ""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> int:
        """The column that names the rows: the last key."""
        return max((i for i, column in enumerate(self.columns) if column.key), default=0)

    def groups(self) -> dict[str, list[int]]:
        """Return title -> columns of each group, without the keys."""
        found: dict[str, list[int]] = {}
        for i, column in enumerate(self.columns):
            if not column.key:
                found.setdefault(column.group, []).append(i)
        return found or {"": []}

    def part(self, chosen: Sequence[int]) -> "Grid":
        """Return the keys and some of the other columns; rows that are blank there are left out."""
        shown = [*(i for i, column in enumerate(self.columns) if column.key), *chosen]
        whole = len(shown) == len(self.columns)
        rows = [
            replace(line, cells=tuple(line.cells[i] for i in shown))
            for line in self.rows
            if whole or any(line.cells[i].text for i in chosen)
        ]
        return replace(self, columns=tuple(self.columns[i] for i in shown), rows=tuple(rows))

    @classmethod
    def of_records(
        cls, records: Sequence[Mapping[str, object]], *, digits: int = 3, whole: Collection[str] = ()
    ) -> "Grid":
        """Return a grid of records that share their keys; numbers are aligned to the right, None is blank.

        Text in the columns ``whole`` is never broken over lines.
        """
        names = list(dict.fromkeys(name for record in records for name in record))
        numeric = {n for n in names if all(isinstance(r.get(n), int | float | None) for r in records)}
        columns = [GridColumn(n, "right" if n in numeric else "left", wraps=n not in {*numeric, *whole}) for n in names]
        rows = [row(*(_shown(record.get(name), digits) for name in names)) for record in records]
        return cls(tuple(columns), tuple(rows))


def _shown(value: object, digits: int) -> str:
    if isinstance(value, float):
        return number(value, digits)
    return "" if value is None else str(value)


def row(*cells: str | GridCell, ranked: bool = True, indent: bool = False) -> GridRow:
    """Return a row; a text is a cell without marks."""
    return GridRow(tuple(c if isinstance(c, GridCell) else GridCell(c) for c in cells), ranked, indent)


@dataclass(frozen=True, slots=True)
class Document:
    """What is printed.

    Attributes:
        title: What it is about; empty where the grid says it.
        notices: What must be read before any number: simulated data, stand-ins.
        verdict: What its tests say, in sentences.
        legend: What the marks and columns mean.
        csv: Returns head and rows of the CSV, with every digit.
        data: Returns the JSON value: everything that is known.
        name: Stem of its files, what LaTeX refers to; empty if it has none.
        picture: It belongs to the picture of that name.
    """

    title: str
    grids: tuple[Grid, ...] = ()
    notices: tuple[str, ...] = ()
    verdict: tuple[str, ...] = ()
    legend: tuple[str, ...] = ()
    csv: Callable[[], Iterable[CsvRow]] = tuple
    data: Callable[[], object] = dict
    name: str = ""
    picture: bool = False
