"""How the benchmark finds simulators: by name, through a catalogue that is passed in.

``baselines.registry`` is the catalogue of the suite. The benchmark depends on this contract alone, so simulators can
import the benchmark without an import circle.
"""

import copy
import dataclasses
import functools
import hashlib
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmark.simulator import Simulator
from benchmark.trials import own_files
from tasks import outside
from tasks.errors import unknown_name


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a simulator without importing it.

    Attributes:
        factory: Its class, ``module:Class`` or ``path/to/file.py:Class``; a dataclass whose init fields are its
            settings.
        oracle: It is given full sessions, gaze, cursor and click included, and is never ranked.
        stochastic: Its predictions depend on the seed.
        behaviour: Version of what it predicts, part of a trial's identity. Raise it when the same inputs give other
            predictions: finished trials are then run again. ``tests/baselines/golden`` fails while predictions have
            moved and the version has not. For a simulator in a file: the file's name, the class and the digest of the
            source, so that any change of the file counts as a new version.
    """

    name: str
    factory: str = ""
    summary: str = ""
    sees: tuple[str, ...] = ()
    oracle: bool = False
    stochastic: bool = False
    behaviour: str = "1"


class Catalogue(Protocol):
    """A module or an object that lists and builds simulators."""

    def names(self) -> Sequence[str]:
        """Return every name."""

    def entry(self, name: str) -> Entry:
        """Return the entry of ``name``, or raise InputError with the nearest name."""

    def build(self, name: str, settings: Mapping[str, object]) -> Simulator:
        """Return a fresh simulator, or raise InputError naming an unknown setting."""


HANDED_OVER: dict[str, Simulator] = {}
"""Factory -> a simulator that was given as an object, for as long as its run takes; see ``extended.handed_over``."""


def simulator_class(factory: str) -> Callable[..., Any]:
    """Import and return the class that ``factory`` (``module:Class`` or ``path/to/file.py:Class``) names.

    Of a simulator that was given as an object, what makes a copy of it.
    """
    if factory in HANDED_OVER:
        return lambda: copy.deepcopy(HANDED_OVER[factory])
    if own_files.is_file(factory):
        return own_files.load_class(factory)
    found: Callable[..., Any] = outside.load(factory)
    return found


def setting_names(factory: str) -> tuple[str, ...]:
    """Return the settings of a simulator: the fields that its constructor takes."""
    return tuple(field.name for field in _fields(factory))


def _fields(factory: str) -> list[dataclasses.Field[Any]]:
    cls = simulator_class(factory)
    return [field for field in dataclasses.fields(cls) if field.init] if dataclasses.is_dataclass(cls) else []


def full_settings(simulator: Simulator, factory: str) -> dict[str, object]:
    """Return every setting of a built simulator, defaults included: they all shape its predictions.

    A field with ``later`` in its metadata is left out at its default, so that older trials keep their identity.
    """
    found = [(f, getattr(simulator, f.name)) for f in _fields(factory)]
    return {f.name: value for f, value in found if not (f.metadata.get("later") and value == f.default)}


def source_digest(factory: str) -> str:
    """Return a digest of the source that a simulator is made of, kept with its trials as a note.

    It covers the file of a simulator in a file, and otherwise the whole top-level package of its module: operators and
    backbones are imported by name, so following imports would miss them.
    """
    if factory in HANDED_OVER:
        return ""
    if own_files.is_file(factory):
        return own_files.source_digest(factory)
    module = importlib.import_module(factory.partition(":")[0])
    root = sys.modules[module.__name__.partition(".")[0]]
    file = Path(str(root.__file__ or module.__file__))
    return _digest_of(file.parent if file.name == "__init__.py" else file)


@functools.lru_cache(maxsize=8)
def _digest_of(path: Path) -> str:
    """Return the digest of a Python file, or of all Python files in a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        digest.update(file.relative_to(path.parent).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _setting(key: str, known: Sequence[str]) -> str | None:
    """Return the setting that ``key`` names, or None; ``lambda``, a Python keyword, names the setting ``lambda_``."""
    return key if key in known else f"{key}_" if f"{key}_" in known else None


def settings_for(entry: Entry, *layers: Mapping[str, object]) -> dict[str, object]:
    """Return the settings that apply to one simulator; later layers override earlier ones.

    ``key=value`` applies to every simulator that has such a setting, ``simulator.key=value`` to one.
    """
    known = setting_names(entry.factory)
    found: dict[str, object] = {}
    for settings in layers:
        general = {k: v for k, v in settings.items() if "." not in k}
        own = {k.split(".", 1)[1]: v for k, v in settings.items() if k.startswith(f"{entry.name}.")}
        for key, value in (*general.items(), *own.items()):
            name = _setting(key, known)
            if name is not None:
                found[name] = value
            elif key in own:
                raise unknown_name(f"setting of {entry.name}:", key, known)
    return found


def settings_in(catalogue: Catalogue, entry: Entry, *layers: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of a simulator; one that uses another, named by ``of``, also gets that one's.

    They are what the other has in the same run, in ``settings``, unless these are given themselves.
    """
    found = settings_for(entry, *layers)
    if "of" in found and "settings" in setting_names(entry.factory):
        other = catalogue.entry(str(found["of"]))
        found.setdefault("settings", settings_for(other, *layers))
    return found


def check_settings(entries: Sequence[Entry], settings: Mapping[str, object]) -> None:
    """Refuse a setting that no simulator of the run has."""
    known = {entry.name: setting_names(entry.factory) for entry in entries}
    for key in settings:
        name, dot, field = key.partition(".")
        if dot and name not in known:
            raise unknown_name(f"simulator in the setting '{key}':", name, known)
        if dot and _setting(field, known[name]) is None:
            raise unknown_name(f"setting of {name}:", field, known[name])
        if not dot and not any(_setting(key, fields) for fields in known.values()):
            raise unknown_name("setting", key, sorted({f for fields in known.values() for f in fields}))
