"""A catalogue extended by simulators in users' own files."""

import dataclasses
import inspect
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmark.naming import input_word
from benchmark.simulator import Simulator
from benchmark.trials import own_files
from benchmark.trials.catalogue import HANDED_OVER, Catalogue, Entry
from tasks.errors import InputError, unknown_name


def file_entry(factory: str) -> Entry:
    """Return the entry of a simulator in a file; its class may set ``sees`` and ``stochastic`` as class variables.

    The class's name in lower case with hyphens is the simulator's name: ``TopLeft`` is ``top-left``. It is never an
    oracle, and is taken to depend on the seed unless the class says otherwise.
    InputError as for ``own_files.load_class``.
    """
    loaded = own_files.load_class(factory)
    path = own_files.path_of(factory).resolve()
    behaviour = f"{path.name}:{loaded.__name__} {own_files.source_digest(factory)}"
    return class_entry(loaded, f"{path}:{loaded.__name__}", behaviour)


def object_entry(simulator: Simulator) -> Entry:
    """Return the entry of a simulator that is given as an object, which its runs find under the entry's ``factory``.

    It is named as one in a file, or by an attribute ``name``. What it is made of is not known: no trial is used again.
    """
    kind = type(simulator)
    own_files.check_class(kind, kind.__name__)
    found = class_entry(kind, f"object {uuid.uuid4().hex}", f"object {uuid.uuid4().hex}")
    name = getattr(simulator, "name", found.name)
    return dataclasses.replace(found, name=name if isinstance(name, str) and name else found.name)


def class_entry(loaded: type, factory: str, behaviour: str, named: str = "") -> Entry:
    """Return the entry of a class of a user's own, under the name of the class unless it has another."""
    name = loaded.__name__
    summary = (inspect.getdoc(loaded) or "").strip().partition("\n")[0].rstrip(".")
    if summary.startswith(f"{name}("):
        summary = ""  # a dataclass without a docstring gets its signature for one
    sees = getattr(loaded, "sees", ())
    if not isinstance(sees, tuple) or not all(isinstance(word, str) for word in sees):
        raise InputError(f"{name}: sees must be a tuple of texts, such as ('image', 'profile').")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name)
    return Entry(
        name=named or words.replace("_", "-").lower(),
        factory=factory,
        summary=summary,
        sees=tuple(map(input_word, sees)),
        stochastic=bool(getattr(loaded, "stochastic", True)),
        behaviour=behaviour,
    )


Constructor = Callable[[Entry, Mapping[str, object]], Simulator]
"""Builds the simulator of an entry from settings, or raises InputError naming a wrong setting."""


class ExtendedCatalogue:
    """A catalogue and the simulators of some files, which ``construct`` builds."""

    def __init__(self, catalogue: Catalogue, construct: Constructor, entries: Sequence[Entry]) -> None:
        self.catalogue = catalogue
        self.construct = construct
        self.entries = {entry.name: entry for entry in entries}

    def names(self) -> list[str]:
        """Return every name, the files' last."""
        return [*self.catalogue.names(), *self.entries]

    def entry(self, name: str) -> Entry:
        """Return the entry of ``name``, or raise InputError with the nearest name."""
        if name in self.entries:
            return self.entries[name]
        if name not in self.catalogue.names():
            raise unknown_name("simulator", name, self.names())
        return self.catalogue.entry(name)

    def build(self, name: str, settings: Mapping[str, object]) -> Simulator:
        """Return a fresh simulator, or raise InputError naming an unknown simulator or a wrong setting."""
        if name in self.entries:
            return self.construct(self.entries[name], settings)
        return self.catalogue.build(name, settings)


def with_files(
    catalogue: Catalogue,
    construct: Constructor,
    named: Sequence[str | Simulator | type],
    folders: Sequence[Path] = (Path(),),
) -> tuple[Catalogue, tuple[str, ...]]:
    """Return a catalogue that includes the files, objects and classes among ``named``, and the name of each.

    Relative paths are looked up in ``folders``; the first folder that has the file is used. Objects are found as long
    as ``catalogue.HANDED_OVER`` holds them. InputError if a file or an object cannot be used, or it has the name of a
    simulator of the catalogue.
    """
    entries, short = [], []
    for one in named:
        if isinstance(one, str) and not own_files.is_file(one):
            short.append(one)
            continue
        if isinstance(one, str):
            path, _, attribute = one.rpartition(":")
            places = [folder / path for folder in folders]
            found = next((place for place in places if place.is_file()), places[0])
            entry = file_entry(f"{found}:{attribute}")
        else:
            given = one() if isinstance(one, type) else one
            entry = object_entry(given)
            HANDED_OVER[entry.factory] = given
        if entry.name in catalogue.names():
            name = one if isinstance(one, str) else "the object"
            raise InputError(f"{name} would be called '{entry.name}' like a simulator of the suite; rename the class.")
        entries.append(entry)
        short.append(entry.name)
    return (ExtendedCatalogue(catalogue, construct, entries) if entries else catalogue), tuple(short)
