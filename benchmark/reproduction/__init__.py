"""The paper's tables from our own runs: layouts, the runs behind them, and five formats to read them in."""

from __future__ import annotations

from pathlib import Path

from benchmark.files import replace_file
from benchmark.reproduction.groups import Choice, Found, Group, groups_of, run_groups
from benchmark.reproduction.layout import Layout, layouts, read_layout
from benchmark.reproduction.printing import SUFFIXES, render
from benchmark.reproduction.table import Table, build

__all__ = [
    "Choice",
    "Found",
    "Group",
    "Layout",
    "Table",
    "build",
    "groups_of",
    "layouts",
    "read_layout",
    "render",
    "run_groups",
    "write",
]


def write(table: Table, out: Path) -> list[Path]:
    """Write a table in every format; return the files.

    Raises:
        InputError: ``out`` cannot be written.
    """
    paths = []
    for form, suffix in SUFFIXES.items():
        path = out / f"{table.name}.{suffix}"
        text = render(table, form)
        replace_file(path, lambda partial, text=text: partial.write_text(text, encoding="utf-8", newline="\n"))  # type: ignore[misc]
        paths.append(path)
    return paths
