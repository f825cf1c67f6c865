"""Tables of text: CSV, long or wide, and Markdown.

Wide: a row per method, a column per metric. Long: a row per number, with a column ``metric``. A cell may hold what
papers print: ``0.2368``, ``23.68%``, ``0.2368 +/- 0.053**``, ``0.2368 (0.053)``, ``**0.2368**`` (bold). A row called
``improvement`` (``impr.``, ``gain``) belongs to the row above it.
"""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmark.audit.printed import printed
from benchmark.audit.reading.mapping import LABELS, known_metric, metric_name, row_of
from benchmark.audit.reported import Cell, Reported, Row, Setting
from tasks.errors import InputError

_LABELS = {**{label: label for label in LABELS}, "simulator": "method", "model": "backbone"}
_MEAN = ("mean", "value")
_SD = ("sd", "std", "seed_sd")
_LONG = ("metric", *_MEAN, *_SD, "stars", "improvement")
_ARROWS = ("\u2191", "\u2193")
_OF_RUN = {"simulator", "metric", "mean", "n_users"}
"""Columns by which the CSV of a run is known."""
_OF_TABLE = {"table", "backbone", "operator", "method", "kind", "metric", "value"}
"""Columns by which the CSV of a table of ``reproduce`` is known."""
_REPRODUCED = re.compile(r"^- Made from \d+ trials?; .*[\w.-]+\.json\.?\s*$", re.MULTILINE)
"""A caption by which its Markdown is known."""
_GIVE_JSON = "this is a table of 'reproduce' without all of its numbers. Give the .json next to it, or the folder."

