"""Prints what a script measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmark.output.document import Document, Grid
from benchmark.output.rendering import render


def table(records: Sequence[Mapping[str, object]], width: int = 160) -> str:
    """Return records that share their keys as a table for the terminal."""
    return render(Document("", (Grid.of_records(records),)), "terminal", width)


def rows(head: Sequence[str], body: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    """Return the rows of a table as records."""
    return [dict(zip(head, line, strict=True)) for line in body]
