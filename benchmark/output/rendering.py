"""Prints documents: as a table for the terminal, Markdown, LaTeX, CSV and JSON."""

import csv
import io
import json
import textwrap
from collections.abc import Callable, Sequence
from html import escape

from tabulate import SEPARATING_LINE, DataRow, TableFormat, tabulate

from benchmark.output.document import Document, Grid, GridCell
from benchmark.output.latex import latex
from benchmark.output.text import markdown, plain, spreadsheet
from tasks.errors import unknown_name

FORMATS = ("terminal", "markdown", "latex", "csv", "json")
WIDTH = 100
"""Characters of a line where there is no terminal."""

_GAP = 2
_LEAST = 6
"""Characters below which a column of text is not narrowed."""


def check_format(name: str, known: Sequence[str] = FORMATS) -> None:
    """Refuse a format that there is not; InputError if the format is unknown; the nearest is suggested."""
    if name not in known:
        raise unknown_name("format", name, known)


def render(found: Document | Sequence[Document], format: str, width: int = WIDTH) -> str:
    """Return documents in one of ``FORMATS``; several of one kind follow one another.

    A table of the terminal that is wider than ``width`` characters is printed in blocks of columns. InputError if the
    format is unknown.
    """
    check_format(format)
    documents = [found] if isinstance(found, Document) else list(found)
    if format == "json":
        data = [one.data() for one in documents]
        return json.dumps(data[0] if isinstance(found, Document) else data, indent=1, default=dict)
    if format == "csv":
        return _csv(documents)
    if format == "terminal":
        return "\n\n".join(_terminal(one, width) for one in documents)
    return "\n\n".join(map(_markdown if format == "markdown" else latex, documents))


def _line(text: str) -> str:
    return plain(text, None)


def _csv(documents: Sequence[Document]) -> str:
    """Return the rows of all documents below one head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for i, one in enumerate(documents):
        for cells in list(one.csv())[min(i, 1) :]:
            writer.writerow([spreadsheet(cell) if isinstance(cell, str) else cell for cell in cells])
    return text.getvalue().rstrip("\n")


def _terminal(document: Document, width: int) -> str:
    lines = [_line(document.title), *(f"NOTE: {_line(note)}" for note in document.notices)]
    for i, said in enumerate(document.verdict):
        wrapped = textwrap.wrap(_line(said), width, subsequent_indent="  ", break_on_hyphens=False)
        lines += [*([""] if i == 0 else []), *wrapped]
    for grid in document.grids:
        if grid.heading:
            lines += ["", _line(grid.heading)]
        for block in _blocks(grid, width):
            lines += ["", *block]
        lines += ["", *map(_line, grid.notes)] if grid.notes else []
    lines += ["", *map(_line, document.legend)] if document.legend else []
    if document.picture:
        lines.append(f"Picture: {document.name}.svg, .png, .pdf; data: {document.name}.csv.")
    return "\n".join(lines).lstrip("\n")


def _markdown(document: Document) -> str:
    parts = [f"# {markdown(document.title)}", *(f"**NOTE: {markdown(note)}**" for note in document.notices)]
    parts += _list(document.verdict)
    if document.picture:
        parts.append(f"![{markdown(document.title)}]({document.name}.svg)")
    for grid in document.grids:
        parts += [f"## {markdown(grid.heading)}"] if grid.heading else []
        groups = grid.groups() if grid.columns else {}
        for title, chosen in groups.items():
            parts += [f"**{markdown(title)}**"] if title and len(groups) > 1 else []
            part = grid.part(chosen)
            parts.append(_laid_out(part, *_texts(part, markdown, once=False), _MARKDOWN))
        parts += _list(grid.notes)
    return "\n\n".join([*parts, *_list(document.legend)])


def html(document: Document) -> str:
    """Return a document as an HTML fragment, as notebooks show it: every text is escaped."""
    parts = [f"<h4>{escape(_line(document.title))}</h4>"]
    parts += [f"<p><strong>NOTE: {escape(_line(note))}</strong></p>" for note in document.notices]
    parts += ["<ul>", *(f"<li>{escape(_line(said))}</li>" for said in document.verdict), "</ul>"]
    for grid in document.grids:
        for title, chosen in grid.groups().items():
            part = grid.part(chosen)
            cells, _ = _texts(part, _line, once=False)
            aligns = [column.align for column in part.columns]
            parts += [f"<h5>{escape(_line(' '.join(filter(None, (grid.heading, title)))))}</h5>"]
            parts.append(tabulate(cells[1:], cells[0], tablefmt="html", colalign=aligns, disable_numparse=True))
    return "\n".join([*parts, *(f"<p><small>{escape(_line(said))}</small></p>" for said in document.legend)])


def _list(lines: Sequence[str]) -> list[str]:
    """Return lines as a list of Markdown, nothing without any."""
    return ["\n".join(f"- {markdown(line)}" for line in lines)] if lines else []


def _texts(grid: Grid, safe: Callable[[str], str], *, once: bool) -> tuple[list[list[str]], list[int]]:
    """Return head and rows as safe text, what follows numbers padded to one width, and the columns' widths."""
    tails = [_tails([line.cells[i] for line in grid.rows], safe) for i in range(len(grid.columns))]
    shown = [[safe(column.title) for column in grid.columns]]
    above: Sequence[GridCell] = ()
    for n, line in enumerate(grid.rows):
        texts = []
        for i, (column, cell) in enumerate(zip(grid.columns, line.cells, strict=True)):
            text = safe(cell.text)
            if i == grid.names:
                text = ("  " if once and line.indent else "") + (text if line.ranked else f"({text})")
            if once and column.once and line.cells[: i + 1] == above[: i + 1]:
                text = ""
            texts.append(text + tails[i][n])
        shown.append(texts)
        above = line.cells
    return shown, [max(3, *map(len, column)) for column in zip(*shown, strict=True)]


