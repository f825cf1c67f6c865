"""Checks values against the JSON schema of the format, in words a person can act on.

The schema file is the one description of ``submission.yaml``; jsonschema finds what departs from it.
"""

from __future__ import annotations

import difflib
import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.files.printable import shown

if TYPE_CHECKING:
    from jsonschema import ValidationError

SCHEMA_FILE = Path(__file__).parent / "schema" / "v1.json"

Fault = tuple[str, str, str]
"""Where in the value (``simulator.kind``), what is wrong, what to do."""

_TYPES = {
    "string": "text (in quotes)",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_LIMITS = {"minItems": "at least", "maxItems": "at most", "maxProperties": "at most"}


@functools.lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the schema of ``submission.yaml``."""
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return found


def faults(value: object, rules: Mapping[str, Any]) -> list[Fault]:
    """Return everything in which plain values depart from a schema, at most one fault per place."""
    # YAML has keys that are not text, which JSON Schema does not see.
    odd = (place for place, key, is_key in _walk(value, "") if is_key and not isinstance(key, str))
    found = {place: ("is not a valid key", "Give text (in quotes).") for place in odd}
    for error in _validator()(rules).iter_errors(_finite(value)):
        for where, what, remedy in _described(error):
            found.setdefault(where, (what, remedy))
    return [(where, *words) for where, words in found.items()]


@functools.lru_cache(maxsize=1)
def _validator() -> Any:
    from jsonschema import Draft202012Validator, ValidationError, validators

    def pattern(validator: Any, wanted: str, value: object, rules: object) -> Iterator[ValidationError]:
        # Python's $ also matches before a final line feed; JSON Schema's does not.
        if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), value):
            yield ValidationError("does not match")

    def unique(validator: Any, wanted: bool, value: object, rules: object) -> Iterator[ValidationError]:
        # jsonschema compares every pair, which takes half a minute for the longest list that a file may hold.
        items = value if isinstance(value, list) else []
        if len({json.dumps(item, sort_keys=True, default=str) for item in items}) < len(items):
            yield ValidationError("is not unique")

    extend: Any = validators.extend
    return extend(Draft202012Validator, {"pattern": pattern, "uniqueItems": unique})


def _finite(value: object) -> object:
    """Return a value with 1 for 1.0, and infinity for what is out of every range: NaN, numbers too long to print."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not abs(value) < 1e40:
        return math.inf
    return int(value) if value == int(value) else value


def _described(error: ValidationError) -> Iterator[Fault]:
    """Yield what jsonschema found, in words; a key that is missing or unknown is a place of its own."""
    value: Any = error.instance
    limit: Any = error.validator_value
    rules: Any = error.schema
    where = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step, 40)}" for step in error.absolute_path)
    where = where.removeprefix(".")
    expected = f"Expected: {rules.get('description', 'some text').rstrip('.')}."
    match str(error.validator):
        case "required":
            for key in (key for key in limit if key not in value):
                expected = rules["properties"][key].get("description", key).rstrip(".")
                yield _join(where, key), "is missing", f"Expected: {expected}."
        case "additionalProperties":
            known = rules["properties"]
            for key in (key for key in value if key not in known):
                near = difflib.get_close_matches(str(key), known, n=1)
                hint = f"Did you mean '{near[0]}'? " if near else ""
                what = "is not a field of the format"
                yield _join(where, shown(key, 40)), what, f"{hint}Known here: {', '.join(known)}."
        case "type":
            allowed = limit if isinstance(limit, list) else [limit]
            yield where, f"is {_kind(value)}", f"Give {' or '.join(_TYPES[name] for name in allowed)}."
        case "const" | "enum":
            choices = f"one of {', '.join(limit)}" if error.validator == "enum" else json.dumps(limit)
            yield where, f"is {_text(value)}", f"Give {choices}."
        case "minimum" | "maximum":
            remedy = f"Give a number from {rules['minimum']:g} to {rules['maximum']:g}."
            yield where, f"is {_text(value)}", remedy
        case "minItems" | "maxItems" | "maxProperties" as kind:
            yield where, f"has {len(value)} entries", f"Give {_LIMITS[kind]} {limit}."
        case "uniqueItems":
            twice = next((item for i, item in enumerate(value) if item in value[:i]), value[0])
            yield where, f"names {_text(twice)} twice", "Name each once."
        case "maxLength":
            yield where, f"has {len(value)} characters", f"Shorten it to {limit}."
        case _ if "propertyNames" in error.absolute_schema_path:
            yield _join(where, shown(value, 40)), "is not a valid key", "Write it as docs/submitting.md shows."
        case _:
            yield where, f"is {_text(value)}", expected


def _kind(value: object) -> str:
    """Return what a value is, in words, with the value where it is short."""
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, str | int | float) and value != math.inf:
        return f"the {'text' if isinstance(value, str) else 'number'} {_text(value)}"
    names = {list: "a list", dict: "a mapping", type(None): "null", float: "a huge number or not a number"}
    return names.get(type(value), f"a {type(value).__name__}")


def _text(value: object) -> str:
    if value == math.inf or isinstance(value, list | dict | bool | None):
        return _kind(value)
    return f"'{shown(value, 40)}'" if isinstance(value, str) else shown(value, 40)


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def text_values(value: object) -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every text in nested plain values, keys included."""
    return ((place, found) for place, found, _ in _walk(value, "") if isinstance(found, str))


def _walk(value: object, where: str) -> Iterator[tuple[str, object, bool]]:
    """Yield every value and every key, each with its place and whether it is a key."""
    yield where, value, False
    if isinstance(value, dict):
        for key, item in value.items():
            place = _join(where, shown(key, 40))
            yield place, key, True
            yield from _walk(item, place)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _walk(item, f"{where}[{index}]")
