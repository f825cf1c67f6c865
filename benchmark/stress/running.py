"""Shows altered stimuli to the simulators of a finished run and keeps what they predict.

Every part (a trial under a condition) is a file that is there whole or not at all, named by the digest of what it was
made from; parts that are there are not made again. Before a trial's first part its simulator is shown the unaltered
stimuli: it must predict what the trial predicted, or nothing of it can be trusted.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from benchmark.engines.asking import ask, asked_for
from benchmark.engines.resources import threads
from benchmark.files.replacing import replace_file
from benchmark.naming import OWN, STEER, STEER_RANDOM, TRUE_LABEL, WRONG_LABEL, joined
from benchmark.parts import PARTS
from benchmark.parts.ragged import apart
from benchmark.scores import predictions, reading, tested
from benchmark.scores.checking import simulated
from benchmark.simulator import AttendsToLabel, Prediction, Simulator, Steerable
from benchmark.stress.conditions import VERSION, moved_to, steered_to, stimuli, wrong_label
from benchmark.stress.sources import Source, as_left
from benchmark.trials.catalogue import Catalogue
from tasks.altered import SEED, generator
from tasks.definition import LabelDrawing, Progress, quiet
from tasks.errors import InputError
from tasks.task import Task
from tasks.types import Session, Stimulus, visits

STORED_OWN = "unaltered"
"""What the names of kept parts call ``OWN``; parts that were made before stay valid."""

TOLERANCE = 1e-9
"""Predictions on unaltered stimuli may differ by this much from the stored ones; on one machine they are equal."""


@dataclass
class Bench:
    """Where (``RUN/stress``) and how the parts of a stress test are made; ``report`` gets lines for people."""

    task: Task
    split: str
    folder: Path
    catalogue: Catalogue
    drawing: LabelDrawing | None
    seed: int = SEED
    report: Callable[[str], None] = lambda line: None
    progress: Progress = quiet

    @property
    def digest(self) -> str:
        """Digest of the task's sessions and the split."""
        return self.task.digests[self.split]

    @cached_property
    def users(self) -> tuple[str, ...]:
        """All test users of the split, sorted."""
        return tuple(sorted({s.user for s in tested.of_task(self.task, self.split).sessions}))

    def fold(self, number: int) -> tuple[list[Session], list[Session]]:
        """Return training and test sessions of a fold."""
        train, test = self.task.split(self.split).folds[number]
        return self.task.sessions_at(train), self.task.sessions_at(test)

    def part(self, source: Source, condition: str) -> Path:
        """Return where the predictions of a trial under a condition are, or will be."""
        stored, seed = (STORED_OWN, 0) if condition == OWN else (condition, self.seed)
        return self.part_of(source.identity, stored, self.digest, seed)

    def part_of(self, *made_from: object) -> Path:
        """Return the file of a part that is made from some JSON values."""
        text = json.dumps([VERSION, *made_from], sort_keys=True)
        return self.folder / "parts" / f"{hashlib.sha256(text.encode('ascii')).hexdigest()[:24]}.parquet"

    def read(self, source: Source, condition: str) -> pa.Table | None:
        """Return the predictions of a trial under a condition, see ``read_part``."""
        return self.read_part(self.part(source, condition))

    def read_part(self, path: Path) -> pa.Table | None:
        """Return the predictions in a file, None if it is not there, or is damaged, which is reported."""
        if not path.is_file():
            return None
        try:
            return reading.stored(path)
        except InputError as error:
            self.report(f"{path} is damaged ({error}) and is made again.")
            return None

    def write_complete(
        self,
        folder: Path,
        trials: Mapping[str, Sequence[Source]],
        part: Callable[[Source], Path],
        about: Mapping[str, str],
    ) -> None:
        """Write ``predictions.parquet`` of all simulators that have the parts of all their trials.

        ``part`` says where the part of a trial is. To ``about``, which the file says of itself, are added the
        identities of the trials and what must be said of their simulators.
        """
        frames: list[pa.Table] = []
        complete: dict[str, Sequence[Source]] = {}
        for name, several in trials.items():
            parts = [found for source in several if (found := self.read_part(part(source))) is not None]
            if several and len(parts) == len(several):
                frames += parts
                complete[name] = several
        if frames:
            notice = joined([about["notice"], *(source.notice for several in complete.values() for source in several)])
            identities = {name: [source.identity for source in several] for name, several in complete.items()}
            keep(
                folder / "predictions.parquet",
                predictions.joined(frames),
                {**about, "notice": notice, "trials": json.dumps(identities)},
            )


