"""The layout of a reproduced table: a run configuration with a ``layout`` section, one file in ``configs/tables``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from benchmark.reproduction.section import COMMON, Section, open_layout
from benchmark.trials.configuration import CONFIGS

TABLES = CONFIGS / "tables"

Kind = Literal["values", "significance"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Layout:
    """One table.

    Attributes:
        name: The file's stem.
        part: The part of ``reproduce`` that it belongs to.
        kind: ``values``: a row per simulator; ``significance``: mean, SD over seeds, stars, tests over users.
        title: Heading.
        published: Number of the paper's table with the same rows, or None.
        backbones: Registry names; stand-ins may take their place.
        operators: Probing operators.
        rows: Simulator -> its label in the table.
        metrics: Columns.
        improvement: (simulator, base): a row with the improvement of the first over the second, in percent.
        run: The run configuration, as ``read_config`` returns it.
    """

    name: str
    part: str
    kind: Kind
    title: str
    published: int | None
    backbones: tuple[str, ...]
    operators: tuple[str, ...]
    rows: Mapping[str, str]
    metrics: tuple[str, ...]
    improvement: tuple[str, str] | None
    run: Mapping[str, object]

    @property
    def task(self) -> str:
        """The table's task."""
        return str(self.run["task"])


def layouts(folder: Path = TABLES) -> list[Layout]:
    """Return the layouts of a folder, in the order of the paper's tables.

    Raises:
        InputError: A file is no layout.
    """
    found = [read_layout(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda layout: (layout.published is None, layout.published or 0, layout.name))


def read_layout(path: Path) -> Layout:
    """Read one layout.

    Raises:
        InputError: The file is no run configuration, or its ``layout`` section lacks or misnames something.
    """
    values, run = open_layout(path, "table")
    section = Section(path, values, run, (*COMMON, "rows", "metrics", "improvement"))
    improvement = tuple(map(section.known_simulator, section.names("improvement")))
    if improvement and len(improvement) != 2:
        raise section.wrong("improvement", "[simulator, base]")
    published = values.get("published")
    if published is not None and type(published) is not int:
        raise section.wrong("published", "the number of a table")
    return Layout(
        **section.common(),
        kind=cast("Kind", section.word("kind", KINDS)),
        published=published,
        rows=section.rows("rows"),
        metrics=section.metrics("metrics"),
        improvement=(improvement[0], improvement[1]) if improvement else None,
    )
