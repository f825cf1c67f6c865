"""Reads the ``layout`` section of a configuration: what tables and figures have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from benchmark.metrics import get
from benchmark.trials.configuration import LAYOUT, read_config
from tasks.errors import InputError, unknown_name

COMMON = ("part", "kind", "title", "published", "backbones", "operators")
"""Keys of every layout."""


class Common(TypedDict):
    """What every layout has, as arguments of its class."""

    name: str
    part: str
    title: str
    backbones: tuple[str, ...]
    operators: tuple[str, ...]
    run: Mapping[str, object]


def open_layout(path: Path, what: str) -> tuple[Mapping[object, object], Mapping[str, object]]:
    """Return the ``layout`` section of a file, and the run configuration that is the rest of it.

    Args:
        path: The file.
        what: ``table`` or ``figure``, for the message.

    Raises:
        InputError: The file is no run configuration of a task, or has no such section.
    """
    run = read_config(path)
    values = run.pop(LAYOUT, None)
    if not isinstance(values, dict):
        raise InputError(f"{path} has no section 'layout'; a {what} needs kind, part and title there.")
    if "task" not in run:
        raise InputError(f"{path} must name a task.")
    return values, run


class Section:
    """The ``layout`` section of a file, or a mapping within it, with one-line complaints.

    Args:
        path: The file.
        values: The section.
        run: The rest of the file.
        known: The keys it may have.
    """

    def __init__(
        self, path: Path, values: Mapping[object, object], run: Mapping[str, object], known: Sequence[str]
    ) -> None:
        self.path, self.values, self.run = path, values, run
        for key in values:
            if key not in known:
                raise unknown_name(f"key in 'layout' of {path}:", str(key), known)

    def common(self, *, models: bool = True) -> Common:
        """Return what every layout has.

        Args:
            models: Backbones and operators must be named.
        """
        backbones, operators = self.names("backbones"), self.names("operators")
        if models and not (backbones and operators):
            raise InputError(f"{self.path}: 'layout' lacks backbones or operators.")
        return Common(
            name=self.path.stem,
            part=self.text("part"),
            title=self.text("title"),
            backbones=backbones,
            operators=operators,
            run=self.run,
        )

    def number(self) -> str:
        """Return the number of the paper's figure, empty if it has none."""
        return str(self.values.get("published", ""))

    def wrong(self, key: str, expected: str) -> InputError:
        """Return the error for a key whose value is no good."""
        return InputError(f"{self.path}: '{key}' of 'layout' must be {expected}, not {self.values.get(key)!r}.")

    def text(self, key: str) -> str:
        """Return a text that must be there."""
        value = self._needed(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "a text")
        return value

    def word(self, key: str, known: Sequence[str]) -> str:
        """Return one of a few words; the first where the key is missing."""
        value = self.values.get(key, known[0])
        if value not in known:
            raise unknown_name(f"value of '{key}' in 'layout' of {self.path}:", str(value), known)
        return str(value)

    def names(self, key: str) -> tuple[str, ...]:
        """Return a list of names, empty where the key is missing."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise self.wrong(key, "a list of names")
        return tuple(value)

    def whole(self, key: str) -> int:
        """Return a whole number above 0 that must be there."""
        value = self._needed(key)
        if type(value) is not int or value < 1:
            raise self.wrong(key, "a whole number above 0")
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers that must be there."""
        value = self._needed(key)
        if not isinstance(value, list) or not value or not all(type(v) in (int, float) for v in value):
            raise self.wrong(key, "a list of numbers")
        return tuple(value)

    def simulator(self, key: str) -> str:
        """Return a simulator of the run."""
        return self.known_simulator(self.text(key))

    def rows(self, key: str) -> dict[str, str]:
        """Return simulator of the run -> label; it must be there."""
        value = self._needed(key)
        if not isinstance(value, dict) or not value or not all(isinstance(v, str) for kv in value.items() for v in kv):
            raise self.wrong(key, "a mapping of simulators to labels")
        for name in value:
            self.known_simulator(name)
        return dict(value)

    def metrics(self, key: str) -> tuple[str, ...]:
        """Return a list of metrics that must be there."""
        self._needed(key)
        names = self.names(key)
        if not names:
            raise self.wrong(key, "a list of metrics")
        for name in names:
            get(name)
        return names

    def inner(self, key: str, value: object, known: Sequence[str]) -> Section:
        """Return a mapping within the section as a section of its own."""
        if not isinstance(value, dict):
            raise self.wrong(key, f"mappings with {', '.join(known)}")
        return Section(self.path, value, self.run, known)

    def known_simulator(self, name: str) -> str:
        """Return ``name`` if the run has a simulator of that name."""
        simulators = self.run.get("simulators", ())
        assert isinstance(simulators, tuple)  # read_config has checked it
        if name not in simulators:
            raise unknown_name(f"simulator in 'layout' of {self.path}:", name, simulators)
        return name

    def _needed(self, key: str) -> object:
        if key not in self.values:
            raise InputError(f"{self.path}: 'layout' lacks {key}.")
        return self.values[key]
