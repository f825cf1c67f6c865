"""The code of a simulator in a user's own file, ``path/to/file.py:Class``: its class and the digest of its source.

The file is run because its owner names it on the command line or in a configuration; nothing else makes this module
load one.
"""

import hashlib
import inspect
import sys
from pathlib import Path
from types import ModuleType

from benchmark.trials.records import read_trial
from tasks.errors import InputError
from tasks.outside import is_file, load, module_of, path_of

__all__ = ["check_class", "factory_in", "is_file", "load_class", "path_of", "source_digest"]


def load_class(factory: str) -> type:
    """Run the file and return the class; InputError if this fails, or it is not the class of a simulator."""
    found = load(factory)
    check_class(found, factory)
    assert isinstance(found, type)
    return found


def check_class(found: object, name: str) -> None:
    """Raise InputError if something is not the class of a simulator."""
    if not isinstance(found, type):
        raise InputError(f"{name} is of the type {type(found).__name__}, not a class.")
    has = [method for method in ("fit", "simulate", "follow") if callable(getattr(found, method, None))]
    for method in ("fit", "simulate"):
        if method not in has and not (method == "simulate" and "follow" in has):
            needs = "a simulator needs fit(train, seed) and simulate(...), or follow(...) in its place"
            raise InputError(f"{name} has no method {method}; {needs}.")


def source_digest(factory: str) -> str:
    """Return a digest of the file and of the modules in its folder that it uses."""
    module = module_of(path_of(factory))
    digest = hashlib.sha256()
    used = _neighbours(module, path_of(factory).resolve().parent, {}).values()
    for file in sorted(str(one.__file__) for one in used):
        digest.update(Path(file).name.encode() + b"\0" + Path(file).read_bytes())
    return digest.hexdigest()[:16]


def _neighbours(module: ModuleType, folder: Path, found: dict[str, ModuleType]) -> dict[str, ModuleType]:
    """Return ``module`` and the modules in ``folder`` that it uses, at any depth."""
    if module.__name__ in found:
        return found
    found[module.__name__] = module
    for value in vars(module).values():
        origin = value if inspect.ismodule(value) else sys.modules.get(str(getattr(value, "__module__", None)))
        file = getattr(origin, "__file__", None)
        if origin is not None and file is not None and Path(file).resolve().is_relative_to(folder):
            _neighbours(origin, folder, found)
    return found


def factory_in(run: Path, simulator: str) -> str | None:
    """Return the file and class that a simulator of a run was made with, or None if it did not come from a file."""
    for path in sorted((run / "trials").glob("*/trial.json")):
        record = read_trial(path.parent)
        factory = record.get("factory", "")
        if record.get("simulator") == simulator and is_file(factory) and path_of(factory).is_file():
            return factory
    return None
