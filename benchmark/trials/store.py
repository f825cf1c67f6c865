"""Trials on disk: a folder for each finished one, complete or absent, named by the trial's identity.

Layout below the root::

    <identity>/            a finished trial: predictions.parquet, trial.json, artifacts/, log.txt
    .working-<identity>/   one that has begun: trial.json, state/, artifacts/, log.txt, failure.json if it failed
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, cast

from filelock import FileLock, Timeout

from benchmark.files.replacing import replace_text, settle
from benchmark.scores import predictions, reading
from benchmark.trials.records import TrialFile, read_trial, spent
from benchmark.trials.trial import Trial
from tasks.errors import InputError
from tasks.storage import staged, write_errors

if TYPE_CHECKING:
    import pyarrow as pa

    from benchmark.engines.interface import Failure, Files, Outcome

WORKING = ".working-"
"""Prefix of the folder of a trial that has begun and is not finished."""


class TrialStore:
    """The trials below one folder, which is made on first use; what is finished in it has been run, whatever ran it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, trial: Trial) -> Path:
        """Return where the finished trial is, or will be."""
        return self.root / trial.identity()

    def working(self, trial: Trial) -> Path:
        """Return where the trial is while it is not finished."""
        return self.root / f"{WORKING}{trial.identity()}"

    def finished(self, trial: Trial) -> bool:
        """Return whether the trial has been run to its end, and is still what was stored then."""
        return (self.folder(trial) / "trial.json").is_file() and not self.fault(trial)

    def fault(self, trial: Trial) -> str:
        """Return what is wrong with a stored trial, empty if nothing is; older versions kept no digests of files."""
        folder = self.folder(trial)
        try:
            record: Mapping[str, object] = {**read_trial(folder)}
        except InputError as error:
            return str(error)
        said = {key: value for key, value in trial.record().items() if key != "settings"}
        if json.loads(json.dumps(said)) != {key: record.get(key) for key in said}:
            return "trial.json is empty or another trial's"
        if not {"files", "checksum"} & set(record):
            return ""
        if record.get("checksum") != _checksum(record):
            return "trial.json was changed"
        then, now = cast("Mapping[str, str]", record["files"]), _digests(folder)
        for name in sorted({*then, *now}):
            if then.get(name) != now.get(name):
                return f"{name} {'was changed' if name in then and name in now else 'is missing or new'}"
        return ""

    def waiting(self, trials: Iterable[Trial], force: bool, report: Callable[[str], None]) -> list[Trial]:
        """Return the trials that are to be run; damaged ones are reported, and no longer count as finished."""
        given = tuple(trials)
        found = [trial for trial in given if force or not self.finished(trial)]
        for trial in {*given} - {*found}:
            self.discard(trial)  # a run that was killed once it had put the trial here has left that
        for trial in found:
            if not force and self.folder(trial).is_dir():
                why = self.fault(trial) or "trial.json is missing"
                report(f"the stored trial {trial.identity()} of {trial.simulator} is damaged ({why}); it is run again.")
                (self.folder(trial) / "trial.json").unlink(missing_ok=True)
        return found

    def predictions_digest(self, trial: Trial) -> str:
        """Return the SHA-256 of the file of a finished trial's predictions."""
        return hashlib.sha256((self.folder(trial) / "predictions.parquet").read_bytes()).hexdigest()

    def begin(self, trial: Trial, where: str = "") -> tuple[Path, Path]:
        """Make and return the folders for checkpoints and artifacts of a trial; what an earlier attempt kept stays."""
        working = self.working(trial)
        folders = working / "state", working / "artifacts"
        with write_errors(working):
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            (working / "failure.json").unlink(missing_ok=True)
        attempts = read_trial(working).get("attempts", 0) + 1
        record = {**_described(trial), "where": where, "began": _now(), "attempts": attempts}
        replace_text(working / "trial.json", _json(record))
        return folders

    def state(self, trial: Trial) -> Files:
        """Return the checkpoint that an attempt at the trial left; empty if there is none."""
        return read_files(self.working(trial) / "state")

    def keep(self, trial: Trial, state: Files) -> None:
        """Store a checkpoint of a trial that has begun, whole or not at all, in place of the one before."""
        with staged(self.working(trial) / "state", replace=True) as folder:
            write_files(folder, state)

    def log(self, trial: Trial, text: str) -> Path:
        """Add lines to the log of a trial that has begun; return the log's path."""
        path = self.working(trial) / "log.txt"
        with write_errors(path), path.open("a", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
        return path

    def fail(self, trial: Trial, failure: Failure) -> Path:
        """Note why an attempt at a trial failed; return the path of its full log."""
        path = self.log(trial, failure.log)
        replace_text(self.working(trial) / "failure.json", _json({"line": failure.line, "failed": _now()}))
        return path

    def put(self, trial: Trial, outcome: Outcome, artifacts: Files | None = None) -> None:
        """Store a finished trial in one step; a trial that is there already is replaced.

        The artifacts that are kept with it are by default those of its working folder.
        """
        working = self.working(trial)
        with staged(self.folder(trial), replace=True) as folder, write_errors(folder):
            predictions.write(outcome.predictions, folder / "predictions.parquet")
            if artifacts:
                write_files(folder / "artifacts", artifacts)
            elif artifacts is None and (working / "artifacts").is_dir() and any((working / "artifacts").iterdir()):
                shutil.copytree(working / "artifacts", folder / "artifacts")
            if (working / "log.txt").is_file():
                shutil.copyfile(working / "log.txt", folder / "log.txt")
            record = {
                **_described(trial),
                "cost": dict(outcome.cost),
                "environment": dict(outcome.environment),
                "attempts": max(1, read_trial(working).get("attempts", 1)),
                "finished": _now(),
            }
            record["files"] = _digests(folder)
            (folder / "trial.json").write_text(_json({**record, "checksum": _checksum(record)}), encoding="utf-8")
            for path in sorted(folder.rglob("*"), reverse=True):
                settle(path)
        settle(self.root)
        self.discard(trial)

    def discard(self, trial: Trial) -> None:
        """Remove what attempts at a trial have left, checkpoints included; a finished trial stays."""
        shutil.rmtree(self.working(trial), ignore_errors=True)

    def get(self, trial: Trial) -> pa.Table:
        """Return the predictions of a finished trial; InputError if a stored file is damaged."""
        try:
            if fault := self.fault(trial):
                raise InputError(fault)
            return reading.stored(self.folder(trial) / "predictions.parquet")
        except InputError as error:
            raise InputError(
                f"the stored trial {self.folder(trial)} is damaged ({error}); "
                f"remove it ('runs rm {trial.identity()} --in {self.root.parent}') and run again."
            ) from error

    def seconds(self, trial: Trial) -> float | None:
        """Return how long a finished trial took, None where that is not known."""
        return read_trial(self.folder(trial)).get("cost", {}).get("seconds")

    def spent(self, trial: Trial) -> float | None:
        """Return what a finished trial took of a GPU or else of processors, in seconds; see ``records.spent``."""
        return spent(read_trial(self.folder(trial)).get("cost", {}))

    def records(self) -> list[TrialFile]:
        """Return what is kept of every finished trial; a ``trial.json`` that is damaged is left out."""
        found = []
        for path in sorted(self.root.glob("*/trial.json")):
            with contextlib.suppress(InputError):
                found += [] if path.parent.name.startswith(".") else [read_trial(path.parent)]
        return found

    @contextlib.contextmanager
    def lock(self, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
        """Hold the store while trials are written to it; the lock goes with the process, however that ends.

        ``waiting`` is called if another process holds it, which is then waited for; without it that is an InputError.
        """
        lock = FileLock(self.root / ".lock", blocking=False, fallback_to_soft=False)
        with write_errors(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / ".lock").touch()
        try:
            lock.acquire()
        except Timeout as error:
            if waiting is None:
                raise InputError(
                    f"another run is at work in {self.root.parent}; wait for it, or choose another folder with --out."
                ) from error
            waiting(f"another run is at work in {self.root.parent}; this one waits until it ends.")
            lock.acquire(blocking=True)
        except OSError:
            pass  # a file system without locks
        try:
            yield
        finally:
            lock.release()


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder, path with slashes -> content; hidden files are left out."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            found[relative.as_posix()] = path.read_bytes()
    return found


def write_files(folder: Path, files: Files) -> None:
    """Write files below a folder, which is made if it is not there.

    InputError if a path leads out of the folder, or a file cannot be written.
    """
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        if not parts or PurePosixPath(name).is_absolute() or ".." in parts:
            raise InputError(f"the file name '{name}' leads out of its folder.")
        path = folder.joinpath(*parts)
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a trial but its record."""
    found = {name: hashlib.sha256(content).hexdigest() for name, content in read_files(folder).items()}
    return {name: digest for name, digest in found.items() if name != "trial.json"}


def _checksum(record: Mapping[str, object]) -> str:
    """Return the SHA-256 of what a trial's record says."""
    said = {key: value for key, value in record.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _described(trial: Trial) -> dict[str, object]:
    """Return what makes up a trial's identity, with all settings and paths, its source, and what must be said of it."""
    more = {"factory": trial.factory, "settings": trial.settings, "source": trial.source, "notice": trial.notice}
    return {**trial.record(), **more}


def _json(record: Mapping[str, object]) -> str:
    return json.dumps(record, indent=1, sort_keys=True) + "\n"


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
