"""JSON and YAML whose numbers keep the digits that they were written with.

Numbers with a point come back as text. Keys that stand twice, aliases, tags and endless nesting are refused.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from tasks.errors import InputError


def load_json(text: str) -> object:
    """Return the values of a JSON document; numbers with a point as text.

    Raises:
        InputError: It is not JSON.
    """
    try:
        return json.loads(text, parse_float=str, parse_constant=_refuse, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise InputError(f"line {error.lineno}: it is not JSON: {error.msg}. Mend that line.") from error
    except (ValueError, RecursionError) as error:
        raise InputError("it is not JSON that can be read: too deep, or a number is too long.") from error


def _refuse(name: str) -> NoReturn:
    raise InputError(f"{name} is no number. Leave the value out.")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the key '{twice[:40]}' stands twice. Keep one.")
    return found


def _as_text(loader: Any, node: Any) -> Any:
    return loader.construct_scalar(node)


def load_yaml(text: str) -> object:
    """Return the values of a YAML document; numbers with a point, dates and the like as text.

    Raises:
        InputError: It is not YAML of plain values.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain values only; what is not text, a whole number, a truth value or null stays text."""

        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                mark = self.get_mark()
                raise yaml.constructor.ConstructorError(None, None, "aliases (*) are not allowed", mark)
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value]
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                    raise yaml.constructor.ConstructorError(None, None, "a key is not plain text", key.start_mark)
                if names.count(key.value) > 1:
                    problem = f"the key '{key.value[:40]}' stands twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            return {key.value: self.construct_object(value, deep=True) for key, value in node.value}

    for tag in ("float", "timestamp", "binary"):
        Loader.add_constructor(f"tag:yaml.org,2002:{tag}", _as_text)
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(f"{where}it is not YAML: {error.problem or error.context}. Mend that line.") from error
    except yaml.YAMLError as error:
        raise InputError(f"it is not YAML: {error}. Mend the file.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        raise InputError("it is not YAML that can be read: too deep, or a number is too long.") from error
