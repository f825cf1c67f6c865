"""What runs on Ray's workers: one process carries out one trial after the other and keeps what they share.

A worker tells of its trials through the inbox, an actor next to the driver; the driver alone writes to the store. The
worker's own disk is scratch.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmark.engines.interface import Failure, Files, Outcome, PeerLost, Peers, Score
from benchmark.engines.parcel import chunks, local_copy
from benchmark.engines.resources import Place, host
from benchmark.engines.tally import Telling
from benchmark.engines.trial import attempt, failure
from benchmark.simulator import HasMaterial, Workspace
from benchmark.trials.catalogue import simulator_class, source_digest
from benchmark.trials.store import read_files, write_files
from benchmark.trials.trial import Trial
from tasks.errors import InputError
from tasks.task import Task

Settled = tuple[Trial, Task]
Attempt = Callable[[Trial, Task, Workspace], Outcome | Failure]

T = TypeVar("T")

Message = tuple[str, int, tuple[Any, ...]]
"""A method of the ledger, the index of the trial, further arguments."""


class Inbox:
    """An actor next to the driver: keeps what workers tell until the driver fetches it, and the latest checkpoints.

    It begins with those that earlier attempts left, by the index of the trial.
    """

    def __init__(self, states: Mapping[int, Files]) -> None:
        self._states = dict(states)
        self._finished: set[int] = set()
        self._scores: dict[int, float] = {}
        self._messages: list[Message] = []

    def send(self, method: str, index: int, *arguments: Any) -> None:
        """Take a message for the ledger; of a trial that is over, none."""
        if index in self._finished:
            return
        if method == "keep":
            self._states[index] = arguments[0]
        elif method in ("finish", "fail"):
            self._states.pop(index, None)
            self._finished.add(index)
        self._messages.append((method, index, arguments))

    def note(self, index: int, score: float) -> None:
        """Take the score of a trial that is about to finish."""
        self._scores[index] = score

    def score(self, index: int) -> float | None:
        """Return the score of a trial, None if it has none."""
        return self._scores.get(index)

    def state(self, index: int) -> Files | None:
        """Return the latest checkpoint of a trial, None if the trial is over."""
        return None if index in self._finished else self._states.get(index, {})

    def fetch(self) -> list[Message]:
        """Return the messages since the last call, in order."""
        messages, self._messages = self._messages, []
        return messages


class Library:
    """An actor next to the driver: lends checkpoints that lie there to machines that lack them.

    A checkpoint is read from disk once and goes through the object store, so it travels once to each machine.
    """

    def __init__(self) -> None:
        self._pieces: dict[str, list[tuple[str, Any]]] = {}

    def pieces(self, folder: str) -> list[tuple[str, Any]]:
        """Return (file name, reference to a piece of it) for the whole folder, in order."""
        import ray

        if folder not in self._pieces:
            self._pieces[folder] = [(name, ray.put(content)) for name, content in chunks(Path(folder))]
        return self._pieces[folder]


@dataclass(frozen=True)
class Parcel:
    """What every trial of a run is handed.

    Attributes:
        task: Reference to a ``PackedTask``.
        key: Digest of the task's content.
        library: A ``Library``, None where all workers share the driver's disk.
        folders: Index of a trial -> setting -> folder on the driver's machine of a checkpoint that it rests on.
        score: Returns a trial's score from its predictions; None where nobody asks for scores.
        asked: Index of a trial -> what was asked of Ray for it, for the record.
        launch: Starts processes that share a trial and waits for them, see ``Launcher``; None where none is shared.
    """

    trials: tuple[Trial, ...]
    task: Any
    key: str
    threads: int
    inbox: Any
    library: Any
    folders: Mapping[int, Mapping[str, str]]
    score: Score | None = None
    asked: Mapping[int, Mapping[str, object]] = field(default_factory=dict)
    launch: Callable[[TrialPart], None] | None = None


def carry_out(index: int, parcel: Parcel, judged: Callable[[int, float], None] | None = None) -> float | None:
    """Carry out one trial and tell the inbox; a trial that is over already is left alone.

    Returns its score, None if it failed, was shared out, or nobody asks for scores; ``judged`` as in ``TrialPart``.
    Exception if a process of a trial that was shared out was lost.
    """
    import ray

    trial = parcel.trials[index]
    state: Files | None = ray.get(parcel.inbox.state.remote(index))
    if state is None:
        known: float | None = ray.get(parcel.inbox.score.remote(index))
        return known
    where = whereabouts()
    _tell(parcel, index, "start", f"{where}, {trial.parallel}" if trial.parallel else where)
    part = TrialPart(index, parcel, state, judged)
    if trial.parallel:
        _share(part)
        return None
    attempted = functools.partial(attempt, place=Place("ray", where, parcel.threads, parcel.asked.get(index, {})))
    found, files = part.perform(functools.partial(_tell, parcel, index), lambda call: call(), attempted)
    score = None
    if parcel.score is not None and not isinstance(found, Failure):
        try:
            score = parcel.score(unpacked(parcel), trial, found.predictions)
            ray.get(parcel.inbox.note.remote(index, score))
        except Exception as error:  # as in ``perform``
            found = failure(error)
    _conclude(parcel, index, found, files)
    return score


def _share(part: TrialPart) -> None:
    """Have processes of its own carry out a trial; they tell the inbox themselves.

    Exception if one of them was lost, so that none could.
    """
    import ray

    parcel = part.parcel
    assert parcel.launch is not None  # who marks trials as shared out has one
    lost: Exception = RuntimeError("the workers of the trial ended without a result")
    try:
        parcel.launch(part)
    except Exception as error:
        lost = error
    if ray.get(parcel.inbox.state.remote(part.index)) is not None:
        raise lost


def _tell(parcel: Parcel, index: int, method: str, *arguments: Any) -> None:
    import ray

    ray.get(parcel.inbox.send.remote(method, index, *arguments))


def _conclude(parcel: Parcel, index: int, found: Outcome | Failure, files: Files) -> None:
    if isinstance(found, Failure):
        _tell(parcel, index, "fail", found)
    else:
        _tell(parcel, index, "finish", found, files)


def whereabouts() -> str:
    """Return the machine, node and process that this is."""
    import ray

    return f"{host()} node {ray.get_runtime_context().get_node_id()[:8]} process {os.getpid()}"


@dataclass(frozen=True)
class TrialPart:
    """What each process of a trial does, be it alone or one of several; it can be sent to other machines.

    Attributes:
        state: The checkpoint that an earlier attempt left.
        judged: Called with each epoch and its score, and may end the process's work on the trial; None if nobody asks.
    """

    index: int
    parcel: Parcel
    state: Files
    judged: Callable[[int, float], None] | None = None

    def perform(
        self, tell: Callable[..., None], agreed: Callable[[Callable[[], Settled]], Settled], run: Attempt
    ) -> tuple[Outcome | Failure, Files]:
        """Run the trial where its material is; return what came of it and its artifacts.

        ``tell`` takes a method of the ledger and its arguments, ``agreed`` is ``Peers.agreed``, ``run`` runs the trial.
        PeerLost if another process of the trial is gone.
        """
        try:
            with tempfile.TemporaryDirectory(prefix="gazebench-") as scratch:
                shipper = _Shipper(Path(scratch), tell)

                def measured(epoch: int, values: Mapping[str, float]) -> None:
                    shipper.measured(epoch, values)
                    if self.judged is not None and "valid_score" in values:
                        self.judged(epoch, values["valid_score"])

                workspace = Workspace(shipper.state, shipper.artifacts, shipper.say, shipper.progress, measured)
                settled, task = agreed(lambda: self._prepared(shipper))
                found = run(settled, task, workspace)
                return found, read_files(shipper.artifacts)
        except PeerLost:
            raise
        except Exception as error:  # whatever it is, it is this trial's, and the others go on
            return failure(error), {}

    def _prepared(self, shipper: _Shipper) -> Settled:
        """Unpack the checkpoint, the trial and the task on this machine."""
        write_files(shipper.state, self.state)
        shipper.changed()
        return _settled(self.parcel.trials[self.index], self.index, self.parcel), unpacked(self.parcel)

    def carry_out(self, peers: Peers) -> None:
        """Take part, and if this process is the first one, tell what came of it.

        PeerLost if another process is gone.
        """
        tell = functools.partial(_tell, self.parcel, self.index) if peers.first else lambda *told: None
        found, files = self.perform(tell, peers.agreed, peers.attempt)
        if peers.first:
            _conclude(self.parcel, self.index, found, files)

    def refuse(self, reason: str) -> None:
        """Tell in one line why the trial failed: the processes cannot work together."""
        _conclude(self.parcel, self.index, Failure(reason, reason), {})


class _Shipper(Telling):
    """Sends a trial's checkpoints to the driver, as often as they change between two steps of the trial's progress."""

    def __init__(self, scratch: Path, tell: Callable[..., None]) -> None:
        super().__init__(tell)
        self.state, self.artifacts = scratch / "state", scratch / "artifacts"
        self._seen: list[tuple[str, int, int]] = []
        for folder in (self.state, self.artifacts):
            folder.mkdir()

    def changed(self) -> bool:
        """Return whether the checkpoint is another one than at the last call."""
        stats = [(path.name, path.stat()) for path in sorted(self.state.rglob("*"))]
        seen = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
        changed, self._seen = seen != self._seen, seen
        return changed

    def progress(self, items: Iterable[T], *, total: int | None = None, desc: str = "") -> Iterator[T]:
        """Yield the items; what the step between two of them has left as a checkpoint is sent."""
        for item in super().progress(items, total=total, desc=desc):
            yield item
            if self.changed():
                self.tell("keep", read_files(self.state))


_tasks: dict[str, Task] = {}
"""The tasks that this process has unpacked."""


def unpacked(parcel: Parcel) -> Task:
    """Return the task, unpacked once per process from the one copy in the machine's object store."""
    import ray

    if parcel.key not in _tasks:
        _tasks[parcel.key] = ray.get(parcel.task).unpack()
    return _tasks[parcel.key]


