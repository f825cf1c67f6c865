"""The default engine: one trial after the other, in this process."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.engines.environment import Place, host
from benchmark.engines.interface import Failure, Ledger
from benchmark.engines.trial import attempt
from benchmark.simulator import Workspace
from benchmark.trials.trial import Trial

if TYPE_CHECKING:
    from tasks.task import Task


class LocalEngine:
    """Runs trials in this process, for small machines and for debugging.

    Args:
        threads: Threads of a trial's numerical libraries.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials in their order; checkpoints and artifacts are written straight to the store."""
        place = Place("local", f"{host()} process {os.getpid()}", self.threads)
        for trial in trials:
            state, artifacts = ledger.start(trial, place.where)
            workspace = Workspace(state, artifacts, functools.partial(ledger.say, trial), ledger.progress)
            found = attempt(trial, task, workspace, place)
            if isinstance(found, Failure):
                ledger.fail(trial, found)
            else:
                ledger.finish(trial, found)
