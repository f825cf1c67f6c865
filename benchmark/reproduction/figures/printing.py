"""A reproduced figure as a document, and its files, pictures included."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from benchmark.output.document import CsvRow, Document, Grid, GridColumn, row
from benchmark.output.figure_style import encode
from benchmark.output.units import counted
from benchmark.reproduction.figures.base import Figure, Record
from benchmark.reproduction.formats import captioned, write_files


def write_figure(figure: Figure, out: Path) -> list[Path]:
    """Write picture (SVG, PNG), caption and summary (txt, md, tex) and data (csv, json); return the files.

    Raises:
        InputError: ``out`` cannot be written.
    """
    return write_files(out, figure_document(figure), encode(figure))


def figure_document(figure: Figure) -> Document:
    """Return what goes with the picture: its caption, a summary, and the data behind it."""
    trials = {identity for found in figure.identities.values() for identity in found}
    made = f"Made from {counted(len(trials), 'trial')}; their identities are in {figure.name}.json. " if trials else ""
    digests = ", ".join(f"{name} {digest[:12]}" for name, digest in figure.digests.items())
    notices, legend = captioned([*figure.captions, f"{made}Digest of sessions and split: {digests}."])
    columns = []
    for i, head in enumerate(figure.headers):
        numeric = any(line[i][:1].isdigit() for line in figure.summary)
        columns.append(GridColumn(head, "right" if numeric else "left", wraps=not numeric))
    return Document(
        title=figure.title,
        grids=(Grid(tuple(columns), tuple(row(*line) for line in figure.summary)),),
        notices=notices,
        legend=legend,
        csv=lambda: _csv(figure),
        data=lambda: {
            **{name: getattr(figure, name) for name in ("name", "kind", "title", "captions")},
            "digests": dict(figure.digests),
            "identities": dict(figure.identities),
            "settings": {method: dict(settings) for method, settings in figure.settings.items()},
            "summary": [dict(zip(figure.headers, line, strict=True)) for line in figure.summary],
            "data": [_plain(record) for record in figure.records],
        },
        name=figure.name,
        picture=True,
    )


def _csv(figure: Figure) -> Iterator[CsvRow]:
    """Yield the data behind the picture, trials joined by spaces; each line says in a few words what is simulated."""
    columns = list(figure.records[0]) if figure.records else ["trials"]
    yield ("figure", *columns, "notice")
    for record in figure.records:
        values = (record[column] for column in columns)
        cells = (" ".join(v) if isinstance(v, tuple) else v for v in values)
        yield (figure.name, *cells, figure.notice)


def _plain(record: Record) -> dict[str, object]:
    """Return a record as JSON values; what is not a number is null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
