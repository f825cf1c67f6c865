"""A stress test from end to end: which conditions apply, what is predicted, what comes of it, and the files."""

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from benchmark.metrics.families import FAMILIES
from benchmark.naming import LAYOUT, OWN, RELABEL, STEER, SWAP_USERS, joined, transfer_test
from benchmark.scores import predictions, results, tested
from benchmark.scores.results import Results
from benchmark.simulator import AttendsToLabel, LabelsItems, Steerable
from benchmark.stress import conditions as c
from benchmark.stress import records, rows
from benchmark.stress.records import StressResults, StressRow
from benchmark.stress.running import Bench, predict
from benchmark.stress.sources import Source, as_left, sources
from benchmark.stress.transferring import is_of, transferred
from benchmark.trials.content import made_from
from tasks.altered import Altered
from tasks.errors import InputError, require_known
from tasks.storage import write_errors
from tasks.task import Task
from tasks.types import Session

REFERENCES = ("shared-prompt", "backbone", "position-prior")
"""What a personal gain is compared with: the first of these that the run has; in a family apart also its prior."""

SHOWN = 4
"""Sessions whose screens are written."""

_SCREEN_INPUTS = ("image", "item places")


@dataclass(slots=True)
class Study:
    """One call of the stress verb: simulator -> its trials, oracles included, and the test sessions, fold by fold."""

    run: Path
    found: Results
    bench: Bench
    trials: Mapping[str, Sequence[Source]]
    sessions: Sequence[Session]
    _frames: dict[tuple[str, str], pa.Table] = field(default_factory=dict)

    @classmethod
    def of(cls, run: Path, bench: Bench, simulators: Sequence[str] | None = None) -> "Study":
        """Open a run with the bench of its task and split; None tests all of its simulators.

        InputError if there is no such run or simulator, or the data given is not the run's.
        """
        found = results.read(run)
        results.check_digest(found, bench.task, run)
        names = [row.name for row in found.simulators if row.name == row.base]
        require_known(f"simulator in {run}:", simulators or (), names)
        trials = sources(run, found, simulators)
        for source in (s for several in trials.values() for s in several):
            if not made_from(source.record, bench.task):
                raise InputError(
                    f"{run} was made from the same sessions with other screens, texts or boxes than the data given "
                    "has; give the run's own data (--data), or run again."
                )
        return cls(run, found, bench, trials, tested.of_task(bench.task, bench.split).sessions)

    def test(self, tests: Sequence[str], other: Task | None = None) -> StressResults:
        """Predict what is missing, compare, and write ``stress.json`` and the predictions.

        Tuned prompts are transferred to another task where one is given. InputError if a simulator cannot be had as its
        trial left it, or a file cannot be written.
        """
        before = records.read(self.run)  # first: a damaged file is reported before anything is computed
        if SWAP_USERS in tests:
            results.read_scores(self.run)
            priors = {one.prior for one in FAMILIES if one.apart}
            if not {row.name for row in self.found.simulators} & {*REFERENCES, *priors}:
                self.bench.report(
                    f"note: a gain is compared with {' or '.join(REFERENCES)}, none of which this run has."
                )
        reasons = {(test, name): self._why_not(test, name) for test in tests for name in self.trials}
        wanted = {
            name: [condition for test in tests if not reasons[test, name] for condition in c.CONDITIONS[test]]
            for name in self.trials
        }
        predict(self.bench, self.trials, wanted)
        new: list[StressRow] = []
        for test in tests:
            for name in self.trials:
                reason = reasons[test, name]
                new += [rows.not_applicable(test, name, reason)] if reason else self._rows(test, name)
        if other is not None:
            new += transferred(self.bench, self.trials, sources(self.run, self.found), other)
        self._write_predictions()
        every = records.merged(self._still_true(before) if before is not None else [], new)
        notice = joined([self.found.notice, *(row.notice for row in every)])
        found = StressResults(self.found.task, self.found.split, self.found.digest, self.bench.seed, notice, every)
        records.write(self.run, found)
        return found

    def _still_true(self, before: StressResults) -> list[StressRow]:
        """Return the rows of an earlier test that are about the same trials and conditions."""
        if (before.digest, before.seed) != (self.found.digest, self.bench.seed):
            return []
        every = sources(self.run, self.found)
        there = {
            name: all(self.bench.read(source, OWN) is not None for source in several) for name, several in every.items()
        }
        applies = {row.simulator for row in before.rows if row.value is not None}

        def holds(row: StressRow) -> bool:
            if row.simulator not in every:
                return False
            if row.simulator not in applies or there[row.simulator]:
                return True
            # A transfer to another task needs no prediction on the unaltered stimuli of this one.
            return row.test.startswith(transfer_test("")) and is_of(self.bench, row, every[row.simulator])

        return [row for row in before.rows if holds(row)]

    def _why_not(self, test: str, name: str) -> str:
        """Return why a test does not apply to a simulator, empty if it does."""
        first = self.trials[name][0]
        if first.oracle:
            return "An oracle is handed the recording itself, not a stimulus that could be altered."
        if test == SWAP_USERS and len(self.bench.users) < 2:
            return "The split has one test user; there is nobody to swap with."
        built = self.bench.catalogue.build(name, first.settings)
        if test == c.LABEL_LEAK and not isinstance(built, AttendsToLabel):
            return "It computes no attention for a label that it is offered."
        if test == STEER and not isinstance(built, Steerable):
            return "It has no heads of attention that could be pushed."
        if test in (RELABEL, LAYOUT):
            try:
                stimulus = self.sessions[0].stimulus()
                c.alter(test, stimulus, self.bench.digest, self.bench.drawing, self.bench.seed)
            except InputError as error:
                return f"It cannot be done on {self.found.task}: {error}"
        return ""

    def _frame(self, name: str, condition: str) -> pa.Table:
        """Return a simulator's predictions under a condition, all seeds and folds."""
        key = (name, condition)
        if key not in self._frames:
            parts = [self.bench.read(source, condition) for source in self.trials[name]]
            self._frames[key] = predictions.joined(part for part in parts if part is not None)
        return self._frames[key]

    def _rows(self, test: str, name: str) -> list[StressRow]:
        frames = {OWN: self._frame(name, OWN)}
        frames |= {condition: self._frame(name, condition) for condition in c.CONDITIONS[test]}
        sessions = {s.session_id: s for s in self.sessions}
        made = self.bench.digest, self.bench.seed
        scores = rows.scored(self.bench.task, self.bench.split, frames)
        if test in (RELABEL, LAYOUT):
            how = self.bench.digest, self.bench.drawing, self.bench.seed
            changed = (c.alter(test, s.stimulus(), *how, draw=False) for s in self.sessions)
            altered = {one.stimulus.session_id: one for one in changed}
            labels = self._labels(name, altered) if test == RELABEL else slot_labels(self.sessions, altered)
            following = rows.followed(frames[OWN], frames[test], altered, sessions, labels)
            if test == RELABEL:
                return rows.relabel(name, following, scores, self.bench.task.answer_format)
            row = next(row for row in self.found.simulators if row.name == name)
            sees_screen = not row.sees or any(word in _SCREEN_INPUTS for word in row.sees)
            return rows.layout(name, following, scores, sees_screen)
        if test == SWAP_USERS:
            unchanged = rows.same_predictions(frames[OWN], frames[test])
            return rows.swap_users(name, scores, self._references(name), unchanged=unchanged)
        if test == STEER:
            return rows.steer(name, frames, {s.session_id: (s, c.steered_to(s, *made)) for s in self.sessions})
        wrong = {s.session_id: c.wrong_label(s, *made) for s in self.sessions}
        return rows.label_leak(name, scores, rows.on_offered(frames, self.sessions, wrong))

    def _labels(self, name: str, altered: Mapping[str, Altered]) -> rows.Labels:
        """Return by what a simulator names each slot, before and after; for most the labels of the screen."""
        first = self.trials[name][0]
        if not isinstance(self.bench.catalogue.build(name, first.settings), LabelsItems):
            return slot_labels(self.sessions, altered)
        found: dict[tuple[int, str], tuple[Sequence[str], Sequence[str]]] = {}
        for source in self.trials[name]:
            train, test = self.bench.fold(source.fold)
            with as_left(source, self.bench.catalogue, train, report=self.bench.report) as simulator:
                assert isinstance(simulator, LabelsItems)
                for s in test:
                    pair = simulator.labels(s.stimulus()), simulator.labels(altered[s.session_id].stimulus)
                    found[source.seed, s.session_id] = pair
        return lambda seed, session_id: found[seed, session_id]

    def _references(self, name: str) -> dict[str, pd.DataFrame]:
        """Return the run's scores of what a personal gain is compared with."""
        there = {row.name for row in self.found.simulators}
        chosen = [other for other in REFERENCES if other in there and other != name][:1]
        chosen += [one.prior for one in FAMILIES if one.apart and one.prior in there and one.prior != name]
        scores = results.read_scores(self.run)
        return {other: scores[scores["simulator"] == other] for other in chosen}

    def _write_predictions(self) -> None:
        """Write one predictions file per condition, of all simulators of the run that are complete under it."""
        about = {"task": self.found.task, "split": self.found.split, "digest": self.found.digest}
        about |= {"notice": self.found.notice, "seed": str(self.bench.seed)}
        every = sources(self.run, self.found)
        for condition in itertools.chain.from_iterable(c.CONDITIONS.values()):
            part = functools.partial(self.bench.part, condition=condition)
            self.bench.write_complete(self.bench.folder / condition, every, part, {**about, "condition": condition})


