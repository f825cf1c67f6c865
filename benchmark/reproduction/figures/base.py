"""What every figure has in common: its layout, the values behind it, and what draws them."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from benchmark.output.document import CsvRow, Document, Grid, GridColumn, row
from benchmark.output.figure_style import Picture
from benchmark.output.units import counted
from benchmark.reproduction.groups import Choice, Found, Group, Missing, groups_of
from benchmark.reproduction.printing import captioned
from benchmark.reproduction.provenance import sentence
from benchmark.reproduction.section import Section
from tasks.task import Task

Value = str | int | float | bool | None
Record = Mapping[str, Value | tuple[str, ...]]
LoadTask = Callable[[str], "Task"]


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
        return tuple(dict.fromkeys(map(sentence, captioned(self.captions)[0])))


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureLayout(Section, ABC):
    """One layout file, with the number of the paper's figure if it has one; a subclass per kind of figure."""

    published: str = ""

    KIND: ClassVar[str]

    @abstractmethod
    def build(self, found: Sequence[Found], load_task: LoadTask, missing: Sequence[Missing] = ()) -> list[Figure]:
        """Return the figures of this layout from its groups, run; none if nothing of it could be run.

        InputError if the task does not fit the figure.
        """

    def groups(self, choice: Choice) -> list[Group]:
        """Return the runs behind the figure."""
        return groups_of(self, choice)

    def named(self, *parts: str) -> str:
        """Return the stem of a file: the layout's name and what distinguishes its figures."""
        return "-".join(re.sub(r"[^A-Za-z0-9.]+", "-", part).strip("-.") for part in (self.name, *parts) if part)


def figure_document(figure: Figure) -> Document:
    """Return what goes with the picture: its caption, a summary, and the data behind it."""
    trials = {identity for found in figure.identities.values() for identity in found}
    made = f"Made from {counted(len(trials), 'trial')}; their identities are in {figure.name}.json. " if trials else ""
    digests = ", ".join(f"{name} {digest[:12]}" for name, digest in figure.digests.items())
    notices, legend = captioned([*figure.captions, f"{made}Digest of sessions and split: {digests}."])
    columns = []
    for i, head in enumerate(figure.headers):
        numeric = any(line[i][:1].isdigit() for line in figure.summary)
        columns.append(GridColumn(head, "right" if numeric else "left", wraps=not numeric))
    return Document(
        title=figure.title,
        grids=(Grid(tuple(columns), tuple(row(*line) for line in figure.summary)),),
        notices=notices,
        legend=legend,
        csv=lambda: _csv(figure),
        data=lambda: {
            **{name: getattr(figure, name) for name in ("name", "kind", "title", "captions")},
            "digests": dict(figure.digests),
            "identities": dict(figure.identities),
            "settings": {method: dict(settings) for method, settings in figure.settings.items()},
            "summary": [dict(zip(figure.headers, line, strict=True)) for line in figure.summary],
            "data": [
                {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
                for record in figure.records
            ],
        },
        name=figure.name,
        picture=True,
    )


def _csv(figure: Figure) -> Iterator[CsvRow]:
    """Yield the data behind the picture, trials joined by spaces; each line says in a few words what is simulated."""
    columns = list(figure.records[0]) if figure.records else ["trials"]
    yield ("figure", *columns, "notice")
    for record in figure.records:
        values = (record[column] for column in columns)
        cells = (" ".join(v) if isinstance(v, tuple) else v for v in values)
        yield (figure.name, *cells, figure.notice)
