"""The engine that carries out each trial with all processes of a group."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from baselines.distributed.group import Group, PeerFailed
from benchmark.engines.environment import Place, host
from benchmark.engines.interface import Failure, Ledger, Outcome
from benchmark.engines.trial import attempt, failure
from benchmark.simulator import Workspace
from benchmark.trials.trial import Trial
from tasks.definition import quiet
from tasks.errors import InputError

if TYPE_CHECKING:
    from tasks.task import Task

T = TypeVar("T")


class GroupEngine:
    """One trial after the other, each by the whole group.

    The first process keeps the store and calls ``run``; the others call ``follow`` meanwhile. The engine is a context;
    when the first process leaves it, in whatever way, the others stop waiting for trials. ``threads`` are those of a
    process's numerical libraries, ``place`` is where this process is, for the record.
    """

    def __init__(self, group: Group, threads: int = 1, place: Place | None = None) -> None:
        self.group = group
        here = f"{host()} process {os.getpid()}, first of {group.size}"
        self.place = place or Place(f"deepspeed {group.settings.name}", here, threads)

    @property
    def first(self) -> bool:
        """Whether this process keeps the store."""
        return self.group.first

    def parallel(self, trial: Trial) -> str:
        """Return how the group shares a trial, as its identity has it; empty for a trial without a model."""
        return self.group.settings.parallel(trial, self.group.size)

    def agreed(self, call: Callable[[], T]) -> T:
        """Let every process do its part and return this one's result.

        Raises:
            InputError: One failed; then all do.
        """

        def named() -> T:
            try:
                return call()
            except InputError:
                raise
            except Exception as error:  # the others wait for this process, whatever happens to it
                raise InputError(failure(error).line) from error

        return self.group.attempt(named)

    def __enter__(self) -> GroupEngine:
        return self

    def __exit__(self, *error: object) -> None:
        if self.group.first:
            self.group.ready()
            self.group.exchange(None)

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials in their order; checkpoints and artifacts are written straight to the store."""
        for trial in trials:
            self.group.ready()
            self.group.exchange(trial)
            state, artifacts = ledger.start(trial, self.place.where)
            workspace = Workspace(
                state,
                artifacts,
                functools.partial(ledger.say, trial),
                ledger.progress,
                functools.partial(ledger.measured, trial),
            )
            found = self.attempt(trial, task, workspace)
            if isinstance(found, Failure):
                ledger.fail(trial, found)
            else:
                ledger.finish(trial, found)

    def follow(self, task: Task) -> None:
        """Take part in the first process's trials on the same task until it has no more."""
        while True:
            self.group.ready()
            trial: Trial | None = self.group.exchange(None)[0]
            if trial is None:
                return
            with tempfile.TemporaryDirectory() as folder:
                state, artifacts = Path(folder) / "state", Path(folder) / "artifacts"
                state.mkdir()
                artifacts.mkdir()
                self.attempt(trial, task, Workspace(state, artifacts, lambda line: None, quiet))

    def attempt(self, trial: Trial, task: Task, workspace: Workspace) -> Outcome | Failure:
        """Run this process's part; all call this, and a trial that fails in one process is given up by all.

        Of the workspaces, only the first process's checkpoints and artifacts are of use.
        """
        found = attempt(trial, task, workspace, self.place)
        try:
            if isinstance(found, Failure):
                self.group.give_up(found.line)
            else:
                self.group.exchange(None)
        except PeerFailed as error:
            return failure(error)
        return found
