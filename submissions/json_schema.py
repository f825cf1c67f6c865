"""Holds values to the JSON schema of the format, with words a person can act on.

The schema file is the one description of ``submission.yaml``; this module understands the part of JSON Schema
(draft 2020-12) that it uses, and refuses a schema that uses more.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from submissions.problems import shown

SCHEMA_FILE = Path(__file__).parent / "schema" / "v1.json"

_ANNOTATIONS = {"$schema", "$id", "title", "description"}
_KEYWORDS = {
    *("type", "const", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "items", "minItems"),
    *("maxItems", "uniqueItems", "properties", "required", "additionalProperties", "propertyNames", "maxProperties"),
}

Fault = tuple[str, str, str]
"""Where in the value (``simulator.kind``), what is wrong, what to do."""


@functools.lru_cache(maxsize=1)
def schema() -> Mapping[str, Any]:
    """Return the schema of ``submission.yaml``."""
    found: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    check_schema(found)
    return found


def check_schema(rules: Mapping[str, Any]) -> None:
    """Refuse a schema that uses more of JSON Schema than this module understands.

    Raises:
        ValueError: Naming the keyword.
    """
    unknown = set(rules) - _KEYWORDS - _ANNOTATIONS
    if unknown:
        raise ValueError(f"the schema uses {sorted(unknown)[0]}, which is not understood here")
    nested = [*rules.get("properties", {}).values()]
    nested += [rules[key] for key in ("items", "propertyNames") if key in rules]
    if isinstance(rules.get("additionalProperties"), dict):
        nested.append(rules["additionalProperties"])
    for inner in nested:
        check_schema(inner)


def faults(value: object, rules: Mapping[str, Any], where: str = "") -> Iterator[Fault]:
    """Yield everything in which ``value`` departs from ``rules``.

    Args:
        value: Plain values: mappings, lists, text, numbers, booleans, None.
        rules: A schema.
        where: Place of the value, for the messages; empty at the top.
    """
    if "type" in rules:
        allowed = rules["type"] if isinstance(rules["type"], list) else [rules["type"]]
        if not any(_TYPES[name][0](value) for name in allowed):
            yield where, f"is {_kind(value)}", f"Give {' or '.join(_TYPES[name][1] for name in allowed)}."
            return
    if "const" in rules and not _same(value, rules["const"]):
        yield where, f"is {_text(value)}", f"Give {json.dumps(rules['const'])}."
        return
    if "enum" in rules and not any(_same(value, choice) for choice in rules["enum"]):
        yield where, f"is {_text(value)}", f"Give one of {', '.join(map(str, rules['enum']))}."
        return
    if isinstance(value, str):
        yield from _of_text(value, rules, where)
    elif _is_number(value):
        assert isinstance(value, int | float)
        low, high = rules.get("minimum", -float("inf")), rules.get("maximum", float("inf"))
        if not low <= value <= high:
            yield where, f"is {_text(value)}", f"Give a number from {low:g} to {high:g}."
    elif isinstance(value, list):
        yield from _of_list(value, rules, where)
    elif isinstance(value, dict):
        yield from _of_mapping(value, rules, where)


def _of_text(value: str, rules: Mapping[str, Any], where: str) -> Iterator[Fault]:
    if len(value) > rules.get("maxLength", len(value)):
        yield where, f"has {len(value)} characters", f"Shorten it to {rules['maxLength']}."
    elif len(value) < rules.get("minLength", 0) or not _matches(value, rules.get("pattern", "")):
        yield where, f"is {_text(value)}", f"Expected: {rules.get('description', 'some text').rstrip('.')}."


def _of_list(value: list[Any], rules: Mapping[str, Any], where: str) -> Iterator[Fault]:
    if not rules.get("minItems", 0) <= len(value) <= rules.get("maxItems", len(value)):
        bounds = f"{rules.get('minItems', 0)} to {rules.get('maxItems', 'any number of')}"
        yield where, f"has {len(value)} entries", f"Give {bounds}."
        return
    if rules.get("uniqueItems"):
        written = [json.dumps(item, sort_keys=True, default=str) for item in value]
        twice = next((item for item in written if written.count(item) > 1), None)
        if twice is not None:
            yield where, f"names {shown(twice, 40)} twice", "Name each once."
    for index, item in enumerate(value):
        yield from faults(item, rules.get("items", {}), f"{where}[{index}]")


def _of_mapping(value: dict[Any, Any], rules: Mapping[str, Any], where: str) -> Iterator[Fault]:
    if len(value) > rules.get("maxProperties", len(value)):
        yield where, f"has {len(value)} entries", f"Give at most {rules['maxProperties']}."
        return
    known, others = rules.get("properties", {}), rules.get("additionalProperties", True)
    for key in rules.get("required", []):
        if key not in value:
            yield _join(where, key), "is missing", f"Expected: {known[key].get('description', key).rstrip('.')}."
    for key, item in value.items():
        place = _join(where, shown(key, 40))
        if not isinstance(key, str) or not _matches(key, rules.get("propertyNames", {}).get("pattern", "")):
            expected = rules.get("description", "text").rstrip(".")
            yield place, "is not a valid key", f"Expected: {expected}."
        elif key in known:
            yield from faults(item, known[key], place)
        elif others is False:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean '{near[0]}'? " if near else ""
            yield place, "is not a field of the format", f"{hint}Known here: {', '.join(known)}."
        elif others is not True:
            yield from faults(item, others, place)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    return _is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


_TYPES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "string": (lambda value: isinstance(value, str), "text (in quotes)"),
    "integer": (_is_integer, "a whole number"),
    "number": (_is_number, "a number"),
    "array": (lambda value: isinstance(value, list), "a list"),
    "object": (lambda value: isinstance(value, dict), "a mapping"),
    "null": (lambda value: value is None, "null"),
}


def _kind(value: object) -> str:
    """Return what a value is, in words, with the value where it is short."""
    for name in ("string", "integer", "number"):
        if _TYPES[name][0](value):
            return f"the {'text' if name == 'string' else 'number'} {_text(value)}"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    names = {list: "a list", dict: "a mapping", type(None): "null"}
    return names.get(type(value), f"a {type(value).__name__}")


def _text(value: object) -> str:
    return f"'{shown(value, 40)}'" if isinstance(value, str) else shown(_plain(value), 40)


def _plain(value: object) -> str:
    """Return a value as text; Python refuses to write whole numbers of thousands of digits."""
    if isinstance(value, int) and abs(value) > 10**40:
        return "a huge number"
    return str(value) if not isinstance(value, list | dict) else _kind(value)


def _same(value: object, expected: object) -> bool:
    """Return whether two plain values are the same JSON value; true is not 1."""
    return isinstance(value, bool) == isinstance(expected, bool) and value == expected


def _matches(text: str, pattern: str) -> bool:
    # Python's $ also matches before a final line feed; JSON Schema's does not.
    return re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None


def _join(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def text_values(value: object, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every text in nested plain values, keys included."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield _join(where, shown(key, 40)), key
            yield from text_values(item, _join(where, shown(key, 40)))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from text_values(item, f"{where}[{index}]")
