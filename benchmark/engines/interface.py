"""The contract between the runner and an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, runtime_checkable

import pyarrow as pa

from benchmark.simulator import Workspace
from benchmark.trials.trial import Trial
from tasks.task import Task

if TYPE_CHECKING:
    from benchmark.engines.ledger import Ledger
    from benchmark.engines.worker import TrialPart

T = TypeVar("T")
Score = Callable[[Task, Trial, pa.Table], float]

Files = Mapping[str, bytes]
"""Files on their way between machines: path below a folder, with slashes -> content."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial found: checked predictions (columns of ``predictions.schema``), and where and with what it ran."""

    predictions: pa.Table
    cost: Mapping[str, object]
    environment: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial has no outcome: ``line`` for the list of failed trials, ``log`` with all that is known."""

    line: str
    log: str


class Engine(Protocol):
    """Carries out trials."""

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials and tell the ledger of each that it finished or failed.

        InputError if nothing can be run: the cluster is not there, the store's disk is full.
        """
        ...


@runtime_checkable
class Races(Protocol):
    """An engine that can run candidates against each other and stop the bad ones early."""

    def race(
        self, chains: Sequence[Sequence[Trial]], task: Task, ledger: Ledger, score: Score, known: Mapping[Trial, float]
    ) -> None:
        """Run chains of trials, each one's trials in order; one that does badly compared with others is stopped.

        There is a chain per candidate, all of one length. ``score``, called where the trial ran, returns its score, the
        lower the better; ``known`` are those of finished trials, which are not run again.
        """
        ...


@runtime_checkable
class SharesTrials(Protocol):
    """An engine that may have several processes share the arithmetic of one trial."""

    def parallel(self, trial: Trial) -> str:
        """Return how it shares out a trial, which is then part of the trial's identity; empty if one process does it.

        Whoever hands trials to such an engine sets ``Trial.parallel`` first.
        """
        ...


class PeerLost(Exception):
    """Another process of a shared trial is gone: no failure of the trial, which can be begun again."""


class Peers(Protocol):
    """This process among those that carry out a trial together."""

    @property
    def first(self) -> bool:
        """Whether this process is the one that tells of the trial."""
        ...

    def agreed(self, call: Callable[[], T]) -> T:
        """Let every process do its part and return this one's result.

        InputError on all if one failed with one, PeerLost if one is gone.
        """
        ...

    def attempt(self, trial: Trial, task: Task, workspace: Workspace) -> Outcome | Failure:
        """Run this process's part of the trial; PeerLost if another process is gone."""
        ...


class Launcher(SharesTrials, Protocol):
    """Starts the processes that share a trial, from a Ray worker; it can be sent to one."""

    def launch(self, part: TrialPart, cpus: float, gpus: int) -> None:
        """Start the processes, have each carry out the part, and wait for them; each has ``gpus`` GPUs, 0 or 1.

        Exception if a process was lost.
        """
        ...
