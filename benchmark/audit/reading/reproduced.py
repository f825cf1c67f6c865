"""The JSON that ``reproduce`` writes of a table, the one of its files that holds everything unrounded.

Only rows of our values are results. An improvement belongs to one of them, the paper's values and the differences from
them are printed next to one, and what a table of significance calls the reference may have no row at all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmark.audit.granularity import known
from benchmark.audit.printed import Printed, computed, printed
from benchmark.audit.reading.runs import interval_of, setting_of
from benchmark.audit.reported import Cell, Quoted, Reported, Row, Setting
from benchmark.naming import LABEL
from tasks.errors import InputError

Originals = Callable[[str, str, str, str], Sequence[Row]]
"""Task, backbone and operator as layouts name them, and method -> the rows of the paper about that."""

KINDS = ("value", "improvement", "paper", "difference")
"""What the numbers of a row are; a difference comes after the published value that it starts from."""

_OF_TABLE = {"captions", "metrics", "rows", "digests"}
OF_FIGURE = {"captions", "summary", "identities"}
"""Keys by which the JSON of a figure is known."""
_AGAIN = "Make it again with 'reproduce'."

_Key = tuple[str, str, str]


def is_table(values: Mapping[str, Any]) -> bool:
    """Return whether a document is a table of ``reproduce``."""
    return set(values) >= _OF_TABLE


def from_json(values: Mapping[str, Any], file: Path, originals: Originals | None = None) -> Reported:
    """Return a reproduced table; InputError if it is damaged, or was written by a version that did not say enough."""
    if "data" not in values or "reference" not in values:
        raise InputError(f"{file}: an older version wrote this table, without its test sessions. {_AGAIN}")
    try:
        return _reported(values, str(file), originals)
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{file}: this table of 'reproduce' is damaged ({error!r}). {_AGAIN}") from error


def merged(source: str, tables: Sequence[Reported]) -> Reported:
    """Return several reproduced tables as one report, so that numbers that appear in several are compared."""
    rows = tuple(row for table in tables for row in table.rows)
    return Reported(source, rows, notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)))


def _reported(values: Mapping[str, Any], source: str, originals: Originals | None) -> Reported:
    reference, tested = str(values["reference"]), values["kind"] == "significance"
    found: dict[_Key, Row] = {}
    cells: dict[_Key, dict[str, Cell]] = {}
    for row in (row for row in values["rows"] if row["kind"] == "value"):
        key = _key(row, "method")
        if key in found:
            raise InputError(f"{', '.join(key)} appears twice. Keep one.")
        cells[key] = {str(metric): _cell(metric, cell, tested) for metric, cell in row["cells"].items()}
        found[key] = _row(row, values, cells[key])
    for row in sorted(values["rows"], key=lambda row: KINDS.index(row["kind"])):
        if row["kind"] != "value":
            if _key(row, "of") not in found:
                raise InputError(f"the row '{row['kind']}' of {row['of']} appears without {row['of']}. {_AGAIN}")
            _attach(row, found, cells, originals)
    fixed = len(values["reference_seeds"]) == 1
    rows = [*found.values(), *_references(values["rows"], found, reference, fixed)]
    notes = [str(line).removeprefix("NOTE: ") for line in values["captions"] if str(line).startswith("NOTE:")]
    return Reported(source, tuple(rows), notes=tuple(notes))


def _key(row: Mapping[str, Any], method: str) -> _Key:
    """Return block and method of a row, or of the row that it belongs to: blocks are named as in the layout."""
    return _method(row[method]), str(row["backbone"]), str(row["operator"])


def _method(said: object) -> str:
    """Return a row's method as it is printed today; older tables have ``(label)`` where attention is for the click."""
    return str(said).replace(" (label)", LABEL)


def _row(row: Mapping[str, Any], table: Mapping[str, Any], cells: Mapping[str, Cell]) -> Row:
    seeds, data = len(row["seeds"]), table["data"].get(table["task"])
    used, method = str(row["used_backbone"]), _method(row["method"])
    return Row(
        table=str(table["name"]),
        task=str(table["task"]),
        # a stand-in is called by its own name, a folder by the name of the backbone that it holds
        backbone=used if used.startswith("pocket-") else str(row["backbone"]),
        operator=str(row["used_operator"]) or str(row["operator"]),
        method=method,
        deterministic=seeds == 1 and len(data["seeds"] if data else row["seeds"]) > 1,
        cells=cells,
        own=setting_of(data, seeds) if data and seeds else Setting(average="users", ties="expected"),
        baseline=str(table["reference"]) if method != table["reference"] else "",
        trials=tuple(map(str, row["identities"])),
    )


def _cell(metric: str, cell: Mapping[str, Any], tested: bool) -> Cell:
    return Cell(
        computed(float(cell["value"])),
        None if cell["sd"] is None else computed(float(cell["sd"])),
        stars=len(cell["stars"]) if tested and not cell["reason"] else None,
        interval=interval_of(metric, cell["low"], cell["high"]),
        better=cell["better"],
    )


def _attach(
    row: Mapping[str, Any],
    found: Mapping[_Key, Row],
    cells: Mapping[_Key, dict[str, Cell]],
    originals: Originals | None,
) -> None:
    """Put the numbers of a row that is not one of our values next to the values that they are about."""
    key = _key(row, "of")
    own, of = cells[key], found[key]
    there = originals(of.task, *key[1:], of.method) if originals and row["kind"] == "paper" else ()
    for metric, cell in row["cells"].items():
        if metric not in own:
            continue
        number = printed(str(cell["printed"])) if cell.get("printed") else computed(float(cell["value"]))
        next_to = own[metric].quoted
        if row["kind"] == "improvement":
            own[metric] = replace(own[metric], improvement=number)
        elif row["kind"] == "paper":
            quoted = Quoted(number, tuple(paper.cells[metric].mean for paper in there if metric in paper.cells))
            own[metric] = replace(own[metric], quoted=quoted)
        elif next_to is not None:
            # The paper probed attention for the true click: its attention is compared with such a row, if there is one.
            about = known(metric)
            labelled = cells.get((of.method + LABEL, *key[1:])) if about and "attention" in about.needs else None
            start = own if labelled is None else labelled
            compared = start[metric].mean if metric in start else None
            own[metric] = replace(own[metric], quoted=replace(next_to, difference=number, own=compared))


def _references(rows: Sequence[Mapping[str, Any]], found: Mapping[_Key, Row], reference: str, fixed: bool) -> list[Row]:
    """Return rows of the reference for tables of significance, which print only the differences from it."""
    made: dict[_Key, Row] = {}
    for row in (row for row in rows if row["kind"] == "value"):
        of, key = found[_key(row, "method")], (reference, str(row["backbone"]), str(row["operator"]))
        apart = {name: cell["difference"] for name, cell in row["cells"].items() if cell["difference"] is not None}
        if apart and key not in found and key not in made and of.own is not None and of.own.average == "sessions":
            cells = {}
            for name, gap in apart.items():
                mean, difference = of.cells[name].mean, computed(float(gap))
                step = 2 * Fraction(mean.half + difference.half)
                cells[name] = Cell(Printed(mean.value - difference.value, step))
            made[key] = replace(of, method=reference, deterministic=fixed, cells=cells, baseline="")
    return list(made.values())
