"""The default engine: trials on this machine, in worker processes or one after the other in this one.

Each worker carries out one trial after the other in the store's own folders. They share this machine's disk, so nothing
is sent around: the sessions are in one file that every worker maps, and checkpoints and artifacts are written where
they belong. This process alone writes down what is finished.
"""

import functools
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from benchmark.engines.interface import Failure, Outcome
from benchmark.engines.ledger import Ledger
from benchmark.engines.needs import Needs, models, needs
from benchmark.engines.parcel import PackedTask
from benchmark.engines.resources import Place, environment_variables, free_memory, has_gpu, host, thread_variables
from benchmark.engines.tally import Telling
from benchmark.engines.trial import attempt
from benchmark.simulator import Workspace
from benchmark.trials.records import TrialFile
from benchmark.trials.trial import Trial
from tasks.task import Task

WITH_MODELS = (
    "benchmark.engines.trial",
    "datasets",
    "transformers.models.auto.modeling_auto",
    "baselines.backbones.vlm",
)
"""What a worker imports before it can run a trial with a model; most of it is the import of torch and transformers."""


def prepare_workers(modules: Sequence[str], threads: int) -> None:
    """Begin to import modules for the workers that will be started, while this process does something else.

    They are forked from one process that has the modules and does nothing else. Only on Linux: elsewhere libraries do
    not bear to be forked, and every worker imports for itself.
    """
    if sys.platform == "linux":
        from multiprocessing import forkserver

        multiprocessing.set_forkserver_preload(list(modules))
        with environment_variables(thread_variables(threads)):
            forkserver.ensure_running()


def run_in_workers(trials: Sequence[Trial], task: Task, ledger: Ledger, workers: int, threads: int) -> None:
    """Run trials in worker processes, in their order as far as there is memory; a worker that dies costs its trial.

    ModuleNotFoundError if a worker lacks a library, InputError if the disk is full.
    """
    with tempfile.TemporaryDirectory(prefix="gazebench-") as folder:
        crew = _Crew(PackedTask.of(task).mapped(Path(folder)), threads, workers, ledger, list(trials))
        try:
            crew.work()
        finally:
            crew.dismiss()


