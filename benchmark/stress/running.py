"""Shows altered stimuli to the simulators of a finished run and keeps what they predict.

Every part (a trial under a condition) is a file that is there whole or not at all, named by the digest of what it was
made from; parts that are there are not made again. Before a trial's first part its simulator is shown the unaltered
stimuli: it must predict what the trial predicted, or nothing of it can be trusted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.engines.resources import threads
from benchmark.files.replacing import replace_file
from benchmark.naming import OWN
from benchmark.parts import PARTS
from benchmark.parts.ragged import apart
from benchmark.scores import predictions, reading
from benchmark.scores.checking import simulated
from benchmark.simulator import AttendsToLabel, Prediction, Simulator
from benchmark.stress.conditions import SEED, TRUE_LABEL, VERSION, WRONG_LABEL, shown, wrong_label
from benchmark.stress.sources import Source, as_left
from benchmark.trials.catalogue import Catalogue
from tasks.definition import LabelDrawing, Progress, quiet
from tasks.errors import InputError
from tasks.storage import write_errors
from tasks.types import Session, Stimulus

if TYPE_CHECKING:
    import pyarrow as pa

    from tasks.task import Task

STORED_OWN = "unaltered"
"""What the names of kept parts call ``OWN``; parts that were made before stay valid."""

TOLERANCE = 1e-9
"""Predictions on unaltered stimuli may differ by this much from the stored ones; on one machine they are equal."""


def read_part(path: Path, report: Callable[[str], None]) -> pa.Table | None:
    """Return the predictions in a file, None if it is not there, or is damaged, which is reported."""
    if not path.is_file():
        return None
    try:
        return reading.stored(path)
    except InputError as error:
        report(f"{path} is damaged ({error}) and is made again.")
        return None


@dataclass(slots=True)
class Bench:
    """Where and how the parts of a stress test are made.

    Attributes:
        task: The loaded task of the run.
        split: The run's split.
        folder: ``RUN/stress``.
        catalogue: Builds simulators.
        drawing: How the task draws labels, None if it does not say.
        seed: Of the conditions.
        report: Is told lines for the person at the terminal.
        progress: Wraps the steps of a fit.
    """

    task: Task
    split: str
    folder: Path
    catalogue: Catalogue
    drawing: LabelDrawing | None
    seed: int = SEED
    report: Callable[[str], None] = lambda line: None
    progress: Progress = quiet
    _users: tuple[str, ...] = field(default=(), init=False)

    @property
    def digest(self) -> str:
        """Digest of the task's sessions and the split."""
        return self.task.digests[self.split]

    @property
    def users(self) -> tuple[str, ...]:
        """All test users of the split, sorted."""
        if not self._users:
            tested = [i for _, test in self.task.split(self.split).folds for i in test]
            self._users = tuple(sorted({s.user for s in self.task.sessions_at(tested)}))
        return self._users

    def fold(self, number: int) -> tuple[list[Session], list[Session]]:
        """Return training and test sessions of a fold."""
        train, test = self.task.split(self.split).folds[number]
        return self.task.sessions_at(train), self.task.sessions_at(test)

    def part(self, source: Source, condition: str) -> Path:
        """Return where the predictions of a trial under a condition are, or will be."""
        stored, seed = (STORED_OWN, 0) if condition == OWN else (condition, self.seed)
        made_from = [VERSION, source.identity, stored, self.digest, seed]
        name = hashlib.sha256(json.dumps(made_from).encode("ascii")).hexdigest()[:24]
        return self.folder / "parts" / f"{name}.parquet"

    def read(self, source: Source, condition: str) -> pa.Table | None:
        """Return the predictions of a part, None if it is not there, or is damaged and will be made again."""
        return read_part(self.part(source, condition), self.report)

    def keep(self, source: Source, condition: str, made: pa.Table) -> None:
        """Write a part in one step."""
        path = self.part(source, condition)
        with write_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        about = {"condition": condition, "trial": source.identity, "digest": self.digest, "seed": str(self.seed)}
        replace_file(path, lambda partial: predictions.write(made, partial, {**about, "notice": self.task.notice}))


