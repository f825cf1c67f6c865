"""The order of looking under stress: the path is altered with the screen, and another user's habits fit worse."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from benchmark.naming import LAYOUT, SWAP_USERS
from benchmark.runs.runner import run
from benchmark.scores import predictions, reading, scoring
from benchmark.simulator import Prediction
from benchmark.stress import records
from benchmark.stress.conditions import moved_to
from benchmark.stress.study import Study
from benchmark.trials.configuration import RunConfig
from tasks.definition import Reading
from tasks.types import Fixation
from tests.benchmark.stress.conftest import bench
from tests.benchmark.stress.toys import Catalogue
from tests.benchmark.toys import ToyEntry
from tests.mini import DEFINITION, USERS, build, make_session

PATHS = {user: (0, 1, 2, 3) if i < 4 else (0, 2, 1, 3) for i, user in enumerate(USERS)}


def sure_of(slots: int, slot: int):
    row = np.full(slots + 1, 0.1)
    row[slot] = 1.0
    return row / row.sum()


@dataclass
class Reader:
    """Goes on to the right of where it is."""

    def fit(self, train, seed):
        pass

    def follow(self, stimulus, visited):
        left = [slot.box[0] for slot in stimulus.slots]
        here = left[visited[-1].slot] if visited else -1.0
        onwards = [i for i, x in enumerate(left) if x > here]
        return sure_of(len(left), min(onwards, key=left.__getitem__) if onwards else len(left))


@dataclass
class Fan:
    """Goes from film to film by their names, wherever they are."""

    def fit(self, train, seed):
        pass

    def follow(self, stimulus, visited):
        texts = [slot.text for slot in stimulus.slots]
        after = f"Film {int(texts[visited[-1].slot][-1]) + 1 if visited else 0}"
        return sure_of(len(texts), texts.index(after) if after in texts else len(texts))


@dataclass
class Habit:
    """Goes where its user went from there in training."""

    def fit(self, train, seed):
        slots = {s.user: [f.slot for f in s.fixations] for s in train}
        self.next = {user: {None: path[0], **dict(zip(path, path[1:], strict=False))} for user, path in slots.items()}

    def follow(self, stimulus, visited):
        here = visited[-1].slot if visited else None
        return sure_of(len(stimulus.slots), self.next[stimulus.user].get(here, len(stimulus.slots)))


class Walkers(Catalogue):
    entries = {name: ToyEntry(name, f"{__name__}:{name.capitalize()}") for name in ("reader", "fan", "habit")}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walks")

    def read(raw, options, progress):
        rows = [make_session(user, screen, np.full(4, 100.0), screen) for user in USERS for screen in range(3)]
        for i, row in enumerate(rows):
            path = enumerate(PATHS[row.user])
            rows[i] = replace(row, fixations=tuple(Fixation(slot, 100.0 * at, 100.0) for at, slot in path))
        return Reading(rows, read=len(rows), dropped={}, notes=[])

    task = build(folder, replace(DEFINITION, read=read))
    config = RunConfig("mini", split="kfold", simulators=("reader", "fan", "habit"), seeds=(1,), reference="reader")
    results = run(config, task, Walkers(), folder / "run")
    catalogued = replace(bench(task, folder / "run"), catalogue=Walkers())
    return results, Study.of(folder / "run", catalogued).test((SWAP_USERS, LAYOUT)), folder / "run", task


def rows(found, test, name):
    return {row.measure: row for row in found[1].rows if (row.test, row.simulator) == (test, name)}


def test_it_has_a_family_of_its_own_in_the_results(found):
    assert found[0].family[-1] == "NextSlot"
    assert {c.metric for c in found[0].comparisons} == {"NextSlot", "NextHit@1", "Stop"}
    means = {row.name: row.metrics["NextSlot"].mean for row in found[0].simulators}
    assert means["habit"] == pytest.approx((math.log2(1.3) + 3 * math.log2(1.2)) / 4) and means["habit"] < means["fan"]


def test_uniform_alone_brings_no_metric_of_the_family(found, mini):
    said = predictions.chosen(reading.stored(found[2] / "predictions.parquet"), simulator="reader")
    assert "NextSlot" in scoring.score(found[3], "kfold", said)
    alone = predictions.renamed(said, simulator="uniform")
    assert not {"NextSlot", "Stop"} & set(scoring.score(found[3], "kfold", alone))
    # Nor does anybody where no path was recorded, which is said.
    rows = [Prediction(s.session_id, next_visit=np.full((1, 5), 0.2)) for s in mini.sessions_at(range(len(mini)))]
    said = predictions.of_rows(rows, "reader", 1)
    assert "NextSlot" not in scoring.score(mini, "kfold", said) and scoring.unrecorded(found[3], "kfold", said) == ""
    assert scoring.unrecorded(mini, "kfold", said).startswith("21 of 21 test sessions have no recorded fixations")


def test_a_personal_model_of_steps_knows_its_user(found):
    own = rows(found, SWAP_USERS, "habit")["NextSlot↓: own minus swapped"]
    # Seven users on three screens can hardly show it: with both as random factors p has two degrees of freedom.
    assert own.value < -1 and own.p < 0.2 and "NextSlot" in own.reading
    assert rows(found, SWAP_USERS, "reader")["not applicable"].n == 0


def test_mirrored_screens_show_who_reads_and_who_follows_the_items(found):
    worse = rows(found, LAYOUT, "reader")["NextSlot↓: after minus before"]
    assert worse.value > 1 and next(iter(rows(found, LAYOUT, "reader").values())) == worse
    shown = records.document(found[1], (LAYOUT,))
    assert shown.legend[-1] == "NextSlot: given the path so far."
    assert rows(found, LAYOUT, "fan")["NextSlot↓: after minus before"].value == 0
    stored = reading.stored(found[2] / "stress" / LAYOUT / "predictions.parquet").to_pylist()
    row = next(r for r in stored if r["simulator"] == "fan")
    assert np.argmax(row["next_visit"], axis=1).tolist()[:2] == [0, 1]  # brought back to the slots as recorded
    assert moved_to(LAYOUT, found[3].sessions_at([0])[0]) == [3, 2, 1, 0]
