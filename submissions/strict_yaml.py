"""YAML as plain data: no aliases, no tags, no key twice, bounded in size, depth and number of values."""

from __future__ import annotations

from typing import Any

from submissions.limits import Limits
from submissions.problems import shown
from tasks.errors import InputError


def load(data: bytes, limits: Limits) -> object:
    """Return the plain values of a YAML document.

    Args:
        data: The file's bytes, of bounded size.
        limits: ``metadata_depth`` and ``metadata_values`` are checked while the text is read, before a value is built.

    Raises:
        InputError: It is not YAML of this kind; the line is named.
    """
    import yaml

    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    try:
        _check_events(text, limits)
        return yaml.load(text, Loader=_loader())  # noqa: S506  # a SafeLoader that refuses double keys
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise InputError(f"{where}it is not YAML: {shown(error.problem or error.context)}. Mend that line.") from error
    except yaml.YAMLError as error:
        raise InputError(f"it is not YAML: {shown(error)}. Mend the file.") from error
    except (ValueError, OverflowError, RecursionError) as error:
        # Dates such as 2020-99-99 and whole numbers of thousands of digits are YAML, but no values.
        raise InputError(f"a value cannot be read: {shown(error)}. Put text in quotes.") from error


def _check_events(text: str, limits: Limits) -> None:
    """Walk through the document without building it."""
    import yaml

    depth = values = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = f"line {0 if event.start_mark is None else event.start_mark.line + 1}"
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise InputError(f"{line}: anchors and aliases (& and *) are not allowed. Write the value out.")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise InputError(f"{line}: the tag {shown(tag, 40)} is not allowed. Write plain values.")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.NodeEvent):
            values += 1
        if depth > limits.metadata_depth:
            raise InputError(f"{line}: values are nested deeper than {limits.metadata_depth}. Flatten them.")
        if values > limits.metadata_values:
            raise InputError(f"{line}: there are more than {limits.metadata_values} values. Shorten the file.")


def _loader() -> Any:
    """Return a SafeLoader that refuses a key that stands twice and keys of another kind than text."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    raise yaml.constructor.ConstructorError(None, None, "a key is not plain text", key.start_mark)
                if key.value in seen:
                    problem = f"the key '{key.value}' stands twice"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
                seen.add(key.value)
            return dict(super().construct_mapping(node, deep=True))

    return Loader
