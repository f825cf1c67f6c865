"""JSON and YAML values as dataclasses: one line with file and place for whatever is wrong.

The types, lengths, ranges and patterns that a dataclass declares are checked by msgspec. This module reads the text,
refuses unknown keys and numbers that are not finite, and puts the messages in words.
"""

import copy
import dataclasses
import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from tasks.errors import InputError, unknown_name

T = TypeVar("T")

SHA256 = r"^[0-9a-f]{64}\Z"
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z"
Sha256 = Annotated[str, msgspec.Meta(pattern=SHA256)]
"""A SHA-256 in hexadecimal, which is also safe as a file name."""
Time = Annotated[str, msgspec.Meta(pattern=TIME)]
"""A time in UTC, such as 2026-01-31T12:00:00Z."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A whole number of at least 0."""


def one_of(*words: str) -> msgspec.Meta:
    """Return the constraint that a text is one of some words, or matches one of some regular expressions."""
    return msgspec.Meta(pattern=rf"^({'|'.join(words)})\Z")


RESTORE = "restore the file"
_FORMS = {SHA256: "a SHA-256 in hexadecimal", TIME: "a time such as 2026-01-31T12:00:00Z"}
_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}
_TOKEN = re.compile(r"\.(\w+)|\[(\d+)\]|\[(\.\.\.)\]")

Place = tuple["str | int", ...]


def read_json(
    kind: type[T],
    path: Path,
    remedy: str = RESTORE,
    *,
    limit: int | None = None,
    version: tuple[str, int] | None = None,
) -> T:
    """Read a JSON file as a value of ``kind``; see :func:`load_json` and :func:`decode`."""
    return decode(kind, load_json(path, remedy, limit=limit), path, remedy, version=version)


def load_json(path: Path, remedy: str = RESTORE, *, limit: int | None = None, as_text: bool = False) -> object:
    """Return the plain values of a JSON file; with ``as_text`` numbers with a point stay text, digit by digit.

    InputError if it cannot be read, has more than ``limit`` bytes, is not JSON, or has a key twice in an object. The
    message says to do ``remedy``.
    """
    try:
        too_large = limit is not None and path.stat().st_size > limit
        text = "" if too_large else path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; {remedy}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8 (byte {error.start}); {remedy}.") from error
    if too_large:
        raise InputError(f"{path} has more than {limit:,} bytes; {remedy}.")
    try:
        number = str if as_text else None
        return json.loads(text, object_pairs_hook=_once, parse_float=number, parse_constant=number)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: line {error.lineno} is not JSON ({error.msg}); {remedy}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON that can be read ({str(error)[:80]}); {remedy}.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {_shown(key)} appears twice")
        found[key] = value
    return found


def decode(
    kind: type[T],
    values: object,
    where: Path | str,
    remedy: str = RESTORE,
    *,
    version: tuple[str, int] | None = None,
    at: Place = (),
) -> T:
    """Return plain values as a value of ``kind``.

    Args:
        kind: A dataclass, a TypedDict or any other type that msgspec knows.
        values: What JSON or YAML holds.
        where: The file, for the message.
        remedy: What the message says to do about it.
        version: Key and value that the values must state; the key is taken out where ``kind`` has no such field.
        at: Where in the file the values are.

    InputError if a key is missing or unknown, a value is of another type or out of its range, or ``kind`` itself
    refuses the values.
    """
    if version is not None and isinstance(values, dict):
        key, known = version
        stated = values.get(key)
        if isinstance(stated, bool) or stated != known:
            raise InputError(
                f"{where} is of {key} {_shown(stated)}; this version reads {known}. Update it, or {remedy}."
            )
        if key not in getattr(kind, "__dataclass_fields__", {key: None}):
            values = {name: value for name, value in values.items() if name != key}
    try:
        found = msgspec.convert(values, kind)
        _check(values, found, at, remedy)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {_explained(error, kind, values, at, remedy)}") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (RecursionError, OverflowError) as error:
        raise InputError(f"{where} holds values nested too deep or too large; {remedy}.") from error
    return found


