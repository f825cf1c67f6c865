"""What the stores below a folder hold: finished, failed and unfinished trials, read from their folders alone."""

import hashlib
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.scores.results import Results
from benchmark.trials.records import TrialFile, read_failure, read_trial
from benchmark.trials.store import WORKING, TrialStore
from tasks.errors import InputError, unknown_name
from tasks.storage import write_errors

STATES = ("finished", "failed", "working")

_IDENTITY = re.compile(r"[0-9a-f]{24}")
_FEWEST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial on disk, named by the 24 hexadecimal digits of its identity, in the folder of its run.

    ``state`` is ``finished``, ``failed`` or ``working``: begun and neither, be it at work now or stopped, with a
    ``checkpoint`` or not; ``line`` is the last one of a failed trial's log.
    """

    identity: str
    run: Path
    folder: Path
    state: str
    checkpoint: bool
    line: str
    values: TrialFile = field(repr=False)

    @property
    def seconds(self) -> float | None:
        """How long the finished trial took."""
        return self.values.get("cost", {}).get("seconds")

    @property
    def where(self) -> str:
        """Machine and process that ran it last."""
        return self.values.get("environment", {}).get("where") or self.values.get("where", "")

    @property
    def log(self) -> Path | None:
        """Its full log, if it has one."""
        path = self.folder / "log.txt"
        return path if path.is_file() else None

    def text(self, key: str) -> str:
        """Return a value of ``trial.json`` as text, empty if it is not there."""
        value = self.values.get(key)
        return "" if value is None else str(value)


def trials(root: Path) -> list[TrialRecord]:
    """Return the trials of a run's folder, or of every run below a folder, the finished ones of a run first.

    InputError if there is no such folder, or a record in it is damaged.
    """
    if not root.is_dir():
        raise InputError(f"there is no folder {root}; 'run' makes one, or name another with --in.")
    runs = [root] if (root / "trials").is_dir() else sorted(p for p in root.iterdir() if (p / "trials").is_dir())
    return [record for run in runs for record in _of_run(run)]


def _of_run(run: Path) -> Iterator[TrialRecord]:
    folders = [path for path in (run / "trials").iterdir() if path.is_dir()]
    for folder in sorted(folders, key=lambda path: (path.name.startswith(WORKING), path.name)):
        identity = folder.name.removeprefix(WORKING)
        begun = identity != folder.name
        if _IDENTITY.fullmatch(identity) and (begun or (folder / "trial.json").is_file()):
            failure = read_failure(folder)
            state = "finished" if not begun else "failed" if failure else "working"
            checkpoint = begun and any((folder / "state").glob("*"))
            yield TrialRecord(identity, run, folder, state, checkpoint, failure.get("line", ""), read_trial(folder))


def behind(run: Path, found: Results) -> dict[str, list[TrialRecord]]:
    """Return simulator -> the finished trials that the results of a run name, in their order, without missing ones."""
    if not (run / "trials").is_dir():
        return {row.base: [] for row in found.simulators}
    finished = {record.identity: record for record in trials(run) if record.state == "finished"}
    return {row.base: [finished[i] for i in row.trials if i in finished] for row in found.simulators}


def changed(run: Path, found: Results) -> list[str]:
    """Return the trials whose stored predictions are no longer those that the results of a run were made from."""
    stored = {identity: run / "trials" / identity / "predictions.parquet" for identity in found.stored}
    return [
        identity
        for identity, path in stored.items()
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != found.stored[identity]
    ]


def find(root: Path, prefix: str) -> list[TrialRecord]:
    """Return the records of the one trial whose identity begins with ``prefix``.

    They are several if the trial is in several runs, or is run again while its finished folder is still there.
    InputError if no trial or several begin so.
    """
    everything = trials(root)
    found = [record for record in everything if record.identity.startswith(prefix)]
    identities = sorted({record.identity for record in found})
    if len(prefix) < _FEWEST_DIGITS and prefix not in identities:
        raise InputError(f"'{prefix}' is too short to name a trial; give at least {_FEWEST_DIGITS} digits.")
    if not found:
        raise unknown_name("trial", prefix, [record.identity for record in everything][:5])
    if len(identities) > 1:
        raise InputError(f"'{prefix}' fits {len(identities)} trials: {', '.join(identities[:5])}; give more digits.")
    return found


def remove(records: Sequence[TrialRecord]) -> None:
    """Remove trials from disk, but no results; InputError if a run is at work in the same place."""
    for record in records:
        with TrialStore(record.run / "trials").lock(), write_errors(record.folder):
            # Without its trial.json a finished trial counts as absent, should the removal stop half-way.
            (record.folder / "trial.json").unlink(missing_ok=True)
            shutil.rmtree(record.folder)


def costs_of_all(run: Path, results: Results, sessions: int) -> Iterator[str]:
    """Yield, per simulator that asks an endpoint, what all test sessions would cost by what those of the run did."""
    for name, trials in behind(run, results).items():
        costs = [trial.values.get("cost", {}) for trial in trials]
        paid = ("requests", "tokens_prompt", "tokens_completion", "price")
        spent = [sum(cost.get(key, 0) for cost in costs) * sessions / results.n_sessions for key in paid]
        if spent[0]:
            price = f", for {spent[3]:,.4g} at the prices given" if spent[3] else ""
            said = "about {:,.0f} requests with {:,.0f} tokens, and {:,.0f} of answers".format(*spent)
            yield f"{name}: all {sessions} test sessions would take {said}{price}, by these {results.n_sessions}."
