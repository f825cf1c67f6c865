"""Parts from outside the suite: entry points of installed packages (``gazebench.tasks``, ...) and files.

A file, ``path/to/file.py:NAME``, is run because its owner names it on the command line, in a configuration or in a
call; nothing else loads one.
"""

import hashlib
import importlib
import importlib.util
import re
import sys
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from tasks.errors import InputError, unknown_name

T = TypeVar("T")
_FILE = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")


def is_file(name: str) -> bool:
    """Return whether ``name`` names something in a file, not in an installed module."""
    return _FILE.fullmatch(name) is not None


def path_of(name: str) -> Path:
    """Return the file of ``path/to/file.py:NAME``."""
    match = _FILE.fullmatch(name)
    assert match is not None, f"{name} does not name a file"
    return Path(match["path"])


@cache
def installed(kind: str) -> dict[str, str]:
    """Return name -> ``module:attribute`` of what installed packages bring of a kind: ``tasks``, ``simulators``, ..."""
    return {one.name: one.value for one in entry_points(group=f"gazebench.{kind}")}


def find(kind: str, name: str, of: type[T]) -> T | None:
    """Return what an entry point or a file brings under a name, None if neither does; InputError if it is no ``of``."""
    place = name if is_file(name) else installed(kind).get(name)
    if place is None:
        return None
    found = load(place)
    if not isinstance(found, of):
        raise InputError(f"{place} is of the type {type(found).__name__}; {kind} are of the class {of.__name__}.")
    return found


def load(place: str) -> Any:
    """Return what ``module:attribute`` or ``path/to/file.py:NAME`` names; InputError if there is no such thing."""
    if not is_file(place):
        name, _, attribute = place.partition(":")
        try:
            return getattr(importlib.import_module(name), attribute)
        except (ImportError, AttributeError) as error:
            if name.partition(".")[0] in ("tasks", "benchmark", "baselines"):
                raise
            raise InputError(f"{place} of an installed package cannot be used: {error}.") from error
    module, attribute = module_of(path_of(place)), place.rpartition(":")[2]
    if not hasattr(module, attribute):
        own = [key for key in vars(module) if not key.startswith("_")]
        raise unknown_name(f"name in {path_of(place)}:", attribute, own)
    return getattr(module, attribute)


def module_of(path: Path) -> ModuleType:
    """Return the module of a file, run once per content, which can import modules from its own folder."""
    path = path.resolve()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}.") from error
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
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}. Fix the file.") from error
    return module
