"""The default engine: trials on this machine, in worker processes or one after the other in this one."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.engines import pool
from benchmark.engines.environment import Place, host
from benchmark.engines.interface import Failure, Ledger
from benchmark.engines.trial import attempt
from benchmark.simulator import Workspace
from benchmark.trials.trial import Trial

if TYPE_CHECKING:
    from tasks.task import Task


class LocalEngine:
    """Runs trials on this machine; checkpoints and artifacts are written straight to the store.

    Args:
        threads: Threads of a trial's numerical libraries.
        workers: Worker processes; with 1, or a single trial, everything happens in this process.
    """

    def __init__(self, threads: int = 1, workers: int = 1) -> None:
        self.threads = threads
        self.workers = workers

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials in their order."""
        if min(self.workers, len(trials)) > 1:
            pool.run(trials, task, ledger, min(self.workers, len(trials)), self.threads)
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
