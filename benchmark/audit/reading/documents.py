"""JSON and YAML whose numbers keep the digits that they were written with.

Numbers with a point come back as text. Keys that appear twice, aliases, tags and endless nesting are refused.
"""

from __future__ import annotations

import json
from typing import Any

from benchmark.files import plain_yaml
from tasks.errors import InputError


def load_json(text: str) -> object:
    """Return the values of a JSON document; numbers with a point as text.

    Raises:
        InputError: It is not JSON.
    """
    try:
        return json.loads(text, parse_float=str, parse_constant=str, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno}: it is not JSON: {error.msg}. Fix that line.") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError("it is not JSON that can be read: too deep, or a number is too long.") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the key '{twice[:40]}' appears twice. Keep one.")
    return found


def load_yaml(text: str) -> object:
    """Return the values of a YAML document; numbers with a point, dates and the like as text.

    Raises:
        InputError: It is not YAML of plain values.
    """
    return plain_yaml.load(text, as_text=("float", "timestamp", "binary"))
