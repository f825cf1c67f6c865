"""A reproduced figure in words and data: terminal, Markdown, LaTeX, CSV and JSON; and its files, pictures included."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

from benchmark.output.figure_style import FORMATS, encode
from benchmark.output.units import counted
from benchmark.reproduction.figures.base import Figure, Record
from benchmark.reproduction.formats import SUFFIXES, label, latex_caption, rendered, split_captions, write_files


def render_figure(figure: Figure, form: str) -> str:
    """Return what goes with the picture, in one of the formats of tables; the text ends in a line feed.

    Raises:
        InputError: There is no such format.
    """
    renderers = {"terminal": terminal, "markdown": markdown, "latex": latex, "csv": as_csv, "json": as_json}
    return rendered(figure, form, renderers)


def write_figure(figure: Figure, out: Path) -> list[Path]:
    """Write the picture as SVG and PNG, its caption and summary (txt, md, tex), and the data behind it (csv, json).

    Returns:
        The files.

    Raises:
        InputError: ``out`` cannot be written.
    """
    content = encode(figure)
    content |= {suffix: render_figure(figure, form).encode() for form, suffix in SUFFIXES.items()}
    return write_files(out, figure.name, content)


def terminal(figure: Figure) -> str:
    """Return caption and summary for a terminal."""
    notes, remarks = split_captions(_captions(figure))
    return "\n".join([figure.title, *notes, "", _grid(figure, "simple"), "", *remarks, _files(figure)])


def markdown(figure: Figure) -> str:
    """Return a heading, the picture, its caption and its summary."""
    notes, remarks = split_captions(_captions(figure))
    picture = f"![{figure.title}]({figure.name}.svg)"
    bold = [f"**{note}**" for note in notes]
    return "\n\n".join(
        [f"## {figure.title}", *bold, picture, _grid(figure, "pipe"), "\n".join(f"- {r}" for r in remarks)]
    )


def latex(figure: Figure) -> str:
    """Return a figure environment with the PNG, all captions in it."""
    return "\n".join(
        [
            r"% needs \usepackage{graphicx}, for accents \usepackage[T1]{fontenc}",
            r"\begin{figure}",
            r"\centering",
            rf"\includegraphics[width=\columnwidth]{{{figure.name}.png}}",
            rf"\caption{{{' '.join(latex_caption(figure.title, _captions(figure)))}}}",
            rf"\label{{{label('fig', figure.name)}}}",
            r"\end{figure}",
        ]
    )


def as_csv(figure: Figure) -> str:
    """Return the data behind the picture, trials joined by spaces; each line says shortly what is simulated."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = list(figure.records[0]) if figure.records else ["trials"]
    writer.writerow(["figure", *columns, "notice"])
    for record in figure.records:
        values = [record[column] for column in columns]
        cells = ["" if v is None else " ".join(v) if isinstance(v, tuple) else v for v in values]
        writer.writerow([figure.name, *cells, figure.notice])
    return text.getvalue()


def as_json(figure: Figure) -> str:
    """Return everything that is known of the figure."""
    record = {
        "name": figure.name,
        "kind": figure.kind,
        "title": figure.title,
        "captions": figure.captions,
        "digests": dict(figure.digests),
        "identities": dict(figure.identities),
        "settings": {method: dict(settings) for method, settings in figure.settings.items()},
        "summary": [dict(zip(figure.headers, line, strict=True)) for line in figure.summary],
        "data": [_plain(record) for record in figure.records],
    }
    return json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)


def _plain(record: Record) -> dict[str, object]:
    """Return a record as JSON values; what is not a number is null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}


def _captions(figure: Figure) -> list[str]:
    """Return all captions, with where the figure comes from."""
    trials = {identity for found in figure.identities.values() for identity in found}
    digests = ", ".join(f"{name} {digest[:12]}" for name, digest in figure.digests.items())
    made = (
        f"Made from {counted(len(trials), 'trial')}; their identities stand in {figure.name}.json. " if trials else ""
    )
    return [*figure.captions, f"{made}Digest of sessions and split: {digests}."]


def _files(figure: Figure) -> str:
    return f"Picture: {', '.join(f'{figure.name}.{form}' for form in FORMATS)}; data: {figure.name}.csv."


def _grid(figure: Figure, form: str) -> str:
    from tabulate import tabulate

    columns = zip(*figure.summary, strict=True)
    align = ["right" if any(cell[:1].isdigit() for cell in column) else "left" for column in columns]
    return tabulate(figure.summary, headers=figure.headers, tablefmt=form, disable_numparse=True, colalign=align)
