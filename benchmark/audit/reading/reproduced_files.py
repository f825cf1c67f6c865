"""The JSON and the CSV that ``reproduce`` writes of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.audit.printed import Printed, computed, printed
from benchmark.audit.reading.reproduced import (
    KINDS,
    LABEL,
    OURS,
    REFERENCE,
    Kind,
    Line,
    assemble,
    interval_of,
    setting_of,
)
from benchmark.audit.reported import Cell, Reported, Setting
from tasks.errors import InputError

_OF_TABLE = {"captions", "metrics", "rows", "digests"}
_OF_FIGURE = {"captions", "summary", "identities"}
COLUMNS = ("table", "backbone", "operator", "method", "kind", "metric", "value")
"""Columns by which the CSV is known."""

_NEEDED = ("used_backbone", "used_operator", "of", "printed")
"""Further columns that it must have."""

_AGAIN = "Make it again with 'reproduce'."


def is_table(values: Mapping[str, Any]) -> bool:
    """Return whether a document is a table of ``reproduce``."""
    return set(values) >= _OF_TABLE


def is_figure(values: Mapping[str, Any]) -> bool:
    """Return whether a document is a figure of ``reproduce``."""
    return set(values) >= _OF_FIGURE


def from_json(values: Mapping[str, Any], source: str) -> Reported:
    """Return a reproduced table.

    Args:
        values: The document; numbers with a point may be text.
        source: Where it was read from.

    Raises:
        InputError: It is damaged, or was written by a version that did not say enough.
    """
    if "data" not in values or "reference" not in values:
        raise InputError(f"an older version wrote this table, without its test sessions. {_AGAIN}")
    try:
        name, task, tested = str(values["name"]), str(values["task"]), values["kind"] == "significance"
        lines = [_line(row, name, task, values["data"].get(task), tested) for row in values["rows"]]
        fixed = len(values["reference_seeds"]) == 1
        notes = [str(line).removeprefix("NOTE: ") for line in values["captions"] if str(line).startswith("NOTE:")]
        reference = str(values["reference"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"this table of 'reproduce' is damaged ({error!r}). {_AGAIN}") from error
    return assemble(source, lines, reference, notes, reference_fixed=fixed)


def _line(row: Mapping[str, Any], table: str, task: str, data: Mapping[str, Any] | None, tested: bool) -> Line:
    seeds = [int(seed) for seed in row["seeds"]]
    backbone, operator = str(row["backbone"]), str(row["operator"])
    kind = _kind(row["kind"])
    cells = {str(metric): _cell(metric, cell, kind, tested) for metric, cell in row["cells"].items()}
    return Line(
        table=table,
        task=task,
        backbone=_shown(str(row["used_backbone"]), backbone),
        operator=str(row["used_operator"]) or operator,
        method=str(row["method"]),
        kind=kind,
        cells=cells,
        block=(backbone, operator),
        of=str(row["of"]),
        deterministic=len(seeds) == 1 and len(data["seeds"] if data else seeds) > 1,
        setting=_setting(data, len(seeds)) if data and seeds else OURS,
        trials=tuple(map(str, row["identities"])),
        differences={
            str(metric): computed(float(cell["difference"]))
            for metric, cell in row["cells"].items()
            if kind == "value" and cell["difference"] is not None
        },
    )


def _kind(word: object) -> Kind:
    if word not in KINDS:
        raise ValueError(f"kind {word!r}")
    return word


def _shown(used: str, layout: str) -> str:
    """Return what to call a backbone: a stand-in by its own name, a folder by the name that it stands for."""
    return used if used.startswith("pocket-") else layout


def _setting(data: Mapping[str, Any], seeds: int) -> Setting:
    slots = [int(count) for count in data.get("slots") or ()]
    uniform = data["uniform_logloss"]
    return setting_of(
        int(data["n_sessions"]),
        int(data["n_users"]),
        seeds,
        n_slots=None if data["n_slots"] is None else int(data["n_slots"]),
        most_slots=max(slots, default=None),
        uniform_logloss=None if uniform is None else float(uniform),
    )


def _cell(metric: str, cell: Mapping[str, Any], kind: Kind, tested: bool) -> Cell:
    if kind == "paper" and cell["printed"]:
        return Cell(printed(str(cell["printed"])))
    mean = computed(float(cell["value"]))
    if kind != "value":
        return Cell(mean)
    low, high, sd = (None if cell[key] is None else computed(float(cell[key])) for key in ("low", "high", "sd"))
    return Cell(
        mean,
        sd,
        stars=len(cell["stars"]) if tested and not cell["reason"] else None,
        interval=None if low is None or high is None else interval_of(metric, low, high),
        better=cell["better"],
    )


def from_csv(lines: Sequence[Mapping[str, str]], numbers: Sequence[int], source: str) -> Reported:
    """Return a reproduced table from its CSV, which holds every number and not how many sessions are behind it.

    Args:
        lines: Column in lower case -> cell, line by line.
        numbers: Where in the file each line stands.
        source: Where it was read from.

    Raises:
        InputError: A column is missing, or a cell is no number; the line is named.
    """
    missing = [name for name in _NEEDED if name not in lines[0]]
    if missing:
        raise InputError(f"this table of 'reproduce' has no column {missing[0]}: an older version wrote it. {_AGAIN}")
    rows: dict[tuple[str, ...], dict[str, tuple[Mapping[str, str], int]]] = {}
    for line, number in zip(lines, numbers, strict=True):
        if line["kind"] not in KINDS:
            raise InputError(f"line {number}: the kind '{line['kind'][:20]}' is none of {', '.join(KINDS)}.")
        key = tuple(line[name] for name in ("table", "backbone", "operator", "kind", "method", "of"))
        if line["metric"] in rows.setdefault(key, {}):
            raise InputError(f"line {number}: {line['metric'][:20]} of the same row stands a second time. Keep one.")
        rows[key][line["metric"]] = line, number
    found = [_csv_line(given) for given in rows.values()]
    notices = dict.fromkeys(line["notice"] for line in lines if line.get("notice"))
    notes = [*notices, "a CSV does not say of how many sessions and seeds it is; the .json beside it does"]
    return assemble(source, found, _baseline(found), notes)


def _csv_line(given: Mapping[str, tuple[Mapping[str, str], int]]) -> Line:
    first = next(iter(given.values()))[0]
    kind = _kind(first["kind"])
    cells = {metric: _csv_cell(metric, line, number, kind) for metric, (line, number) in given.items()}
    block = (first["backbone"], first["operator"])
    return Line(
        table=first["table"],
        task="",
        backbone=_shown(first["used_backbone"], block[0]),
        operator=first["used_operator"] or block[1],
        method=first["method"],
        kind=kind,
        cells=cells,
        block=block,
        of=first["of"],
        deterministic=all(cell.sd is None for cell in cells.values()),
        trials=tuple(first.get("trials", "").split()),
        differences={
            metric: _number(line, "difference", number)
            for metric, (line, number) in given.items()
            if line.get("difference")
        },
    )


def _csv_cell(metric: str, line: Mapping[str, str], number: int, kind: Kind) -> Cell:
    if kind == "paper" and line["printed"]:
        return Cell(_number(line, "printed", number))
    mean = _number(line, "value", number)
    if kind != "value":
        return Cell(mean)
    low, high, sd = (_number(line, key, number) if line.get(key) else None for key in ("low", "high", "sd"))
    marks = line.get("stars", "")
    return Cell(
        mean,
        sd,
        stars=len(marks) or None,
        interval=None if low is None or high is None else interval_of(metric, low, high),
        better={"True": True, "False": False}.get(line.get("better", "")),
    )


def _number(line: Mapping[str, str], column: str, number: int) -> Printed:
    try:
        return printed(line[column]) if column == "printed" else computed(float(line[column]))
    except ValueError as error:
        raise InputError(f"line {number}, {column}: '{line[column][:40]}' is no number. {_AGAIN}") from error


def _baseline(lines: Sequence[Line]) -> str:
    """Return what improvements refer to: the one other method that is made from trials of an improvement's."""
    used = {
        line.method
        for row in lines
        if row.kind == "improvement"
        for line in lines
        if line.kind == "value" and line.block == row.block and not line.method.endswith(LABEL)
        if line.method != row.of and set(line.trials) <= set(row.trials)
    }
    return used.pop() if len(used) == 1 else REFERENCE