def _settled(trial: Trial, index: int, parcel: Parcel) -> Trial:
    """Return the trial with settings that lead to its material on this machine.

    InputError if this worker would not run the trial that was asked for: other code, another model.
    """
    where = whereabouts()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # what is not here comes from the driver, never from elsewhere
    if source_digest(trial.factory) != trial.source:
        raise InputError(
            f"{where} has other code of {trial.simulator} than the driver; install the same version on every machine."
        )
    found = _material(trial)
    if found != trial.material and parcel.library is not None and parcel.folders.get(index):
        own = {
            key: str(local_copy(trial.material[key], _pieces(parcel, folder)))
            for key, folder in parcel.folders[index].items()
        }
        trial = replace(trial, settings={**trial.settings, **own})
        found = _material(trial)
    if found != trial.material:
        keys = sorted(k for k in {*trial.material, *found} if trial.material.get(k) != found.get(k))
        raise InputError(
            f"{where} would run {trial.simulator} with another {' and '.join(keys)} than the driver; "
            "give the number format (--set dtype=...) or the same files and version on every machine."
        )
    return trial


def _material(trial: Trial) -> dict[str, str]:
    """Return what the trial would rest on here; empty if it is not here."""
    try:
        built = simulator_class(trial.factory)(**trial.settings)
        return dict(built.material()) if isinstance(built, HasMaterial) else {}
    except InputError:
        return {}


def _pieces(parcel: Parcel, folder: str) -> Iterator[tuple[str, bytes]]:
    """Yield the pieces of a folder on the driver's machine; asked for only when the first is drawn."""
    import ray

    for name, piece in ray.get(parcel.library.pieces.remote(folder)):
        yield name, ray.get(piece)
