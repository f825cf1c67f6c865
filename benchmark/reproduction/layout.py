"""The layout of a reproduced table: a run configuration with a ``layout`` section, one file in ``configs/tables``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from benchmark.reproduction.section import Names, Rows, Section, layout_of, read_section
from benchmark.trials.configuration import CONFIGS
from tasks.decoding import one_of

TABLES = CONFIGS / "tables"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout(Section):
    """One table.

    Attributes:
        kind: ``values``: a row per simulator; ``significance``: mean, SD over seeds, stars, tests over users.
        published: Number of the paper's table with the same rows, or None.
        improvement: (simulator, base): a row with the improvement of the first over the second, in percent.
    """

    kind: Annotated[str, one_of("values", "significance")] = "values"
    published: int | None = None
    rows: Rows
    metrics: Names
    improvement: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        self.check((*self.rows, *(self.improvement or ())), self.metrics)


def layouts(folder: Path = TABLES) -> list[Layout]:
    """Return the layouts of a folder, in the order of the paper's tables.

    Raises:
        InputError: A file is not a layout.
    """
    found = [read_layout(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda layout: (layout.published is None, layout.published or 0, layout.name))


def read_layout(path: Path) -> Layout:
    """Read one layout.

    Raises:
        InputError: The file is not a run configuration, or its ``layout`` section lacks or misnames something.
    """
    return layout_of(Layout, read_section(path), path)
