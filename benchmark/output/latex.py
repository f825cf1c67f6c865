"""Documents and text as LaTeX prints them."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from benchmark.output.document import Document, Grid
from benchmark.output.text import plain, sentence

ROWS = 40
"""Rows that fit a page; a longer table continues on the next."""

_SPECIAL = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\n": " ",
    "\u00a0": "~",
}
_MATHS = {
    "▲": r"^{\bigtriangleup}",
    "▼": r"^{\bigtriangledown}",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "→": r"\rightarrow",
    "≤": r"\leq",
    "≥": r"\geq",
    "≈": r"\approx",
    "−": "-",
    "∞": r"\infty",
    **{
        letter: rf"\{name}"
        for letter, name in zip(
            "αβγδεζηθικλμνξπρστυφχψω",
            "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi "
            "pi rho sigma tau upsilon phi chi psi omega".split(),
            strict=True,
        )
    },
}
_KNOWN = frozenset(
    [*map(chr, range(0x20, 0x7F)), *map(chr, range(0xA1, 0x17F)), *"–—‘’‚“”„•…‹›€™"],
) - frozenset("ĦħĸĿŀŉŦŧ")
"""Characters that pdfLaTeX prints as they are with the encodings utf8 and T1."""


def escape_latex(text: str) -> str:
    """Return text that pdfLaTeX prints as it is, in the encodings utf8 and T1.

    A character that it does not know, such as one of another script, is named by its number: ``[U+2603]``.
    """
    return re.sub("-(?=-)", "-{}", "".join(map(_escaped, text)))  # two hyphens would become a dash


def latex_number(text: str) -> str:
    """Return printed numbers, escaped: a minus sign in place of a hyphen, thin spaces around ±."""
    return re.sub(r"(?<![\w-])-(?=[\d.])", "$-$", escape_latex(text)).replace(" ± ", r"\,$\pm$\,")


def _escaped(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _MATHS:
        return f"${_MATHS[character]}$"
    return character if character in _KNOWN else f"[U+{ord(character):04X}]"


def latex(document: Document) -> str:
    """Return a float for each grid that no page is too small for; title, notices and legend are its caption.

    A grid is scaled down where it would be wider than the text; columns of different groups are set below each other.
    """
    if document.picture:
        picture = rf"\includegraphics[width=\columnwidth]{{{document.name}.pdf}}"
        return _float("figure", "fig", document, _caption(document, document.legend), [picture])
    floats: list[str] = []
    for grid in filter(lambda one: one.columns, document.grids):
        groups = grid.groups()
        size = max(1, ROWS // len(groups))
        for start in range(0, max(1, len(grid.rows)), size):
            rows = grid.rows[start : start + size]
            parts = [_tabular(replace(grid, rows=rows).part(chosen)) for chosen in groups.values()]
            caption = _caption(document, () if floats else document.legend, grid.heading, continued=start > 0)
            if start + size >= len(grid.rows) and grid.notes:
                parts.append(rf"\parbox{{\textwidth}}{{\footnotesize {_prose(grid.notes)}}}")
            floats.append(_float("table*", "tab", document, caption, parts))
            document = replace(document, name="")  # one label
    rest = [rf"\noindent {_prose([grid.heading, *grid.notes])}" for grid in document.grids if not grid.columns]
    return "\n\n".join([*floats, *rest])


def _float(kind: str, prefix: str, document: Document, caption: str, parts: Sequence[str]) -> str:
    label = [rf"\label{{{prefix}:{document.name}}}"] if document.name else []
    lines = [r"% needs \usepackage{booktabs,graphicx}, for accents \usepackage[T1]{fontenc}", rf"\begin{{{kind}}}"]
    titled = [rf"\caption[{{{_text(document.title)}}}]{{{caption}}}", *label]
    body = ["\n\\par\\medskip\n".join(parts)]
    above = kind == "table*"  # a table has its caption above, a figure below
    inside = [*titled, r"\par\smallskip", *body] if above else [*body, *titled]
    return "\n".join([*lines, r"\centering\small" if above else r"\centering", *inside, rf"\end{{{kind}}}"])


def _caption(document: Document, legend: Sequence[str], heading: str = "", *, continued: bool = False) -> str:
    """Return the caption: what must be known first comes before how the numbers came about."""
    title = f"{document.title.rstrip('.')}{': ' if heading else ''}{heading}{' (continued)' if continued else ''}"
    notes = ["Note:", *document.notices] if document.notices else []
    return _prose([title, *notes, *(document.verdict if legend else ()), *legend])


def _prose(parts: Sequence[str]) -> str:
    text = " ".join(part if part == "Note:" else sentence(plain(part, None)) for part in parts)
    return escape_latex(text).replace(" - ", " $-$ ")


def _tabular(grid: Grid) -> str:
    """Return a grid as a tabular with the rules of booktabs, no wider than the text."""
    columns, kinds = grid.columns, {"left": "l", "right": "r"}
    marked = [any(line.cells[i].marks for line in grid.rows) for i in range(len(columns))]
    spec = "".join(
        r"p{.25\textwidth}" if column.wraps else kinds[column.align] + "@{}l" * has_marks
        for column, has_marks in zip(columns, marked, strict=True)
    )

    def spread(texts: Iterable[str]) -> str:
        cells = [rf"\multicolumn{{2}}{{r}}{{{t}}}" if m else t for t, m in zip(texts, marked, strict=True)]
        return _line(cells)

    lines = [rf"\begin{{tabular}}{{{spec}}}", r"\toprule", spread(_text(column.title) for column in columns)]
    above: list[str] | None = None
    for line in grid.rows:
        shared = [cell.text for cell, column in zip(line.cells, columns, strict=True) if column.once]
        lines += [r"\midrule"] if shared != above else []
        texts = []
        for i, (cell, column) in enumerate(zip(line.cells, columns, strict=True)):
            text = f"({cell.text})" if i == grid.names and not line.ranked else cell.text
            text = "" if column.once and shared == above else _text(text, column.align == "right")
            texts.append(f"{text}&{'~' * cell.marks.startswith(' ')}{_text(cell.marks)}" if marked[i] else text)
        lines.append(_line(texts))
        if any(cell.detail for cell in line.cells):  # next to the values they would not fit the page
            lines.append(spread(_text(cell.detail, True) for cell in line.cells))
        above = shared
    scaled = r"\resizebox{\ifdim\width>\textwidth\textwidth\else\width\fi}{!}{"
    return scaled + "\n".join([*lines, r"\bottomrule", r"\end{tabular}}"])


def _line(cells: Sequence[str]) -> str:
    """Return a row; a star or a bracket in front would be an argument of the rule or of the row before it."""
    return "{}" * cells[0].startswith(("*", "[")) + " & ".join(cells) + r" \\"


def _text(text: str, number: bool = False) -> str:
    return (latex_number if number else escape_latex)(plain(text, None)).replace(" - ", " $-$ ")