@dataclass(frozen=True, eq=False, slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection


@dataclass(slots=True)
class Room:
    """What trials share: records of finished ones, bytes of free memory (None: unknown), the one GPU, used in turns."""

    records: list[TrialFile]
    memory: int | None = field(default_factory=free_memory)
    gpu: bool = field(default_factory=has_gpu)
    _needs: dict[tuple[object, ...], int] = field(default_factory=dict)

    def fits(self, trial: Trial, running: Sequence[Trial]) -> bool:
        """Return whether there is room for a trial next to those that run; there always is for one alone."""
        if not running or (self.memory is None and not self.gpu):
            return True
        if self.gpu and models(trial) and any(map(models, running)):
            return False
        return self.memory is None or sum(map(self._need, (trial, *running))) <= self.memory

    def learn(self, trial: Trial, outcome: Outcome) -> None:
        """Note what a finished trial has needed."""
        record = {**trial.record(), "cost": outcome.cost, "environment": outcome.environment}
        self.records.append(cast("TrialFile", record))
        self._needs.pop(_kind(trial), None)

    def _need(self, trial: Trial) -> int:
        """Return the bytes that a trial needs, 0 where nothing is known of its kind."""
        kind = _kind(trial)
        if kind not in self._needs:
            self._needs[kind] = needs([trial], self.records, Needs(1.0)).memory or 0
        return self._needs[kind]


def _kind(trial: Trial) -> tuple[object, ...]:
    return trial.simulator, *models(trial)


@dataclass(slots=True)
class _Crew:
    """The workers of one call of the engine."""

    task: PackedTask
    threads: int
    size: int
    ledger: Ledger
    waiting: list[Trial]
    room: Room = field(init=False)
    idle: list[_Worker] = field(default_factory=list)
    busy: dict[Connection, tuple[_Worker, Trial]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.room = Room(self.ledger.store.records())

    def work(self) -> None:
        while self.waiting or self.busy:
            while (trial := self._next()) is not None:
                self._hand_out(trial)
            for pipe in wait(list(self.busy)):
                assert isinstance(pipe, Connection)
                self._hear(pipe)

    def dismiss(self) -> None:
        workers = [*self.idle, *(worker for worker, _ in self.busy.values())]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.process.join()
            worker.pipe.close()

    def _next(self) -> Trial | None:
        """Return the first trial that there is room for, and take it from those that wait."""
        if len(self.busy) == self.size:
            return None
        running = [trial for _, trial in self.busy.values()]
        found = next((trial for trial in self.waiting if self.room.fits(trial, running)), None)
        if found is not None:
            self.waiting.remove(found)
        return found

    def _hand_out(self, trial: Trial) -> None:
        worker = self.idle.pop() if self.idle else self._hired()
        self.busy[worker.pipe] = worker, trial
        folders = self.ledger.start(trial, f"{host()} process {worker.process.pid}")
        try:
            worker.pipe.send((trial, *folders))
        except OSError:  # it is gone; its end of the pipe says so when it is read
            pass

    def _hired(self) -> _Worker:
        prepare_workers((), self.threads)
        if sys.platform == "linux":
            context = multiprocessing.get_context("forkserver")
        else:
            context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        variables = {**os.environ, **thread_variables(self.threads)}
        process = context.Process(target=serve, args=(there, self.task, self.threads, variables))
        with environment_variables(variables):
            process.start()
        there.close()
        return _Worker(process, here)

    def _hear(self, pipe: Connection) -> None:
        worker, trial = self.busy[pipe]
        try:
            found = pipe.recv()
        except (EOFError, OSError):
            del self.busy[pipe]
            worker.process.join()
            pipe.close()
            code = worker.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
            how = "killed, perhaps for want of memory: lower --workers" if code == -9 else how
            line = f"its worker process died ({how}); the other trials go on"
            self.ledger.fail(trial, Failure(line, line))
            return
        if isinstance(found, tuple):
            method, *arguments = found
            getattr(self.ledger, method)(trial, *arguments)
            return
        del self.busy[pipe]
        self.idle.append(worker)
        if isinstance(found, Outcome):
            self.room.learn(trial, found)
            self.ledger.finish(trial, found)
        elif isinstance(found, Failure):
            self.ledger.fail(trial, found)
        else:
            raise found


def serve(pipe: Connection, stored: PackedTask, threads: int, variables: Mapping[str, str]) -> None:
    """Carry out the trials that come through the pipe until it is closed; what a worker process runs.

    Back go messages for the ledger (method, arguments), and at the end of each trial an ``Outcome``, a ``Failure``, or
    an exception that ends the run.
    """
    os.environ.clear()  # those of the process it was forked from may be older
    os.environ.update(variables)
    # An interrupt from the terminal reaches every process; the one that started the workers ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    task, place = stored.unpack(), Place("local", f"{host()} process {os.getpid()}", threads)
    while True:
        try:
            trial, state, artifacts = pipe.recv()
        except EOFError:
            return
        found: Outcome | Failure | Exception
        told = Telling(lambda *message: pipe.send(message))
        try:
            found = attempt(trial, task, Workspace(state, artifacts, told.say, told.progress, told.measured), place)
        except Exception as error:  # none of this trial alone, see ``attempt``
            found = error
        pipe.send(found)


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


class LocalEngine:
    """Runs trials on this machine; checkpoints and artifacts are written straight to the store.

    ``threads`` are those of a trial's numerical libraries; with one worker, or a single trial, everything happens in
    this process.
    """

    def __init__(self, threads: int = 1, workers: int = 1) -> None:
        self.threads = threads
        self.workers = workers

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials in their order."""
        if min(self.workers, len(trials)) > 1:
            run_in_workers(trials, task, ledger, min(self.workers, len(trials)), self.threads)
            return
        place = Place("local", f"{host()} process {os.getpid()}", self.threads)
        for trial in trials:
            state, artifacts = ledger.start(trial, place.where)
            say, measured = (functools.partial(tell, trial) for tell in (ledger.say, ledger.measured))
            workspace = Workspace(state, artifacts, say, ledger.progress, measured)
            found = attempt(trial, task, workspace, place)
            if isinstance(found, Failure):
                ledger.fail(trial, found)
            else:
                ledger.finish(trial, found)