def keep(path: Path, made: pa.Table, about: Mapping[str, str]) -> None:
    """Write predictions in one step."""
    replace_file(path, lambda partial: predictions.write(made, partial, about))


def predict(bench: Bench, trials: Mapping[str, Sequence[Source]], wanted: Mapping[str, Sequence[str]]) -> None:
    """Make the parts that are missing, of each simulator under the conditions that apply to it.

    InputError if a simulator cannot be restored, or does not predict again what its trial predicted.
    """
    asked = [(source, wanted[name]) for name, found in trials.items() for source in found if wanted[name]]
    for source, _ in asked:
        stored_predictions(source)  # first: a damaged file is reported before anything is computed
    steps = [(s, c) for s, conditions in asked for c in (OWN, *conditions) if bench.read(s, c) is None]
    if len(steps) < sum(1 + len(conditions) for _, conditions in asked):
        bench.report("what was predicted before under the same conditions is kept.")
    for number, (source, condition) in enumerate(steps, start=1):
        where = f"{source.simulator}, seed {source.seed}, fold {source.fold}"
        bench.report(f"{number} of {len(steps)}: {where}: {condition}")
        made = _part(bench, source, condition)
        if condition == OWN:
            require_same(source, made)
        about = {"condition": condition, "trial": source.identity, "digest": bench.digest, "seed": str(bench.seed)}
        keep(bench.part(source, condition), made, {**about, "notice": bench.task.notice})


def _part(bench: Bench, source: Source, condition: str) -> pa.Table:
    train, test = bench.fold(source.fold)
    with (
        threads(source.threads),
        as_left(source, bench.catalogue, train, report=bench.report, progress=bench.progress) as simulator,
    ):
        if condition in (TRUE_LABEL, WRONG_LABEL):
            assert isinstance(simulator, AttendsToLabel)
            right = condition == TRUE_LABEL
            clicks = [s.click if right else wrong_label(s, bench.digest, bench.seed) for s in test]
            rows = simulator.attend_to_label([replace(s, click=c) for s, c in zip(test, clicks, strict=True)])
        elif condition in (STEER, STEER_RANDOM):
            assert isinstance(simulator, Steerable)
            slots = [steered_to(s, bench.digest, bench.seed) for s in test]
            drawn = generator(STEER_RANDOM, bench.digest, source.identity, bench.seed)
            random = drawn if condition == STEER_RANDOM else None
            rows = simulator.steer([s.stimulus() for s in test], slots, random)
        else:
            shown = [s.stimulus() for s in test]
            if condition != OWN:
                shown = stimuli(condition, test, bench.users, bench.digest, bench.drawing, bench.seed)
            rows = _along(simulator, shown, test, condition, f"{source.where} ({condition})")
    asked_for(test, rows, f"{source.where} ({condition})")
    return simulated(rows, test, source.simulator, source.seed, f"{source.simulator}, {condition}")


def _along(
    simulator: Simulator, shown: Sequence[Stimulus], test: Sequence[Session], condition: str, where: str
) -> list[Prediction]:
    """Ask about altered stimuli: the recorded path goes where its items went, and the answers are brought back.

    So ``next_visit`` speaks of the slots as recorded, and is compared with the path as recorded.
    """
    moved = [moved_to(condition, session) for session in test]
    paths = [[v._replace(slot=to[v.slot]) for v in visits(s)] for s, to in zip(test, moved, strict=True)]
    return [
        row if row.next_visit is None else replace(row, next_visit=row.next_visit[:, [*to, len(to)]])
        for row, to in zip(ask(simulator, shown, paths, where), moved, strict=True)
    ]


def stored_predictions(source: Source) -> pa.Table:
    """Return what a trial predicted, without attention for the true click; InputError if the file is damaged."""
    try:
        stored = reading.stored(source.folder / "predictions.parquet")
    except InputError as error:
        raise InputError(f"the predictions of {source.where} are damaged ({error}); run again.") from error
    return stored.filter(pc.not_equal(stored["target"], "label"))


def require_same(source: Source, made: pa.Table) -> None:
    """Refuse a simulator that does not predict again, up to ``TOLERANCE``, what its trial predicted."""
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
