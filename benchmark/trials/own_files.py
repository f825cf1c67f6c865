"""The code of a simulator in a user's own file, ``path/to/file.py:Class``: its class and the digest of its source.

The file is run because its owner names it on the command line or in a configuration; nothing else makes this module
load one.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType

from benchmark.trials.records import read_trial
from tasks.errors import InputError, unknown_name

_FACTORY = re.compile(r"(?P<path>.+\.py):(?P<name>[A-Za-z_]\w*)")


def is_file(factory: str) -> bool:
    """Return whether ``factory`` names a class in a file, not in an installed module."""
    return _FACTORY.fullmatch(factory) is not None


def path_of(factory: str) -> Path:
    """Return the file of ``path/to/file.py:Class``."""
    match = _FACTORY.fullmatch(factory)
    assert match is not None, f"{factory} does not name a file"
    return Path(match["path"])


def load_class(factory: str) -> type:
    """Run the file, which can import modules from its own folder, and return the class.

    InputError if there is no such file or class, the file fails when it is run, or the class is not a simulator.
    """
    module = _module(path_of(factory))
    name = factory.rpartition(":")[2]
    classes = {key: value for key, value in vars(module).items() if isinstance(value, type)}
    if name not in classes:
        own = [key for key, value in classes.items() if value.__module__ == module.__name__]
        raise unknown_name(f"class in {path_of(factory)}:", name, own)
    check_class(classes[name], factory)
    return classes[name]


def check_class(found: type, name: str) -> None:
    """Raise InputError if a class is not that of a simulator."""
    has = [method for method in ("fit", "simulate", "follow") if callable(getattr(found, method, None))]
    for method in ("fit", "simulate"):
        if method not in has and not (method == "simulate" and "follow" in has):
            needs = "a simulator needs fit(train, seed) and simulate(...), or follow(...) in its place"
            raise InputError(f"{name} has no method {method}; {needs}.")


def source_digest(factory: str) -> str:
    """Return a digest of the file and of the modules in its folder that it uses."""
    module = _module(path_of(factory))
    digest = hashlib.sha256()
    used = _neighbours(module, path_of(factory).resolve().parent, {}).values()
    for file in sorted(str(one.__file__) for one in used):
        digest.update(Path(file).name.encode() + b"\0" + Path(file).read_bytes())
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
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}. Fix the file.") from error
    return module


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