_NUMBER = r"[+\-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+\-]?\d+)?"
_CELL = re.compile(
    rf"(?P<mean>{_NUMBER})\s*(?P<percent>%?)\s*(?P<before>\*{{0,9}})\s*"
    rf"(?:(?:\u00b1|\+/-|\\pm)\s*(?P<sd>{_NUMBER})\s*%?|\(\s*(?P<bracket>{_NUMBER})\s*%?\s*\))?\s*(?P<after>\*{{0,9}})"
)
_BLANK = {"", "-", "\u2013", "\u2014", "n/a", "na", "nan", "none"}
_IMPROVEMENT = re.compile(r"(rel(ative|\.)? )?(improvement|improv\.?|impr\.?|gain)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Grid:
    """A table of text: its name, header, lines, and where in the file each line is."""

    name: str
    header: list[str]
    lines: list[list[str]]
    numbers: list[int]


def from_csv(text: str, source: str) -> Reported:
    """Read CSV with commas, semicolons or tabs between columns; InputError, naming the line, if it is no table."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    lines, numbers = [], []
    try:
        for line in reader:
            if any(cell.strip() for cell in line):
                lines.append(line)
                numbers.append(reader.line_num)
    except csv.Error as error:
        raise InputError(f"line {reader.line_num}: it is not CSV: {error}.") from error
    if len(lines) < 2:
        raise InputError("there is no table: a header and a row are needed.")
    return _reported([_Grid("", lines[0], lines[1:], numbers[1:])], source)


def from_markdown(text: str, source: str) -> Reported:
    """Read every pipe table of a Markdown file, several numbered from 1; InputError if there is none."""
    grids: list[_Grid] = []
    lines = [_split(line) for line in text.splitlines()]
    for number in range(1, len(lines)):
        header, rule = lines[number - 1], lines[number]
        if not header or not rule or not all(re.fullmatch(r":?-+:?", cell) for cell in rule):
            continue
        end = next((i for i in range(number + 1, len(lines)) if not lines[i]), len(lines))
        body = [cells for cells in lines[number + 1 : end] if cells]
        if body:
            name = str(len(grids) + 1)
            grids.append(_Grid(name, header, body, list(range(number + 2, number + 2 + len(body)))))
    if not grids:
        raise InputError("there is no pipe table ('| method | CSH@1 |', a line of dashes, rows).")
    if _REPRODUCED.search(text):
        raise InputError(_GIVE_JSON)
    return _reported(grids if len(grids) > 1 else [replace(grids[0], name="")], source)


def _split(line: str) -> list[str]:
    """Return the cells of a line of a pipe table, or nothing for another line."""
    plain = line.strip()
    if not plain.startswith("|"):
        return []
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", plain[1:])]
    return cells[:-1] if cells and not cells[-1] else cells


def _reported(grids: Sequence[_Grid], source: str) -> Reported:
    rows: list[Row] = []
    notes: list[str] = []
    for grid in grids:
        names = [name.strip().lower() for name in grid.header]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise InputError(f"the column '{twice[:40]}' appears twice. Keep one.")
        for line, number in zip(grid.lines, grid.numbers, strict=True):
            if len(line) != len(names):
                raise InputError(f"line {number} has {len(line)} cells, the header {len(names)}. Fix that line.")
        if set(names) >= _OF_TABLE:
            raise InputError(_GIVE_JSON)
        if set(names) >= _OF_RUN or (names[0] == "simulator" and any(name.endswith(_ARROWS) for name in names)):
            raise InputError("this suite printed that table of a run. Give the run's folder, which holds all of it.")
        rows += _long(grid, names) if "metric" in names else _wide(grid, names, notes)
    return Reported(source, tuple(rows), {row.task: Setting() for row in rows}, notes=tuple(notes))


def _long(grid: _Grid, names: list[str]) -> list[Row]:
    """Return the rows of a table with one number a line."""
    mean = next((name for name in _MEAN if name in names), None)
    if mean is None:
        raise InputError("a table with a column 'metric' needs a column 'mean' or 'value'.")
    found: dict[tuple[str, ...], dict[str, Cell]] = {}
    for line, number in zip(grid.lines, grid.numbers, strict=True):
        given = dict(zip(names, (cell.strip() for cell in line), strict=True))
        cell = _cell(given[mean], f"line {number}, {mean}")
        if cell is None:
            continue
        for name in _SD:
            if given.get(name, "").lower() not in _BLANK:
                cell = replace(cell, sd=printed(given[name], where=f"line {number}, {name}"))
        if given.get("stars", "").lower() not in _BLANK:
            cell = replace(cell, stars=_stars(given["stars"], f"line {number}, stars"))
        if given.get("improvement", "").lower() not in _BLANK:
            text = given["improvement"].rstrip("% ")
            cell = replace(cell, improvement=printed(text, where=f"line {number}, improvement"))
        row = found.setdefault(tuple(_labels(grid, names, line).values()), {})
        metric = metric_name(given["metric"])
        if metric in row:
            raise InputError(f"line {number}: {metric} of the same row appears a second time. Keep one.")
        row[metric] = cell
    return [row_of(key, cells) for key, cells in found.items()]


def _wide(grid: _Grid, names: list[str], notes: list[str]) -> list[Row]:
    """Return the rows of a table with a method a line; what is neither a metric nor a label is noted."""
    metrics = {i: metric for i, name in enumerate(grid.header) if (metric := known_metric(name))}
    if not metrics:
        return []
    first = next(i for i in range(len(names)) if i not in metrics) if len(metrics) < len(names) else None
    unknown = [name for i, name in enumerate(grid.header) if i not in metrics and i != first]
    unknown = [name.strip() for name in unknown if name.strip().lower() not in (*_LABELS, "split", "version")]
    if unknown:
        notes.append(f"columns that are not checked: {', '.join(unknown)[:200]}")
    if len(set(metrics.values())) < len(metrics):
        raise InputError("two columns mean the same metric. Keep one.")
    rows: list[Row] = []
    for line, number in zip(grid.lines, grid.numbers, strict=True):
        labels = _labels(grid, names, line)
        if not labels["method"] and first is not None:
            labels["method"] = _label(line[first])
        if _IMPROVEMENT.match(labels["method"]):
            if not rows:
                raise InputError(f"line {number}: there is no row above that the improvement belongs to.")
            rows[-1] = _improved(rows[-1], line, metrics, number)
            continue
        cells = {metric: _cell(line[i], f"line {number}, {metric}") for i, metric in metrics.items()}
        found = {metric: cell for metric, cell in cells.items() if cell is not None}
        rows.append(row_of(labels.values(), found))
    return rows


def _improved(row: Row, line: Sequence[str], metrics: dict[int, str], number: int) -> Row:
    cells = dict(row.cells)
    for i, metric in metrics.items():
        text = line[i].strip().strip("*").rstrip("% ")
        if metric in cells and text.lower() not in _BLANK:
            cells[metric] = replace(cells[metric], improvement=printed(text, where=f"line {number}, {metric}"))
    return replace(row, cells=cells)


def _labels(grid: _Grid, names: list[str], line: Sequence[str]) -> dict[str, str]:
    found = dict.fromkeys(LABELS, "")
    found["table"] = grid.name
    for name, cell in zip(names, line, strict=True):
        if name in _LABELS and cell.strip():
            found[_LABELS[name]] = _label(cell)
    return found


def _label(cell: str) -> str:
    return " ".join(cell.replace("**", "").split())


def _cell(text: str, where: str) -> Cell | None:
    """Return the number of a cell with what is printed next to it, or None for a blank one."""
    plain = text.strip().replace("\N{MINUS SIGN}", "-").replace("$", "").replace(r"\*", "*").strip()
    if plain.lower() in _BLANK:
        return None
    bold = re.fullmatch(r"\*\*([^*]+)\*\*(\**)", plain)
    plain = bold[1] + bold[2] if bold else plain
    match = _CELL.fullmatch(plain.strip())
    if match is None:
        raise InputError(f"{where}: '{text.strip()[:40]}' is not a number. Give one, such as 0.1447 +/- 0.012.")
    percent = bool(match["percent"]) or plain.rstrip("*) ").endswith("%")
    sd = match["sd"] or match["bracket"]
    stars = len(match["before"] + match["after"])
    spread = None if sd is None else printed(sd, percent=percent, where=where)
    return Cell(printed(match["mean"], percent=percent, where=where), spread, stars or None)


def _stars(text: str, where: str) -> int:
    plain = text.replace("\\", "")
    if set(plain) == {"*"}:
        return len(plain)
    if re.fullmatch(r"\d", plain):
        return int(plain)
    raise InputError(f"{where}: '{text[:20]}' is not a number of stars. Give 0, 1, 2 or *, **.")
