"""The contract between the runner and an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from benchmark.trials import Trial
from tasks.definition import Progress

if TYPE_CHECKING:
    import pandas as pd

    from tasks.task import Task

    Score = Callable[[Task, Trial, pd.DataFrame], float]

Files = Mapping[str, bytes]
"""Files on their way between machines: path below a folder, with slashes -> content."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial found.

    Attributes:
        frame: The checked predictions (columns of ``predictions.schema``).
        cost: What it took: ``seconds``, ``seconds_fit``, ``seconds_simulate``, ``peak_memory_bytes``, and the counts
            of a simulator that reports them (tokens, estimated FLOPs).
        environment: Where it ran and with what: host, engine, threads, package versions, device.
    """

    frame: pd.DataFrame
    cost: Mapping[str, object]
    environment: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial has no outcome.

    Attributes:
        line: The last line, for the list of failed trials.
        log: Everything that is known, such as the traceback; several lines.
    """

    line: str
    log: str


class Ledger(Protocol):
    """What an engine tells of its trials; the runner keeps the store and the display with it."""

    @property
    def progress(self) -> Progress:
        """Wraps the steps within a trial that runs in this process."""
        ...

    def start(self, trial: Trial, where: str) -> tuple[Path, Path]:
        """Note that a trial is at work; return its folders in the store for checkpoints and for artifacts."""
        ...

    def kept(self, trial: Trial) -> Files:
        """Return the checkpoint that an earlier attempt at the trial left; empty if there is none."""
        ...

    def keep(self, trial: Trial, state: Files) -> None:
        """Store a checkpoint that was made elsewhere, in place of the one before."""
        ...

    def say(self, trial: Trial, line: str) -> None:
        """Pass on a line that the simulator reports."""
        ...

    def finish(self, trial: Trial, outcome: Outcome, artifacts: Files | None = None) -> None:
        """Store what a trial found; ``artifacts`` if they were not written to its folder."""
        ...

    def fail(self, trial: Trial, failure: Failure) -> None:
        """Note that a trial failed; the others go on."""
        ...


class Engine(Protocol):
    """Carries out trials."""

    def run(self, trials: Sequence[Trial], task: Task, ledger: Ledger) -> None:
        """Run the trials and tell the ledger of each that it finished or failed.

        Raises:
            InputError: Nothing can be run: the cluster is not there, the store's disk is full.
        """
        ...


@runtime_checkable
class Races(Protocol):
    """An engine that can run candidates against each other and stop the bad ones early."""

    def race(
        self,
        chains: Sequence[Sequence[Trial]],
        task: Task,
        ledger: Ledger,
        score: Score,
        known: Mapping[Trial, float],
    ) -> None:
        """Run chains of trials, each one's trials in order; a chain that does badly beside the others is stopped.

        Args:
            chains: One per candidate, all of the same length.
            task: The task of all trials.
            ledger: Is told of each trial.
            score: Returns a trial's score, the lower the better; called where the trial ran.
            known: Scores of trials that are finished and are not run again.
        """
        ...