def _tails(cells: Sequence[GridCell], safe: Callable[[str], str]) -> list[str]:
    """Return marks and detail of the cells of a column, each of one width, the space before marks kept."""
    marks = [" " * cell.marks.startswith(" ") + safe(cell.marks) for cell in cells]
    details = [f" {safe(cell.detail)}" if cell.detail else "" for cell in cells]
    first, second = (max(map(len, texts), default=0) for texts in (marks, details))
    return [mark.ljust(first) + detail.ljust(second) for mark, detail in zip(marks, details, strict=True)]


def _rule(widths: Sequence[int], aligns: Sequence[str]) -> str:
    dashes = [("-" * (n - 1), align) for n, align in zip(widths, aligns, strict=True)]
    return f"| {' | '.join(f':{d}' if align == 'left' else f'{d}:' for d, align in dashes)} |"


_MARKDOWN = TableFormat(None, _rule, None, None, None, DataRow("| ", " | ", " |"), 0, None)


def _laid_out(
    grid: Grid, cells: Sequence[Sequence[str]], widths: Sequence[int], form: TableFormat | str = "simple"
) -> str:
    """Return head, rule and rows as lines; the head is padded to the widths, which are at least those of the cells."""
    aligns = [column.align for column in grid.columns]
    head = [f"{text:{'<' if a == 'left' else '>'}{n}}" for text, n, a in zip(cells[0], widths, aligns, strict=True)]
    rows = [head, SEPARATING_LINE, *cells[1:]]
    # Neither headers nor maxcolwidths: the one widens columns, the other prints the text False as True.
    return tabulate(rows, tablefmt=form, colalign=aligns, disable_numparse=True, preserve_whitespace=True)


def _blocks(grid: Grid, room: int) -> list[list[str]]:
    """Return the lines of a grid for a terminal of some width, in blocks of columns that fit."""
    if any(column.wraps for column in grid.columns) or not grid.columns:
        return [_lines(grid, room)] if grid.columns else []
    found = _divided(grid, room)
    several = len(found) > 1 and len(grid.groups()) > 1
    return [[*([title] if several and title else []), *_lines(grid.part(chosen), room)] for title, chosen in found]


def _divided(grid: Grid, room: int) -> list[tuple[str, list[int]]]:
    """Return title and columns of each block: groups that fit side by side are one, one that is too wide several."""
    _, widths = _texts(grid, _line, once=True)
    keys = [n for n, column in zip(widths, grid.columns, strict=True) if column.key]

    def fits(chosen: Sequence[int]) -> bool:
        return sum(keys) + sum(widths[i] for i in chosen) + _GAP * (len(keys) + len(chosen) - 1) <= room

    blocks: list[tuple[str, list[int]]] = []
    whole = False
    for title, group in grid.groups().items():
        if whole and fits(blocks[-1][1] + group):
            blocks[-1] = (f"{blocks[-1][0]}, {title}", blocks[-1][1] + group)
            continue
        pieces = _evenly(group, fits)
        whole = len(pieces) == 1
        blocks += [(title, piece) for piece in pieces]
    return blocks


def _evenly(group: list[int], fits: Callable[[Sequence[int]], bool]) -> list[list[int]]:
    """Return columns in as few pieces as fit, one by one where nothing does."""
    for size in range(len(group), 1, -1):
        count = -(-len(group) // size)
        even = -(-len(group) // count)
        pieces = [group[i : i + even] for i in range(0, len(group), even)]
        if all(map(fits, pieces)):
            return pieces
    return [[i] for i in group] or [[]]


def _lines(grid: Grid, room: int) -> list[str]:
    """Return head, rule and rows; columns of text are narrowed until the rest fits, and go on below."""
    cells, widths = _texts(grid, _line, once=True)
    text = [i for i, column in enumerate(grid.columns) if column.wraps] or [grid.names]
    whole = list(widths)
    longest = (map(len, " ".join(column).replace("-", " ").split()) for column in zip(*cells, strict=True))
    words = [max(lengths, default=0) for lengths in longest]

    def cost(i: int) -> tuple[bool, bool, float]:
        # Words are broken last; widths end up with the square roots of the lengths, so that long cells get more room.
        return widths[i] <= _LEAST, widths[i] <= words[i], whole[i] / widths[i] ** 2

    for _ in range(sum(widths) + _GAP * (len(widths) - 1) - room):
        narrow = min(text, key=cost)
        widths[narrow] -= widths[narrow] > _LEAST
    # What fits keeps the spaces that line up marks.
    wrapped = [
        [t if len(t) <= n else "\n".join(textwrap.wrap(t, n)) for t, n in zip(row, widths, strict=True)]
        for row in cells
    ]
    return _laid_out(grid, wrapped, widths).splitlines()[1:-1]  # without the rules above and below