def predict(bench: Bench, trials: Mapping[str, Sequence[Source]], wanted: Mapping[str, Sequence[str]]) -> None:
    """Make the parts that are missing.

    Args:
        bench: Where and how.
        trials: Simulator -> its trials.
        wanted: Simulator -> the conditions that apply to it.

    Raises:
        InputError: A simulator cannot be restored, or does not predict again what its trial predicted.
    """
    asked = [(source, wanted[name]) for name, found in trials.items() for source in found if wanted[name]]
    for source, _ in asked:
        stored_predictions(source)  # first: a damaged file is told before anything is computed
    steps = [(s, c) for s, conditions in asked for c in (OWN, *conditions) if bench.read(s, c) is None]
    if len(steps) < sum(1 + len(conditions) for _, conditions in asked):
        bench.report("what was predicted before under the same conditions is kept.")
    for number, (source, condition) in enumerate(steps, start=1):
        where = f"{source.simulator}, seed {source.seed}, fold {source.fold}"
        bench.report(f"{number} of {len(steps)}: {where}: {condition}")
        made = _part(bench, source, condition)
        if condition == OWN:
            require_same(source, made)
        bench.keep(source, condition, made)


def _part(bench: Bench, source: Source, condition: str) -> pa.Table:
    """Return the predictions of a trial's test sessions under a condition, from a simulator of its own."""
    train, test = bench.fold(source.fold)
    with (
        threads(source.threads),
        as_left(source, bench.catalogue, train, report=bench.report, progress=bench.progress) as simulator,
    ):
        if condition in (TRUE_LABEL, WRONG_LABEL):
            rows = _attended(bench, simulator, test, condition)
        elif condition == OWN:
            rows = simulator.simulate([s.stimulus() for s in test])
        else:
            rows = simulator.simulate(list(stimuli(bench, test, condition)))
    if [row.session_id for row in rows] != [s.session_id for s in test]:
        raise InputError(f"{source.where} returned predictions for other sessions than it was shown ({condition}).")
    return simulated(rows, test, source.simulator, source.seed, f"{source.simulator}, {condition}")


def stimuli(bench: Bench, test: Sequence[Session], condition: str) -> tuple[Stimulus, ...]:
    """Return the stimuli of some test sessions under a condition that alters them."""
    return shown(condition, test, bench.users, bench.digest, bench.drawing, bench.seed).stimuli


def _attended(bench: Bench, simulator: Simulator, test: Sequence[Session], condition: str) -> list[Prediction]:
    """Return attention for a label that is offered: the true click, or a slot that was not clicked."""
    assert isinstance(simulator, AttendsToLabel)
    if condition == WRONG_LABEL:
        test = [replace(s, click=wrong_label(s, bench.digest, bench.seed)) for s in test]
    return simulator.attend_to_label(test)


def stored_predictions(source: Source) -> pa.Table:
    """Return what a trial predicted; attention for the true click is left out.

    Raises:
        InputError: The file is missing or damaged.
    """
    import pyarrow.compute as pc

    try:
        stored = reading.stored(source.folder / "predictions.parquet")
    except InputError as error:
        raise InputError(f"the predictions of {source.where} are damaged ({error}); run again.") from error
    return stored.filter(pc.not_equal(stored["target"], "label"))


def require_same(source: Source, made: pa.Table) -> None:
    """Refuse a simulator that does not predict again what its trial predicted.

    Raises:
        InputError: A number differs by more than ``TOLERANCE``.
    """
    stored = stored_predictions(source)
    if stored["session_id"].to_pylist() != made["session_id"].to_pylist():
        raise InputError(f"the trial of {source.where} predicted other sessions than the data given has; run again.")
    before, now = predictions.cells_of(stored), predictions.cells_of(made)
    for part in PARTS:
        worst = float(apart(before[part.name], now[part.name]).max(initial=0.0))
        if worst > TOLERANCE:
            how = f"{part.verb} up to {worst:.2g} apart" if part.depth else f"other {part.title}"
            raise InputError(
                f"{source.where} does not predict again what its trial predicted ({how}); run it again with this "
                "version on this machine, or leave it out with --simulators."
            )
