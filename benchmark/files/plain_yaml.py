"""YAML as plain data: no tags, no key twice, bounded in depth and number of values, no aliases from strangers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tasks.errors import InputError

DEPTH = 32
VALUES = 1_000_000


def read(path: Path, what: str) -> object:
    """Return the plain values of a YAML file of the user's own; anchors and aliases are allowed in it.

    InputError if it cannot be read, or is not YAML of plain values.
    """
    try:
        return load(path.read_bytes(), aliases=True)
    except OSError as error:
        raise InputError(f"cannot read the {what} {path}: {error.strerror}.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def load(
    text: str | bytes, *, depth: int = DEPTH, values: int = VALUES, aliases: bool = False, as_text: Sequence[str] = ()
) -> object:
    """Return the plain values of a YAML document.

    Args:
        text: The document, of bounded size; as bytes, in UTF-8.
        depth: How deep values may be nested.
        values: How many values there may be; both are checked while the text is read, before a value is built.
        aliases: Anchors and aliases are allowed; only for files that nobody sent.
        as_text: Kinds of values that stay as they are written: ``float``, ``timestamp``, ``binary``.

    InputError if it is not YAML of this kind; the line is named. The message holds printable ASCII only.
    """
    try:
        text = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    try:
        _check_events(text, depth, values, aliases)
        return yaml.load(text, Loader=_loader(as_text))  # noqa: S506  # a SafeLoader that refuses double keys
    except InputError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(
            f"{where}it is not YAML: {_one_line(error.problem or error.context)}. Fix that line."
        ) from error
    except yaml.YAMLError as error:
        raise InputError(f"it is not YAML: {_one_line(error)}. Fix the file.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        # Dates such as 2020-99-99 and whole numbers of thousands of digits are YAML, but not values.
        raise InputError(f"a value cannot be read: {_one_line(error)}. Put text in quotes.") from error


def _one_line(text: object) -> str:
    found = " ".join(str(text).split()).encode("unicode_escape").decode("ascii")
    return found if len(found) <= 80 else found[:77] + "..."


def _check_events(text: str, most_depth: int, most_values: int, aliases: bool) -> None:
    """Walk through the document without building it."""
    depth = values = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = f"line {0 if event.start_mark is None else event.start_mark.line + 1}"
        if not aliases and (isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None):
            raise InputError(f"{line}: anchors and aliases (& and *) are not allowed. Write the value out.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(f"{line}: the tag {_one_line(tag)} is not allowed. Write plain values.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.NodeEvent):
            values += 1
        if depth > most_depth:
            raise InputError(f"{line}: values are nested deeper than {most_depth}. Flatten them.")
        if values > most_values:
            raise InputError(f"{line}: there are more than {most_values} values. Shorten the file.")


def _loader(as_text: Sequence[str]) -> Any:
    """Return a SafeLoader that refuses a key that appears twice and keys that are mappings or lists."""

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(None, None, "a key is not plain text", key.start_mark)
                if key.value in seen:
                    problem = f"the key '{key.value[:40]}' appears twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
            return dict(super().construct_mapping(node, deep=True))

    as_written: Any = Loader.construct_scalar
    for kind in as_text:
        Loader.add_constructor(f"tag:yaml.org,2002:{kind}", as_written)
    return Loader
