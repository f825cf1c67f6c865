"""Simulators from a user's own file, ``path/to/file.py:Class``, beside those of a catalogue.

The file is run because its owner names it on the command line or in a configuration; nothing else makes this module
load one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from benchmark.trials.records import read_trial
from tasks.errors import InputError, unknown_name

if TYPE_CHECKING:
    from benchmark.simulator import Simulator
    from benchmark.trials.catalogue import Catalogue, Entry

_FACTORY = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")


def is_file(factory: str) -> bool:
    """Return whether ``factory`` names a class in a file, not in an installed module."""
    return _FACTORY.fullmatch(factory) is not None


def path_of(factory: str) -> Path:
    """Return the file of ``path/to/file.py:Class``."""
    match = _FACTORY.fullmatch(factory)
    assert match is not None, f"{factory} is no file"
    return Path(match["path"])


def load_class(factory: str) -> type:
    """Run the file and return the class.

    Modules beside the file can be imported by it.

    Raises:
        InputError: There is no such file or class, the file fails when it is run, or the class is no simulator.
    """
    module = _module(path_of(factory))
    name = factory.rpartition(":")[2]
    classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
    if name not in classes:
        own = [key for key, value in classes.items() if value.__module__ == module.__name__]
        raise unknown_name(f"class in {path_of(factory)}:", name, own)
    for method in ("fit", "simulate"):
        if not callable(getattr(classes[name], method, None)):
            raise InputError(f"{factory} has no method {method}; a simulator needs fit(train, seed) and simulate(...).")
    return classes[name]


def source_digest(factory: str) -> str:
    """Return a digest of the file and of the modules beside it that it uses."""
    module = _module(path_of(factory))
    digest = hashlib.sha256()
    for found in sorted(_beside(module, path_of(factory).resolve().parent, {}).values(), key=lambda m: str(m.__file__)):
        assert found.__file__ is not None
        digest.update(Path(found.__file__).name.encode() + b"\0" + Path(found.__file__).read_bytes())
    return digest.hexdigest()[:16]


def _module(path: Path) -> ModuleType:
    """Return the module of a file, run once per content."""
    path = path.resolve()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the simulator {path}: {error.strerror}.") from error
    key = hashlib.sha256(str(path).encode() + b"\0" + content).hexdigest()[:16]
    name = f"own_file_{key}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    # Known before it is run: dataclasses look their module up there.
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the owner's code may fail with anything
        del sys.modules[name]
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}. Mend the file.") from error
    return module


def _beside(module: ModuleType, folder: Path, found: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Return ``module`` and the modules in ``folder`` that it uses, at any depth."""
    if module.__name__ in found:
        return found
    found[module.__name__] = module
    for value in vars(module).values():
        origin = value if inspect.ismodule(value) else sys.modules.get(str(getattr(value, "__module__", None)))
        file = getattr(origin, "__file__", None)
        if origin is not None and file is not None and Path(file).resolve().is_relative_to(folder):
            _beside(origin, folder, found)
    return found


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What is known of a simulator in a file; its class may say more in class variables of the same names.

    Attributes:
        name: The class's name in lower case with hyphens: ``TopLeft`` is ``top-left``.
        factory: ``path/to/file.py:Class``, the path from the root.
        summary: First line of the class's docstring.
        sees: Which inputs it uses.
        oracle: Always False: a file's simulator is never handed the recording.
        stochastic: Its predictions depend on the seed; True unless the class says otherwise.
    """

    name: str
    factory: str
    summary: str
    sees: tuple[str, ...]
    stochastic: bool
    oracle: bool = False

    @classmethod
    def of(cls, factory: str) -> FileEntry:
        """Return the entry of a file's class.

        Raises:
            InputError: See ``load_class``.
        """
        loaded = load_class(factory)
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
            factory=f"{path_of(factory).resolve()}:{loaded.__name__}",
            summary=summary,
            sees=sees,
            stochastic=bool(getattr(loaded, "stochastic", True)),
        )


class Constructor(Protocol):
    """Builds the simulator of an entry from settings, checking both."""

    def __call__(self, entry: Entry, settings: Mapping[str, object], /) -> Simulator:
        """Return a fresh simulator, or raise InputError naming a wrong setting."""
        ...


class OwnFiles:
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
    """Return a catalogue that knows the files among ``names``, and the names with files replaced by their short ones.

    Args:
        catalogue: The catalogue of the other names.
        construct: Builds a simulator of an entry.
        names: Registry names and ``path/to/file.py:Class``.
        folders: Where a path that is not absolute may begin; the first in which the file is counts.

    Raises:
        InputError: A file cannot be used, or its class has the name of a simulator of the catalogue.
    """
    if not any(is_file(name) for name in names):
        return catalogue, tuple(names)
    entries, short = [], []
    for name in names:
        if not is_file(name):
            short.append(name)
            continue
        path, _, attribute = name.rpartition(":")
        places = [folder / path for folder in folders]
        found = next((place for place in places if place.is_file()), places[0])
        entry = FileEntry.of(f"{found}:{attribute}")
        if entry.name in catalogue.names():
            raise InputError(f"{name} would be called '{entry.name}', as one of the suite's is; rename the class.")
        entries.append(entry)
        short.append(entry.name)
    return OwnFiles(catalogue, construct, entries), tuple(short)


def factory_in(run: Path, simulator: str) -> str | None:
    """Return the file and class that a simulator of a run was made with, None if it was none of a file.

    Raises:
        InputError: A record of the run is damaged.
    """
    for path in sorted((run / "trials").glob("*/trial.json")):
        record = read_trial(path.parent)
        factory = record.get("factory", "")
        if record.get("simulator") == simulator and is_file(factory) and path_of(factory).is_file():
            return factory
    return None
