"""The tasks by name, and loading one from wherever its data is."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import outside
from tasks.definition import SIMULATED_MARK, Progress, ReadOptions, TaskDefinition, quiet
from tasks.errors import InputError, unknown_name
from tasks.storage import absolute, cache_root, read_errors, staged, write_errors

if TYPE_CHECKING:
    from tasks.task import Task

TASKS = {
    "recgaze": "tasks.recgaze:RECGAZE",
    "recgaze-visible": "tasks.recgaze:RECGAZE_VISIBLE",
    "adserp": "tasks.adserp:ADSERP",
    "adserp-page": "tasks.adserp:ADSERP_PAGE",
    "snacks": "tasks.snacks:SNACKS",
}
"""Name -> ``module:attribute`` of the definition. A new task is one module and one line here."""

OWN: dict[str, str] = {}
"""Name -> ``path/to/file.py:NAME`` of a definition that was named in this process."""

SAMPLE = "sample"

Report = Callable[[str], None]

_log = logging.getLogger(__name__)


def names() -> list[str]:
    """Return the names of all tasks."""
    return [*TASKS, *outside.installed("tasks")]


def definition(name: str) -> TaskDefinition:
    """Return the definition of a task of the suite, of an installed package or of a file, importing its module.

    One of a file goes by its own name from then on. InputError if there is no such task; the nearest is suggested.
    """
    place = OWN.get(name, name)
    found = outside.find("tasks", place, TaskDefinition) if name not in TASKS else outside.load(TASKS[name])
    if found is None:
        raise unknown_name("task", name, names())
    assert isinstance(found, TaskDefinition)
    if outside.is_file(name) and found.info.name not in names():
        OWN[found.info.name] = name
    return found


def load(
    name: str,
    data: str | Path | None = None,
    *,
    options: ReadOptions | None = None,
    workers: int = 1,
    progress: Progress = quiet,
    report: Report | None = None,
) -> Task:
    """Return a task with its data.

    Args:
        name: One of :func:`names`.
        data: A prepared folder; or a raw folder, which is prepared once into the user's cache; or ``sample``, the
            built-in simulation, also built once. None takes ``$GAZEBENCH_DATA/<name>`` if that exists, else the sample.
        options: How to read a raw folder; of the sample ``truth`` and ``viewport`` apply. A prepared folder is as it
            is, and must be of the version that ``truth`` names if it names one.
        workers: Processes that draw screens when something is built, unless ``options`` says so.
        progress: Shows progress of a preparation.
        report: Called with one line that says where data is prepared; the log by default.

    InputError for an unknown name, or data that cannot be used.
    """
    found = definition(name)
    place, name = TASKS.get(name) or outside.installed("tasks").get(name) or OWN.get(name, name), found.info.name
    report = report or _log.info
    options = options or ReadOptions(workers=workers)
    info = found.read_with(options)
    chosen = data if data is not None else _configured(name)
    if str(chosen) == SAMPLE:
        if data is None and found.public is not None:
            report(f"the simulated sample is used; real data ({found.public.about}): {found.public.commands(name)}")
        return _sample(place, found, replace(options, workers=workers), progress, report)
    folder = absolute(chosen)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}. Give a raw or prepared folder of {name}, or '{SAMPLE}'.")
    if (folder / "task.json").is_file():
        from tasks.task import open_folder

        if options.viewport is not None:
            raise InputError(f"{folder} is prepared, with the viewport that it has. Give the raw folder.")
        task = open_folder(found, folder)
        if task.version != info.version:
            reads = f"{folder} holds version {task.version} of {name}"
            if options.truth is not None:
                raise InputError(f"{reads}, not {info.version}. Give the raw folder.")
            report(f"{reads}; {info.version} is the current one. Prepare it again for that.")
        return task
    return _raw(place, found, folder, options, progress, report)


def _configured(name: str) -> str | Path:
    """Return the user's own folder for the task if there is one, else ``sample``."""
    root = os.environ.get("GAZEBENCH_DATA")
    folder = Path(root).expanduser() / name if root else None
    return folder if folder is not None and folder.is_dir() else SAMPLE


def _raw(
    place: str, found: TaskDefinition, raw: Path, options: ReadOptions, progress: Progress, report: Report
) -> Task:
    """Prepare a raw folder into the cache unless that was done before, and open it."""
    with read_errors(raw, cache_root(), cache_root()):
        listing = _listing(raw) + (_listing(options.posters) if options.posters else [])
    size = list(options.size) if options.size else None
    version = found.read_with(options).version
    key = [version, str(raw), listing, options.layout, options.images, size, str(options.posters), options.simulated]
    entry = cache_root() / found.info.name / f"raw-{_key(key + _viewport(options), place)}"

    def build(folder: Path) -> None:
        from tasks.prepare import prepare

        report(f"preparing {raw} once into {entry / 'prepared'}")
        prepare(found, raw, folder / "prepared", options, progress)

    return _cached(found, entry, build)


def _viewport(options: ReadOptions) -> list[object]:
    return [] if options.viewport is None else [options.viewport]


def _sample(place: str, found: TaskDefinition, chosen: ReadOptions, progress: Progress, report: Report) -> Task:
    """Simulate and prepare the sample unless that was done before, and open it."""
    version = found.read_with(chosen).version
    entry = cache_root() / found.info.name / f"sample-{_key([version, found.sample_size, *_viewport(chosen)], place)}"

    def build(folder: Path) -> None:
        from tasks.prepare import prepare

        report(f"building the simulated sample of {found.info.name} once into {entry}")
        raw = folder / "raw"
        with write_errors(entry):
            raw.mkdir()
            found.write_sample(raw)
            if not (raw / SIMULATED_MARK).is_file():
                (raw / SIMULATED_MARK).write_text(found.sample_notice + "\n", encoding="utf-8")
        way = ReadOptions(workers=chosen.workers, truth=chosen.truth, viewport=chosen.viewport)
        options = replace(way, size=found.sample_size, simulated=True)
        prepare(found, raw, folder / "prepared", options, progress)

    return _cached(found, entry, build)


def _cached(found: TaskDefinition, entry: Path, build: Callable[[Path], None]) -> Task:
    """Open ``entry/prepared``; build the entry if it is missing or damaged, and discard it if another was quicker."""
    from tasks.task import open_folder

    if entry.is_dir():
        try:
            return open_folder(found, entry / "prepared")
        except InputError as error:
            _log.warning("building %s again: %s", entry, error)
            shutil.rmtree(entry, ignore_errors=True)
    with staged(entry, replace=False) as folder:
        build(folder)
    return open_folder(found, entry / "prepared")


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    """Return name, size and modification time of every file below ``folder``."""
    files = []
    for path in sorted(folder.rglob("*")):
        stat = path.stat()
        if not path.is_dir():
            files.append((path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime_ns))
    return files


def _key(parts: list[object], place: str) -> str:
    """Return a short key over ``parts`` and the source of the task's reader, renderer and simulation."""
    digest = hashlib.sha256(json.dumps(parts, default=str).encode())
    for path in _sources(place):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _sources(place: str) -> list[Path]:
    """Return the files whose change makes a built entry stale: this package's own and the task module's."""
    if outside.is_file(place):
        module = outside.module_of(outside.path_of(place))
    else:
        module = importlib.import_module(place.partition(":")[0])
    own = sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in {".py", ".jinja"})
    if hasattr(module, "__path__"):
        folders = [Path(folder) for folder in module.__path__]
        files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
        return own + [path for path in files if path.suffix not in {".pyc", ".pyo"}]
    return own + ([Path(module.__file__)] if module.__file__ else [])