def slot_labels(sessions: Sequence[Session], altered: Mapping[str, Altered]) -> rows.Labels:
    """Return the labels of the screen before and after, the same for every seed."""
    found = {
        s.session_id: (
            tuple(slot.label for slot in s.slots),
            tuple(slot.label for slot in altered[s.session_id].stimulus.slots),
        )
        for s in sessions
    }
    return lambda seed, session_id: found[session_id]


def write_screens(folder: Path, sessions: Sequence[Session], bench: Bench, count: int = SHOWN) -> list[Path]:
    """Write the screens of ``count`` sessions, evenly spaced, as they were seen, relabelled and mirrored.

    Returns the files: ``<number>-<session>-seen.png``, ``-relabel.png`` and ``-layout.png``. InputError if the sessions
    have no screens, the task cannot draw labels, or a file cannot be written.
    """
    chosen = [sessions[i * len(sessions) // count] for i in range(min(count, len(sessions)))]
    written = []
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, session in enumerate(chosen, start=1):
            stimulus = session.stimulus()
            if stimulus.image is None:
                raise InputError(f"session {session.session_id} has no screen; prepare the task with images.")
            images = {"seen": stimulus.image}
            for condition in (RELABEL, LAYOUT):
                image = c.alter(condition, stimulus, bench.digest, bench.drawing, bench.seed).stimulus.image
                assert image is not None
                images[condition] = image
            name = re.sub(r"[^0-9A-Za-z_-]", "_", session.session_id)[:60]
            for word, image in images.items():
                path = folder / f"{number}-{name}-{word}.png"
                image.open().save(path, format="PNG")
                written.append(path)
    return written
