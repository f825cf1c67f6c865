"""Runs a script and prints what it measured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from benchmark.output.document import Document, Grid
from benchmark.output.rendering import render
from tasks.errors import InputError


def script(main: Callable[[], object]) -> None:
    """Call a script's main; what is wrong with its input is one line and exit code 2."""
    try:
        main()
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(2)


def table(records: Sequence[Mapping[str, object]], width: int = 160) -> str:
    """Return records that share their keys as a table for the terminal."""
    return render(Document("", (Grid.of_records(records),)), "terminal", width)


def rows(head: Sequence[str], body: Sequence[Sequence[object]]) -> list[dict[str, object]]:
    """Return the rows of a table as records."""
    return [dict(zip(head, line, strict=True)) for line in body]
