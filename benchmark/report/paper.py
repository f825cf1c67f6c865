"""A run for a paper: its table as LaTeX, its figures as PDF, and a page that holds them."""

from pathlib import Path

from benchmark.files.replacing import replace_text
from benchmark.metrics import get
from benchmark.output.document import Document
from benchmark.output.figure_style import Drawing
from benchmark.output.rendering import render
from benchmark.report import figures
from benchmark.scores import results, table

_PAGE = r"""\documentclass[10pt,twocolumn]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


def write_paper(run: Path, out: Path) -> Path:
    """Write ``table.tex``, a PDF per figure and ``page.tex``, which compiles to a page with all of them; return that.

    Figures are the means with intervals and the users' differences from the reference, on every main metric.
    InputError if the folder holds no finished run, or ``out`` cannot be written.
    """
    found, scores, parts = results.read(run), results.read_scores(run), [r"\input{table}"]
    notes = (found.notice,) if found.notice else ()
    replace_text(out / "table.tex", render(table.document(found), "latex") + "\n")
    for metric in map(get, found.family):
        drawn = {
            f"{metric.name}: means over users with 95 % intervals": ("means", figures.means(found, metric)),
            f"{metric.name}: each user's difference from {found.reference}": (
                "users",
                figures.users(found, scores, metric),
            ),
        }
        for title, (kind, picture) in drawn.items():
            if picture is not None:
                name = f"{kind}-{figures.stem(metric.name)}"
                Drawing(picture, notes).save(out / f"{name}.pdf")
                parts.append(render(Document(title, notices=notes, name=name, picture=True), "latex"))
    replace_text(out / "page.tex", _PAGE % "\n\n".join(parts))
    return out / "page.tex"