def _check(values: Any, found: object, at: Place, remedy: str) -> None:
    """Refuse keys that a dataclass does not have, and numbers that are not finite."""
    if dataclasses.is_dataclass(found):
        known = [field.name for field in dataclasses.fields(found)]
        for key in values:
            if key not in known:
                raise unknown_name(f"key of '{_written(at)}':" if at else "key", str(key)[:40], known)
            _check(values[key], getattr(found, key), (*at, key), remedy)
    elif isinstance(found, float) and not math.isfinite(found):
        raise InputError(f"'{_written(at)}' must be a finite number, not {found}; {remedy}.")
    elif isinstance(found, Mapping):
        for key, value in found.items():
            _check(values[key], value, (*at, key), remedy)
    elif isinstance(found, tuple | list):
        for i, value in enumerate(found):
            _check(values[i], value, (*at, i), remedy)


def _explained(error: msgspec.ValidationError, kind: Any, values: object, at: Place, remedy: str) -> str:
    """Return what msgspec or the dataclass itself says, in words and with the exact place."""
    said, _, path = str(error).partition(" - at ")
    place = _place(path, kind, values)
    value: Any = values
    for step in place:
        value = value[step]
    written = _written((*at, *place))
    if isinstance(error.__cause__, InputError):
        return f"'{written}': {error.__cause__}" if written else str(error.__cause__)
    subject = f"'{written}'" if written else "the content"
    if said.startswith("Object missing"):
        name = said.split("`")[1]
        near = difflib.get_close_matches(name, map(str, value), n=1) if isinstance(value, dict) else []
        return f"{subject} lacks '{name}'" + (f" (is '{near[0]}' meant to be it?)" if near else "") + f"; {remedy}."
    if path.startswith("`key`"):
        return f"a key of {subject} must be {_expected(said)}; {remedy}."
    expected = f"one of {', '.join(_choices(kind, place))}" if said.startswith("Invalid enum") else _expected(said)
    return f"{subject} must be {expected}, not {_shown(value)}; {remedy}."


def _expected(said: str) -> str:
    """Return what msgspec expected, in words."""
    match = re.match(r"Expected `([^`]+)`(.*)", said)
    if match is None:
        return "a number in range" if said.startswith("Number") else f"valid ({said})"
    rest = match[2].partition(", got ")[0]
    for pattern, form in _FORMS.items():
        if repr(pattern) in rest:
            return form
    words = re.search(r"'\^\((.*)\)\\\\Z'", rest)
    if words is not None:
        return f"one of {words[1].replace('|', ', ')}"
    return " or ".join(_KINDS.get(name, name) for name in match[1].split(" | ")) + rest


def _choices(kind: Any, place: Place) -> Iterator[str]:
    """Yield the values that a Literal at a place allows."""
    for step in place:
        if get_origin(kind) in (Union, UnionType):
            kind = next(one for one in get_args(kind) if one is not NoneType)
        hints = {} if get_origin(kind) else get_type_hints(kind)
        kind = hints[str(step)] if hints else get_args(kind)[-1 if isinstance(step, str) else 0]
    return (str(one) for one in get_args(kind))


def _place(path: str, kind: Any, values: object) -> Place:
    """Return where an error is; msgspec leaves out the keys of mappings, which are then tried alone, one by one."""
    whole = copy.deepcopy(values)
    here: Any = whole
    place: Place = ()
    for name, index, some_key in _TOKEN.findall(path):
        step: Any = int(index) if index else name
        if some_key:
            entries = dict(here)
            for step in entries:  # noqa: B007  # the last one tried is the place
                here.clear()
                here[step] = entries[step]
                try:
                    msgspec.convert(whole, kind)
                except msgspec.ValidationError:
                    break
        place, here = (*place, step), here[step]
    return place


def _written(place: Place) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{str(step)[:40]}" for step in place)
    return "".join(steps).removeprefix(".")


def _shown(value: object) -> str:
    """Return a value for a message: short, on one line, in ASCII."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return ascii(value) if len(value) <= 40 else f"a text of {len(value)} characters"
    if isinstance(value, int | float):
        return repr(value) if not abs(value) >= 1e15 else "a number of that size"
    if isinstance(value, list | dict):
        return f"{'a list' if isinstance(value, list) else 'a mapping'} of {len(value)}"
    return f"a {type(value).__name__}"
