"""How the benchmark finds simulators: by name, through a catalogue it does not know beforehand.

``baselines.registry`` is the catalogue of the suite. The benchmark depends on this contract alone, so
that a simulator can depend on the benchmark without a circle.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import inspect
from collections.abc import Mapping, Sequence
from typing import Protocol

from benchmark.simulator import Simulator
from benchmark.trials import own_files
from tasks.errors import unknown_name


class Entry(Protocol):
    """What a catalogue says of a simulator without importing it."""

    @property
    def name(self) -> str:
        """The registry name."""
        ...

    @property
    def factory(self) -> str:
        """Where its class is: ``module:Class``."""
        ...

    @property
    def summary(self) -> str:
        """One line."""
        ...

    @property
    def sees(self) -> tuple[str, ...]:
        """Which inputs it uses."""
        ...

    @property
    def oracle(self) -> bool:
        """It is handed the gaze and the cursor of the test session and is never ranked."""
        ...

    @property
    def stochastic(self) -> bool:
        """Its predictions depend on the seed."""
        ...


class Catalogue(Protocol):
    """A module or an object that lists and builds simulators."""

    def names(self) -> Sequence[str]:
        """Return every name."""
        ...

    def entry(self, name: str) -> Entry:
        """Return the entry of ``name``, or raise InputError with the nearest name."""
        ...

    def build(self, name: str, settings: Mapping[str, object]) -> Simulator:
        """Return a fresh simulator, or raise InputError naming an unknown setting."""
        ...


def simulator_class(factory: str) -> type:
    """Import and return the class that ``factory`` (``module:Class`` or ``path/to/file.py:Class``) names."""
    if own_files.is_file(factory):
        return own_files.load_class(factory)
    module, _, name = factory.partition(":")
    found: type = getattr(importlib.import_module(module), name)
    return found


def setting_names(factory: str) -> tuple[str, ...]:
    """Return the settings of a simulator: the fields that its constructor takes."""
    cls = simulator_class(factory)
    return tuple(f.name for f in dataclasses.fields(cls) if f.init) if dataclasses.is_dataclass(cls) else ()


def full_settings(simulator: Simulator, factory: str) -> dict[str, object]:
    """Return every setting of a built simulator, defaults included: they all shape its predictions."""
    return {name: getattr(simulator, name) for name in setting_names(factory)}


def code_version(factory: str) -> str:
    """Return a digest of the source of the simulator's module and of the project's modules it is built on.

    A trial made by other code is another trial: the digest is part of its identity.
    """
    if own_files.is_file(factory):
        return own_files.source_digest(factory)
    module, _, _ = factory.partition(":")
    digest = hashlib.sha256()
    for name in sorted(_own_modules(module, set())):
        digest.update(f"{name}\n{inspect.getsource(importlib.import_module(name))}\n".encode())
    return digest.hexdigest()[:16]


def _own_modules(name: str, seen: set[str]) -> set[str]:
    """Return ``name`` and the modules of its own top-level package that it imports, at any depth."""
    if name in seen:
        return seen
    seen.add(name)
    package = name.split(".")[0]
    module = importlib.import_module(name)
    for value in vars(module).values():
        origin = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", None)
        if isinstance(origin, str) and origin.split(".")[0] == package:
            _own_modules(origin, seen)
    return seen


def _setting(key: str, known: Sequence[str]) -> str | None:
    """Return the setting that ``key`` names, or None; ``lambda`` stands for ``lambda_``: Python keeps the word."""
    return key if key in known else f"{key}_" if f"{key}_" in known else None


def settings_for(entry: Entry, *layers: Mapping[str, object]) -> dict[str, object]:
    """Return the settings meant for one simulator; of several layers the last one wins.

    ``key=value`` is for every simulator that has such a setting, ``simulator.key=value`` for one.
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


def check_settings(entries: Sequence[Entry], settings: Mapping[str, object]) -> None:
    """Refuse a setting that none of the run's simulators has."""
    known = {entry.name: setting_names(entry.factory) for entry in entries}
    for key in settings:
        name, dot, field = key.partition(".")
        if dot and name not in known:
            raise unknown_name(f"simulator in the setting '{key}':", name, known)
        if dot and _setting(field, known[name]) is None:
            raise unknown_name(f"setting of {name}:", field, known[name])
        if not dot and not any(_setting(key, fields) for fields in known.values()):
            raise unknown_name("setting", key, sorted({f for fields in known.values() for f in fields}))
