"""What every figure has in common: its layout, the values behind it, and what draws them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from benchmark.reproduction.groups import Choice, Found, Group, groups_of
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from tasks.task import Task

Value = str | int | float | bool | None
Record = Mapping[str, Value | tuple[str, ...]]
LoadTask = Callable[[str], "Task"]


class Picture(Protocol):
    """Values that know how to draw themselves at column width."""

    @property
    def height(self) -> float:
        """Height in centimetres, without the notes below it."""
        ...

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas of this height."""
        ...


@dataclass(frozen=True, slots=True)
class Figure:
    """A reproduced figure as values.

    Attributes:
        name: Stem of its files.
        kind: Of the layout.
        title: Heading.
        captions: What must be known to read it; the first lines, ``NOTE: ...``, name stand-ins and simulated data.
        headers: Columns of the summary.
        summary: What the picture shows, as a small table.
        records: The data behind the picture, in full; ``trials`` of a record are the runs it was made from.
        digests: Task -> digest of its sessions and split.
        identities: Method -> identities of its trials.
        picture: What is drawn.
    """

    name: str
    kind: str
    title: str
    captions: tuple[str, ...]
    headers: tuple[str, ...]
    summary: tuple[tuple[str, ...], ...]
    records: tuple[Record, ...]
    digests: Mapping[str, str]
    identities: Mapping[str, tuple[str, ...]]
    picture: Picture = field(repr=False)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture itself says of stand-ins and simulated data, each thing once."""
        lines = [line.removeprefix("NOTE: ") for line in self.captions if line.startswith("NOTE:")]
        pieces = [piece.strip().rstrip(".") for line in lines for piece in line.split("; ")]
        return tuple(dict.fromkeys(piece for piece in pieces if piece))


@dataclass(frozen=True, slots=True)
class FigureLayout(ABC):
    """One layout file; a subclass per kind of figure.

    Attributes:
        name: The file's stem.
        part: The part of ``reproduce`` that it belongs to.
        title: Heading.
        published: Number of the paper's figure, empty if it has none.
        backbones: Registry names; stand-ins may take their place.
        operators: Probing operators.
        run: The run configuration, as ``read_config`` returns it.
    """

    name: str
    part: str
    title: str
    published: str
    backbones: tuple[str, ...]
    operators: tuple[str, ...]
    run: Mapping[str, object]

    KIND: ClassVar[str]
    KEYS: ClassVar[tuple[str, ...]]
    """The keys that this kind has beside the common ones."""

    @classmethod
    @abstractmethod
    def read(cls, section: Section) -> FigureLayout:
        """Return the layout in a file's section.

        Raises:
            InputError: A key is missing or of the wrong type.
        """

    @abstractmethod
    def build(self, found: Sequence[Found], load_task: LoadTask, remarks: Sequence[str]) -> list[Figure]:
        """Return the figures of this layout, none if nothing of it could be run.

        Args:
            found: The groups of ``groups``, run; those that failed are missing.
            load_task: Task name -> task.
            remarks: Captions beside those that follow from the groups, such as the preset.

        Raises:
            InputError: The task does not fit the figure.
        """

    @property
    def task(self) -> str:
        """The figure's task."""
        return str(self.run["task"])

    def groups(self, choice: Choice) -> list[Group]:
        """Return the runs behind the figure."""
        return groups_of(self, choice)

    def named(self, *parts: str) -> str:
        """Return the stem of a file: the layout's name and what tells its figures apart."""
        return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in (self.name, *parts) if part)


class Section:
    """The ``layout`` section of a file, with one-line complaints.

    Args:
        path: The file.
        values: The section.
        run: The rest of the file.
        known: The keys it may have.
    """

    COMMON = ("part", "kind", "title", "published", "backbones", "operators")

    def __init__(
        self, path: Path, values: Mapping[object, object], run: Mapping[str, object], known: Sequence[str]
    ) -> None:
        self.path, self.values, self.run = path, values, run
        for key in values:
            if key not in known:
                raise unknown_name(f"key in 'layout' of {path}:", str(key), known)

    def wrong(self, key: str, expected: str) -> InputError:
        """Return the error for a key whose value is no good."""
        return InputError(f"{self.path}: '{key}' of 'layout' must be {expected}, not {self.values.get(key)!r}.")

    def text(self, key: str) -> str:
        """Return a text that must be there."""
        value = self.values.get(key)
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
        value = self.values.get(key)
        if type(value) is not int or value < 1:
            raise self.wrong(key, "a whole number above 0")
        return value

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers that must be there."""
        value = self.values.get(key)
        if not isinstance(value, list) or not value or not all(type(v) in (int, float) for v in value):
            raise self.wrong(key, "a list of numbers")
        return tuple(value)

    def simulator(self, key: str) -> str:
        """Return a simulator of the run."""
        name = self.text(key)
        self._known_simulator(name)
        return name

    def rows(self, key: str) -> dict[str, str]:
        """Return simulator of the run -> label; it must be there."""
        value = self.values.get(key)
        if not isinstance(value, dict) or not value or not all(isinstance(v, str) for kv in value.items() for v in kv):
            raise self.wrong(key, "a mapping of simulators to labels")
        for name in value:
            self._known_simulator(name)
        return dict(value)

    def inner(self, key: str, value: object, known: Sequence[str]) -> Section:
        """Return a mapping within the section as a section of its own."""
        if not isinstance(value, dict):
            raise self.wrong(key, f"mappings with {', '.join(known)}")
        return Section(self.path, value, self.run, known)

    def _known_simulator(self, name: str) -> None:
        simulators = self.run.get("simulators", ())
        assert isinstance(simulators, tuple)  # read_config has checked it
        if name not in simulators:
            raise unknown_name(f"simulator in 'layout' of {self.path}:", name, simulators)
