"""A catalogue extended by simulators in users' own files."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmark.naming import input_word
from benchmark.simulator import Simulator
from benchmark.trials import own_files
from benchmark.trials.catalogue import Catalogue, Entry
from tasks.errors import InputError, unknown_name


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What is known of a simulator in a file; its class may set ``sees`` and ``stochastic`` as class variables.

    Attributes:
        name: The class's name in lower case with hyphens: ``TopLeft`` is ``top-left``.
        factory: ``path/to/file.py:Class``, an absolute path.
        summary: First line of the class's docstring.
        sees: Which inputs it uses.
        stochastic: Its predictions depend on the seed; True unless the class says otherwise.
        oracle: Always False: a simulator in a file is never given the recording it is scored on.
    """

    name: str
    factory: str
    summary: str
    sees: tuple[str, ...]
    stochastic: bool
    oracle: bool = False

    @property
    def behaviour(self) -> str:
        """The file's name, the class and the digest of the source: any change of the file counts as a new version."""
        path = own_files.path_of(self.factory)
        return f"{path.name}:{self.factory.rpartition(':')[2]} {own_files.source_digest(self.factory)}"

    @classmethod
    def of(cls, factory: str) -> FileEntry:
        """Return the entry of a file's class.

        Raises:
            InputError: See ``own_files.load_class``.
        """
        loaded = own_files.load_class(factory)
        summary = (inspect.getdoc(loaded) or "").strip().partition("\n")[0].rstrip(".")
        if summary.startswith(f"{loaded.__name__}("):
            summary = ""  # a dataclass without a docstring gets its signature for one
        sees = getattr(loaded, "sees", ())
        if not isinstance(sees, tuple) or not all(isinstance(word, str) for word in sees):
            raise InputError(f"{factory}: sees must be a tuple of texts, such as ('image', 'profile').")
        return cls(
            name=re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", loaded.__name__)
            .replace("_", "-")
            .lower(),
            factory=f"{own_files.path_of(factory).resolve()}:{loaded.__name__}",
            summary=summary,
            sees=tuple(map(input_word, sees)),
            stochastic=bool(getattr(loaded, "stochastic", True)),
        )


class Constructor(Protocol):
    """Builds the simulator of an entry from settings, checking both."""

    def __call__(self, entry: Entry, settings: Mapping[str, object], /) -> Simulator:
        """Return a fresh simulator, or raise InputError naming a wrong setting."""
        ...


class ExtendedCatalogue:
    """A catalogue and the simulators of some files.

    Args:
        catalogue: The catalogue.
        construct: Builds a simulator of an entry.
        entries: The files' simulators.
    """

    def __init__(self, catalogue: Catalogue, construct: Constructor, entries: Sequence[FileEntry]) -> None:
        self.catalogue = catalogue
        self.construct = construct
        self.entries = {entry.name: entry for entry in entries}

    def names(self) -> list[str]:
        """Return every name, the files' last."""
        return [*self.catalogue.names(), *self.entries]

    def entry(self, name: str) -> Entry:
        """Return the entry of ``name``.

        Raises:
            InputError: There is none; the nearest name is suggested.
        """
        if name in self.entries:
            return self.entries[name]
        if name not in self.catalogue.names():
            raise unknown_name("simulator", name, self.names())
        return self.catalogue.entry(name)

    def build(self, name: str, settings: Mapping[str, object]) -> Simulator:
        """Return a fresh simulator with the given settings.

        Raises:
            InputError: Unknown simulator or setting, or a value of the wrong type.
        """
        if name in self.entries:
            return self.construct(self.entries[name], settings)
        return self.catalogue.build(name, settings)


def with_files(
    catalogue: Catalogue, construct: Constructor, names: Sequence[str], folders: Sequence[Path]
) -> tuple[Catalogue, tuple[str, ...]]:
    """Return a catalogue that includes the files among ``names``, and the registry name of each of ``names``.

    Args:
        catalogue: The catalogue of the other names.
        construct: Builds a simulator of an entry.
        names: Registry names and ``path/to/file.py:Class``.
        folders: Where relative paths are looked up; the first folder that has the file is used.

    Raises:
        InputError: A file cannot be used, or its class has the name of a simulator of the catalogue.
    """
    if not any(own_files.is_file(name) for name in names):
        return catalogue, tuple(names)
    entries, short = [], []
    for name in names:
        if not own_files.is_file(name):
            short.append(name)
            continue
        path, _, attribute = name.rpartition(":")
        places = [folder / path for folder in folders]
        found = next((place for place in places if place.is_file()), places[0])
        entry = FileEntry.of(f"{found}:{attribute}")
        if entry.name in catalogue.names():
            raise InputError(f"{name} would be called '{entry.name}' like a simulator of the suite; rename the class.")
        entries.append(entry)
        short.append(entry.name)
    return ExtendedCatalogue(catalogue, construct, entries), tuple(short)
