"""The engine that carries out each trial with all processes of a group."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from baselines.distributed.group import Group, PeerFailed
from benchmark.engines.environment import host
from benchmark.engines.interface import Failure, Ledger, Outcome
from benchmark.engines.trial import attempt, failure
from benchmark.simulator import Workspace
from benchmark.trials import Trial
from tasks.definition import quiet

if TYPE_CHECKING:
    from tasks.task import Task


class GroupEngine:
    """One trial after the other, each by the whole group.

    The first process keeps the store and calls ``run``; the others call ``follow`` meanwhile. The engine is a context;
    when the first process leaves it, by whatever way, the others are told that there are no more trials.

    Args:
        group: From ``session``.
        threads: Threads of a process's numerical libraries.
    """

    def __init__(self, group: Group, threads: int = 1) -> None:
        self.group = group
        self.threads = threads

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
            state, artifacts = ledger.start(trial, self._where())
            workspace = Workspace(state, artifacts, functools.partial(ledger.say, trial), ledger.progress)
            found = self.attempt(trial, task, workspace)
            if isinstance(found, Failure):
                ledger.fail(trial, found)
            else:
                ledger.finish(trial, found)

    def follow(self, task: Task) -> None:
        """Take part in the first process's trials until it has no more.

        Args:
            task: The same as the first process's.
        """
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

        Args:
            trial: The same on all processes.
            task: Likewise.
            workspace: Where this process keeps checkpoints and artifacts; only the first one's are of use.
        """
        name = f"deepspeed {self.group.settings.name}"
        found = attempt(trial, task, workspace, engine=name, where=self._where(), thread_count=self.threads)
        try:
            if isinstance(found, Failure):
                self.group.give_up(found.line)
            else:
                self.group.exchange(None)
        except PeerFailed as error:
            return failure(error)
        return found

    def _where(self) -> str:
        return f"{host()} process {os.getpid()}, first of {self.group.size}"
