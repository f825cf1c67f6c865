"""Our own schema of a reported table, and the self-reported numbers of a submission.

The schema is written down in docs/audit.md. Every key is checked; a mistyped one is named with the nearest known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast, get_args

from benchmark.audit.known import known
from benchmark.audit.printed import Printed, printed
from benchmark.audit.reported import Average, Cell, Deviation, Gain, Reported, Row, Setting, Ties
from tasks.errors import InputError, unknown_name

FORMAT = 1

_KEYS = ("format", "source", "notes", "settings", "decimals", "percent", "baseline", "deterministic", "stars", "rows")
LABELS = ("table", "task", "backbone", "operator", "method")
_ROW_KEYS = (*LABELS, "deterministic", "values")
_CELL_KEYS = ("mean", "sd", "stars", "improvement")
_CHOICES: dict[str, tuple[str, ...]] = {
    "average": get_args(Average),
    "ties": get_args(Ties),
    "sd": get_args(Deviation),
    "improvement": get_args(Gain),
}
_LARGEST = {"n_sessions": 10_000_000, "n_seeds": 10_000, "n_slots": 10_000, "most_slots": 10_000}
_SMALLEST = {"n_sessions": 1, "n_seeds": 1, "n_slots": 2, "most_slots": 2}
MOST_STARS = 9


def known_metric(name: str) -> str | None:
    """Return the metric that a column name means, whatever its case and arrows, or None."""
    found = known(name.strip().strip("*_ ").rstrip("\u2191\u2193 "))
    return None if found is None else found.name


def metric_name(name: str) -> str:
    """Return the metric that a name means, or the name itself where it is not known."""
    return known_metric(name) or name.strip()


def setting_of(values: Mapping[str, object], where: str = "settings") -> Setting:
    """Return a setting from plain values.

    Raises:
        InputError: A key is not known, or a value is out of range.
    """
    known = [field.name for field in dataclasses.fields(Setting)]
    found: dict[str, object] = {}
    for key, value in values.items():
        if key not in known:
            raise unknown_name(f"key in {where}:", str(key), known)
        if value is None:
            continue
        found[key] = _setting_value(key, value, where)
    return Setting(**found)  # type: ignore[arg-type]


def _setting_value(key: str, value: object, where: str) -> object:
    if key in _CHOICES:
        if value not in _CHOICES[key]:
            raise unknown_name(f"{key} in {where}:", str(value), _CHOICES[key])
        return value
    if key == "n_sessions_inferred":
        if not isinstance(value, bool):
            raise InputError(f"{where}: {key} must be true or false, not {value!r}.")
        return value
    if key == "uniform_logloss":
        number = float(_number(value, f"{where}: {key}"))
        if number <= 0:
            raise InputError(f"{where}: {key} must be above 0, not {value}.")
        return number
    if not isinstance(value, int) or isinstance(value, bool) or not _SMALLEST[key] <= value <= _LARGEST[key]:
        raise InputError(f"{where}: {key} must be a whole number of {_SMALLEST[key]}..{_LARGEST[key]}, not {value!r}.")
    return value


def from_mapping(values: Mapping[str, Any], source: str) -> Reported:
    """Return the reported table of a document.

    Args:
        values: The document; numbers with a point as text.
        source: Where it was read from, for one that does not say where its numbers stand.

    Raises:
        InputError: It does not keep to the schema; the place is named.
    """
    for key in values:
        if key not in _KEYS:
            raise unknown_name("key", str(key), _KEYS)
    if values.get("format", FORMAT) != FORMAT:
        raise InputError(f"it is of format {values['format']}; this version reads {FORMAT}.")
    settings = {
        str(task): setting_of(_mapping(value, f"settings of {task}"), f"settings of {task}")
        for task, value in _mapping(values.get("settings", {}), "settings").items()
    }
    digits = _decimals(values.get("decimals", {}))
    percent = {metric_name(name) for name in _texts(values.get("percent", []), "percent")}
    deterministic = _texts(values.get("deterministic", []), "deterministic")
    rows = values.get("rows")
    if not isinstance(rows, list) or not rows:
        raise InputError("'rows' must be a list of rows (docs/audit.md shows the format).")
    levels = _levels(values.get("stars", [0.05, 0.01]))
    return Reported(
        source=_text(values.get("source", source), "source"),
        rows=tuple(_row(row, f"row {i}", digits, percent, deterministic) for i, row in enumerate(rows, start=1)),
        settings=settings,
        baseline=_text(values.get("baseline", ""), "baseline"),
        levels=levels,
        notes=_texts(values.get("notes", []), "notes"),
    )


def _row(
    value: object, where: str, digits: Mapping[str, int], percent: set[str], deterministic: tuple[str, ...]
) -> Row:
    row = _mapping(value, where)
    for key in row:
        if key not in _ROW_KEYS:
            raise unknown_name(f"key in {where}:", str(key), _ROW_KEYS)
    labels = {label: _text(row.get(label, ""), f"{where}: {label}") for label in LABELS}
    same = row.get("deterministic", labels["method"] in deterministic)
    if not isinstance(same, bool):
        raise InputError(f"{where}: deterministic must be true or false, not {same!r}.")
    cells = {}
    for name, entry in _mapping(row.get("values"), f"{where}: values").items():
        metric = metric_name(str(name))
        if metric in cells:
            raise InputError(f"{where}: {metric} stands twice. Keep one.")
        if entry is not None:
            cells[metric] = _cell(entry, f"{where}, {metric}", digits, metric in percent)
    table, task, backbone, operator, method = (labels[label] for label in LABELS)
    return Row(table, task, backbone, operator, method, same, cells)


def _cell(value: object, where: str, digits: Mapping[str, int], percent: bool) -> Cell:
    if not isinstance(value, dict):
        return Cell(_number(value, where, digits.get("mean"), percent=percent))
    for key in value:
        if key not in _CELL_KEYS:
            raise unknown_name(f"key in {where}:", str(key), _CELL_KEYS)
    if value.get("mean") is None:
        raise InputError(f"{where}: there is no mean. Give one.")
    sd, stars, improvement = value.get("sd"), value.get("stars"), value.get("improvement")
    if stars is not None and (not isinstance(stars, int) or isinstance(stars, bool) or not 0 <= stars <= MOST_STARS):
        raise InputError(f"{where}: stars must be 0, 1, 2 ..., not {stars!r}.")
    return Cell(
        mean=_number(value["mean"], where, digits.get("mean"), percent=percent),
        sd=None if sd is None else _number(sd, f"{where}: sd", digits.get("sd"), percent=percent),
        stars=stars,
        improvement=None
        if improvement is None
        else _number(improvement, f"{where}: improvement", digits.get("improvement")),
    )


def from_submission(values: Mapping[str, Any], source: str) -> Reported:
    """Return the self-reported numbers of a ``submission.yaml``: a row per task, split and source.

    Raises:
        InputError: ``reported`` is not a list of task, split, metric, value and source.
    """
    entries = values["reported"]
    if not isinstance(entries, list):
        raise InputError("'reported' must be a list of task, split, metric, value and source.")
    cells: dict[tuple[str, str, str], dict[str, Cell]] = {}
    for number, entry in enumerate(entries, start=1):
        where = f"reported {number}"
        item = _mapping(entry, where)
        task, split, origin = (_text(item.get(key, ""), f"{where}: {key}") for key in ("task", "split", "source"))
        metric = metric_name(_text(item.get("metric", ""), f"{where}: metric"))
        row = cells.setdefault((task, split, origin), {})
        if not metric or metric in row:
            raise InputError(f"{where}: the metric '{metric}' is missing or stands twice. Give each once.")
        row[metric] = Cell(_number(item.get("value"), f"{where}: value"))
    name = _text(values.get("name", ""), "name")
    rows = [Row(origin, task, "", split, name, False, row) for (task, split, origin), row in cells.items()]
    return Reported(source, tuple(rows))


def _decimals(value: object) -> dict[str, int]:
    given = _mapping(value, "decimals")
    known = ("mean", "sd", "improvement")
    for key, digits in given.items():
        if key not in known:
            raise unknown_name("key in decimals:", str(key), known)
        if not isinstance(digits, int) or isinstance(digits, bool) or not 0 <= digits <= 15:
            raise InputError(f"decimals: {key} must be a whole number of 0..15, not {digits!r}.")
    return dict(given)


def _levels(value: object) -> tuple[float, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_STARS:
        raise InputError("'stars' must be a list of levels, such as [0.05, 0.01].")
    levels = tuple(float(_number(level, "stars")) for level in value)
    if any(not 0 < level < 1 for level in levels) or list(levels) != sorted(set(levels), reverse=True):
        raise InputError("'stars' must be levels between 0 and 1 that fall, such as [0.05, 0.01].")
    return levels


def _number(value: object, where: str, decimals: int | None = None, *, percent: bool = False) -> Printed:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"{where}: {value!r} is no number. Give one such as 0.1447.")
    text = value if isinstance(value, str) else repr(value)
    try:
        return printed(text, decimals, percent=percent)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where} must be keys and values (docs/audit.md shows the format).")
    return cast("dict[str, Any]", value)


def _text(value: object, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"{where} must be text, not {value!r}.")
    return str(value)


def _texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InputError(f"'{where}' must be a list of texts.")
    return tuple(_text(entry, where) for entry in value)
