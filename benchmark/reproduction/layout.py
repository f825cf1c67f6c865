"""The layout of a reproduced table: a run configuration with a ``layout`` section, one file in ``configs/tables``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from benchmark.config import CONFIGS, LAYOUT, read_config
from benchmark.metrics import get
from tasks.errors import InputError, unknown_name

TABLES = CONFIGS / "tables"

KINDS = ("values", "significance")
_KEYS = ("part", "kind", "title", "published", "backbones", "operators", "rows", "metrics", "improvement")
_NEEDED = ("part", "title", "backbones", "operators", "rows", "metrics")


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
    kind: Literal["values", "significance"]
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
    run = read_config(path)
    section = run.pop(LAYOUT, None)
    if not isinstance(section, dict):
        raise InputError(f"{path} has no section 'layout'; a table needs {', '.join(_NEEDED)} there.")
    for key in section:
        if key not in _KEYS:
            raise unknown_name(f"key in 'layout' of {path}:", str(key), _KEYS)
    if missing := [key for key in _NEEDED if not section.get(key)]:
        raise InputError(f"{path}: 'layout' lacks {', '.join(missing)}.")
    if "task" not in run or "simulators" not in run:
        raise InputError(f"{path} must name a task and its simulators.")

    def names(key: str) -> tuple[str, ...]:
        value = section[key]
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise InputError(f"{path}: '{key}' of 'layout' must be a list of names, not {value!r}.")
        return tuple(value)

    rows = section["rows"]
    if not isinstance(rows, dict) or not all(isinstance(k, str) and isinstance(v, str) for k, v in rows.items()):
        raise InputError(f"{path}: 'rows' of 'layout' must map simulators to labels.")
    simulators = cast("tuple[str, ...]", run["simulators"])
    improvement = names("improvement") if "improvement" in section else None
    for name in (*rows, *(improvement or ())):
        if name not in simulators:
            raise unknown_name(f"simulator in 'layout' of {path}:", name, simulators)
    if improvement is not None and len(improvement) != 2:
        raise InputError(f"{path}: 'improvement' of 'layout' must be [simulator, base].")
    for metric in (metrics := names("metrics")):
        get(metric)
    kind = section.get("kind", "values")
    if kind not in KINDS:
        raise unknown_name(f"kind of table in {path}:", str(kind), KINDS)
    published = section.get("published")
    if published is not None and type(published) is not int:
        raise InputError(f"{path}: 'published' of 'layout' must be the number of a table, not {published!r}.")
    return Layout(
        name=path.stem,
        part=str(section["part"]),
        kind=kind,
        title=str(section["title"]),
        published=published,
        backbones=names("backbones"),
        operators=names("operators"),
        rows=rows,
        metrics=metrics,
        improvement=None if improvement is None else (improvement[0], improvement[1]),
        run=run,
    )
