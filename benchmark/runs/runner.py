"""Runs what is missing of a run on an engine, keeps the store, scores what is complete."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from benchmark.engines.interface import Engine, SharesTrials
from benchmark.engines.ledger import Display, FailedTrial, Ledger, Report, Track
from benchmark.engines.local import LocalEngine
from benchmark.engines.tally import Tally
from benchmark.engines.trial import run_trial
from benchmark.parts import PARTS
from benchmark.runs import preflight
from benchmark.runs.planning import FILE as PLAN
from benchmark.runs.rounds import Rounds, ordered
from benchmark.scores import predictions, results, scoring, summary, table
from benchmark.scores.results import Results
from benchmark.trials.catalogue import Catalogue
from benchmark.trials.configuration import RunConfig, with_reference
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import Trial, expand
from tasks.definition import Progress, quiet
from tasks.errors import InputError
from tasks.task import Task

__all__ = ["FailedTrial", "TrialsFailed", "assemble", "run", "run_missing", "run_trial"]


class TrialsFailed(Exception):
    """Some trials of a run failed; ``results`` are of the simulators all of whose trials are there, if any."""

    def __init__(self, failed: Sequence[FailedTrial], found: Results | None) -> None:
        self.failed = tuple(failed)
        self.results = found
        super().__init__(f"{len(self.failed)} trials failed; the first: {self.failed[0]}")


def run_missing(
    trials: Sequence[Trial],
    task: Task,
    store: TrialStore,
    *,
    engine: Engine | None = None,
    force: bool = False,
    display: Display = lambda standing: None,
    progress: Progress = quiet,
    report: Report = lambda line: None,
    after: Callable[[Ledger], None] = lambda ledger: None,
    track: Track = lambda trial, epoch, values: None,
) -> list[FailedTrial]:
    """Run the trials that the store does not hold yet, round by round; another run at the store is waited for.

    They are carried out by ``engine``, by default in this process; with ``force`` finished trials run again, and every
    trial from its start. ``display`` is shown the state of the run whenever that changes, ``progress`` wraps the steps
    within a trial of this process, ``report`` gets lines for the person at the terminal and ``track`` what each epoch
    came to; ``after`` is called before the first trial, and whenever one has finished or failed.

    Returns the trials that failed. InputError if the engine cannot be used or would share out a trial otherwise than
    its identity says, or the store cannot be written.
    """
    for trial in trials:
        if trial.parallel != _parallel(engine, trial):
            said, done = (how or "one process" for how in (trial.parallel, _parallel(engine, trial)))
            raise InputError(
                f"a trial of {trial.simulator} is to be computed with {said}; the engine does so with {done}."
            )
    with store.lock(report):
        missing = store.waiting(ordered(trials), force, report)
        if force:
            for trial in missing:
                store.discard(trial)
        tally = Tally(missing)
        if len(missing) < len(trials):
            report(f"{len(trials) - len(missing)} of {len(trials)} trials were finished before and are kept.")
        for trial in trials:
            seconds = store.seconds(trial)
            if seconds is not None:
                tally.known.setdefault(trial.simulator, []).append(seconds)
        ledger = Ledger(store, tally, report, display, progress, after, track, set(trials) - set(missing))
        if missing:
            preflight.check(missing, task)
        after(ledger)
        if missing:
            display(tally.standing())
            (engine or LocalEngine()).run(missing, task, ledger)
        return ledger.failed


def _parallel(engine: Engine | None, trial: Trial) -> str:
    """Return how an engine shares out a trial among processes; empty if one process does it."""
    return engine.parallel(trial) if isinstance(engine, SharesTrials) else ""


def run(
    config: RunConfig,
    task: Task,
    catalogue: Catalogue,
    out: Path,
    *,
    engine: Engine | None = None,
    force: bool = False,
    display: Display = lambda standing: None,
    progress: Progress = quiet,
    report: Report = lambda line: None,
    show: Callable[[Results], None] = lambda found: None,
    track: Track = lambda trial, epoch, values: None,
) -> Results:
    """Run what is missing, score everything, and write and return the results.

    What is complete is scored, written and given to ``show`` after each round (one seed of every simulator), and if the
    run is interrupted. Finished trials in the folder ``out`` are reused if nothing that shapes them has changed. For
    the other arguments see ``run_missing``. InputError if a name is unknown, ``out`` is something else than a run's
    folder, or nothing can be run; TrialsFailed if some trials failed: the simulators that are complete are scored and
    written all the same.
    """
    catalogue.entry(config.reference)
    config = with_reference(config, report)
    trials = expand(config, task, catalogue)
    trials = [replace(trial, parallel=_parallel(engine, trial)) for trial in trials]
    if out.exists() and not (out.is_dir() and ((out / "trials").is_dir() or {p.name for p in out.iterdir()} <= {PLAN})):
        raise InputError(f"{out} exists and is not a run's folder; choose another with --out.")
    store = TrialStore(out / "trials")
    rounds = Rounds(config, trials)

    def score(part: RunConfig) -> None:
        show(_scored(part, task, catalogue, trials, store, out, report, rounds.notice(part)))
        rounds.note(part)

    def after(ledger: Ledger) -> None:
        rounds.done = ledger.done
        if not ledger.begun:  # what an earlier run has finished, it has shown
            _tell_replaced(config, out, report)
            rounds.note(rounds.part() or replace(config, seeds=()))
            return
        part = rounds.round({failure.trial.simulator for failure in ledger.failed})
        if part is not None and len(part.seeds) < len(config.seeds):
            score(part)

    showing: dict[str, Any] = {"force": force, "display": display, "progress": progress, "report": report}
    try:
        failed = run_missing(trials, task, store, engine=engine, after=after, track=track, **showing)
    except BaseException:
        part = rounds.part()
        if part is not None:
            with contextlib.suppress(InputError):  # what ended the run, such as a full disk, says more
                score(part)
        raise
    incomplete = {f.trial.simulator for f in failed}
    if incomplete:
        left_out = [name for name in config.simulators if name in incomplete]
        report(f"left out of the table for want of trials: {', '.join(left_out)}. The same command runs them again.")
    complete = tuple(name for name in config.simulators if name not in incomplete)
    found = None
    if complete:
        found = _scored(replace(config, simulators=complete), task, catalogue, trials, store, out, report)
    if failed:
        raise TrialsFailed(failed, found)
    assert found is not None
    return found


def _tell_replaced(config: RunConfig, out: Path, report: Report) -> None:
    """Say which simulators of the results in a folder the run leaves out."""
    try:
        before = [row.base for row in results.read(out).simulators]
    except InputError:
        return
    left_out = [name for name in dict.fromkeys(before) if name not in config.simulators]
    if left_out:
        report(
            f"replaces the results in {out}, which had {', '.join(left_out)} too; their trials are kept: name them "
            "again to have them in the table."
        )


def assemble(
    config: RunConfig, task: Task, catalogue: Catalogue, trials: Sequence[Trial], store: TrialStore
) -> tuple[Results, pd.DataFrame, pa.Table]:
    """Score the simulators and seeds of ``config``, all of whose trials are finished.

    Returned are the results, the scores per session, and the predictions.
    """
    mine = [trial for trial in trials if trial.simulator in config.simulators and trial.seed in config.seeds]
    said = predictions.joined(store.get(trial) for trial in mine)
    stated = {
        trial.simulator
        for trial in mine
        if "stated" in (trial.settings.get(part.name) for part in PARTS if part.stated)
    }
    scores = scoring.score(task, config.split, predictions.with_stated_apart(said, stated), config.ties)
    entries = {name: catalogue.entry(name) for name in config.simulators}
    settings = {trial.simulator: trial.settings for trial in mine}
    notices = [trial.notice for trial in mine]
    notices += [f"computed with {trial.parallel}" for trial in mine if trial.parallel]
    notices.append(scoring.unrecorded(task, config.split, said))
    notices.append("ties fall to the last slot" if config.ties == "last" else "")
    made_from = {name: [t.identity() for t in mine if t.simulator == name] for name in config.simulators}
    found = summary.build(config, task, scores, entries, settings, notices, made_from)
    return replace(found, stored={t.identity(): store.predictions_digest(t) for t in mine}), scores, said


def _scored(
    config: RunConfig,
    task: Task,
    catalogue: Catalogue,
    trials: Sequence[Trial],
    store: TrialStore,
    out: Path,
    report: Report,
    notice: str = "",
) -> Results:
    """Score what is finished and write the results."""
    found, scores, said = assemble(config, task, catalogue, trials, store)
    if notice:
        found = replace(found, notice="; ".join(filter(None, (found.notice, notice))))
    for line in results.failures(found):
        report(line)
    results.write(out, found, scores, said, table.page(found))
    return found
