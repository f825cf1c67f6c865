"""What every figure has in common: its layout, the values behind it, and what draws them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from benchmark.reproduction.groups import Choice, Found, Group, Missing, groups_of
from benchmark.reproduction.provenance import NOTE, sentence
from benchmark.reproduction.section import Section

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

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas of this height."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A reproduced figure as values.

    Attributes:
        captions: What must be known to read it; the first lines, ``NOTE: ...``, name stand-ins and simulated data.
        summary: What the picture shows, as a small table.
        records: The data behind the picture, in full; ``trials`` of a record are the runs it was made from.
        digests: Task -> digest of its sessions and split.
        identities: Method -> identities of its trials.
        notice: In a few words what is simulated or a stand-in, for every line of the data.
        settings: As ``identities``: method -> all its settings, spelt as the user knows them.
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
    notice: str = ""
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture itself says of stand-ins and simulated data: whole sentences, each once."""
        lines = [line.removeprefix(NOTE) for line in self.captions if line.startswith(NOTE)]
        return tuple(dict.fromkeys(map(sentence, lines)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureLayout(Section, ABC):
    """One layout file, with the number of the paper's figure if it has one; a subclass per kind of figure."""

    published: str = ""

    KIND: ClassVar[str]

    @abstractmethod
    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return the figures of this layout from its groups, run; none if nothing of it could be run.

        Raises:
            InputError: The task does not fit the figure.
        """

    def groups(self, choice: Choice) -> list[Group]:
        """Return the runs behind the figure."""
        return groups_of(self, choice)

    def named(self, *parts: str) -> str:
        """Return the stem of a file: the layout's name and what distinguishes its figures."""
        return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in (self.name, *parts) if part)
