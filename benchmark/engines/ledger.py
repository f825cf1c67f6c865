"""What an engine tells of its trials is written down in the store, and shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.engines.interface import Failure, Files, Outcome
from benchmark.engines.tally import Standing, Tally
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import Trial
from tasks.definition import Progress, quiet

Report = Callable[[str], None]
Display = Callable[[Standing], None]
Track = Callable[[Trial, int, Mapping[str, float]], None]
"""Takes what an epoch of a trial came to."""


@dataclass(frozen=True, slots=True)
class FailedTrial:
    """A trial that failed, the last line of its log, and where the log is."""

    trial: Trial
    line: str
    log: Path

    def __str__(self) -> str:
        """Return it as one line of a list."""
        trial = self.trial
        return f"{trial.simulator}, seed {trial.seed}, fold {trial.fold} ({trial.identity()}): {self.line} [{self.log}]"


@dataclass(slots=True)
class Ledger:
    """Writes down in the store what an engine tells, and shows how far the run has come; see ``run_missing``.

    ``done`` are the finished trials, ``failed`` those that failed so far; ``report`` gets no line twice.
    """

    store: TrialStore
    tally: Tally
    report: Report
    display: Display
    progress: Progress = quiet
    after: "Callable[[Ledger], None]" = lambda ledger: None
    measured: Track = lambda trial, epoch, values: None
    done: set[Trial] = field(default_factory=set)
    failed: list[FailedTrial] = field(default_factory=list)
    begun: bool = False
    _said: set[str] = field(default_factory=set)

    def start(self, trial: Trial, where: str) -> tuple[Path, Path]:
        """Make the trial's folders."""
        self.begun = True
        folders = self.store.begin(trial, where)
        self.tally.start(trial)
        self.display(self.tally.standing())
        return folders

    def keep(self, trial: Trial, state: Files) -> None:
        """Store a checkpoint that was made elsewhere, in place of the one before."""
        self.store.keep(trial, state)

    def say(self, trial: Trial, line: str) -> None:
        """Keep a line in the trial's log and pass it on, once: most of what is said holds for all of a simulator's."""
        self.store.log(trial, line)
        if line not in self._said:
            self._said.add(line)
            self.report(line)

    def step(self, trial: Trial, text: str) -> None:
        """Show how far a trial has come."""
        self.tally.step(trial, text)
        self.display(self.tally.standing())

    def finish(self, trial: Trial, outcome: Outcome, artifacts: Files | None = None) -> None:
        """Store a finished trial; ``artifacts`` if they were not written to its folder."""
        self.store.put(trial, outcome, artifacts)
        self.done.add(trial)
        self.tally.finish(trial)
        self.display(self.tally.standing())
        self.after(self)

    def fail(self, trial: Trial, failure: Failure) -> None:
        """Note a failure."""
        if not self.store.working(trial).is_dir():
            self.store.begin(trial)
        failed = FailedTrial(trial, failure.line, self.store.fail(trial, failure))
        self.failed.append(failed)
        self.tally.fail(trial)
        self.report(f"failed: {failed}")
        self.display(self.tally.standing())
        self.after(self)
