"""The ``layout`` section of a configuration: what tables and figures have in common."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from benchmark.metrics import get
from benchmark.trials.configuration import CONFIGS, LAYOUT, read_config
from tasks.decoding import decode, one_of
from tasks.errors import InputError, require_known

Text = Annotated[str, Meta(min_length=1)]
Names = Annotated[tuple[str, ...], Meta(min_length=1)]
Rows = Annotated[Mapping[str, Text], Meta(min_length=1)]
"""Simulator of the run -> its label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What every layout has; ``run`` is the run configuration, as ``read_config`` returns it."""

    name: str
    part: Text
    title: Text
    backbones: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    run: Mapping[str, object]

    @property
    def task(self) -> str:
        """The task."""
        return str(self.run["task"])

    def check(self, simulators: Iterable[str], metrics: Iterable[str] = ()) -> None:
        """Refuse backbones without operators or the reverse, and simulators that its run does not have.

        InputError if it is one, or a metric is unknown.
        """
        if bool(self.backbones) != bool(self.operators):
            raise InputError("'layout' lacks backbones or operators.")
        known: Any = self.run.get("simulators", ())
        require_known("simulator in 'layout' (it must be one of 'simulators'):", simulators, known)
        for metric in metrics:
            get(metric)


def read_section(path: Path) -> dict[str, Any]:
    """Return the ``layout`` section of a file, with the run configuration that is the rest of it under ``run``.

    InputError if the file is not the run configuration of a task, or has no such section.
    """
    run = read_config(path)
    values = run.pop(LAYOUT, None)
    if not isinstance(values, dict):
        raise InputError(f"{path} has no section 'layout'; a table or figure needs kind, part and title there.")
    if "task" not in run:
        raise InputError(f"{path} must name a task.")
    return {**values, "name": path.stem, "run": run}


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
    """Return the layouts of a folder, in the order of the paper's tables; InputError if a file is not a layout."""
    found = [read_layout(path) for path in sorted(folder.glob("*.yaml"))]
    return sorted(found, key=lambda layout: (layout.published is None, layout.published or 0, layout.name))


def read_layout(path: Path) -> Layout:
    """Read one layout.

    InputError if the file is not a run configuration, or its ``layout`` section lacks or misnames something.
    """
    return decode(Layout, read_section(path), path, "correct it", at=(LAYOUT,))
