"""Tables as ``reproduce`` writes them, of toys on invented sessions."""

from __future__ import annotations

import dataclasses
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.reproduction.groups import Choice, groups_of, run_groups
from benchmark.reproduction.published import add_published
from benchmark.reproduction.section import read_layout
from benchmark.reproduction.table import ReproducedTable, build
from benchmark.simulator import Prediction
from benchmark.trials.catalogue import simulator_class
from benchmark.trials.store import TrialStore
from tasks.definition import Reading, ReadOptions, quiet
from tasks.prepare import prepare
from tasks.task import Task, open_folder
from tests import mini
from tests.benchmark.toys import ToyEntry, Toys

METRICS = "[CSH@1, CSH@3, TGO@1, TGO@3, Cosine, JS, KL, Accuracy, LogLoss, AUC]"
USERS = 9

LAYOUT = f"""
task: recgaze
simulators: [backbone, fixate, flat]
seeds: [1, 2, 3]
reference: backbone
family: [CSH@1, KL]
layout:
  part: main
  title: Three toys
  published: 1
  backbones: [qwen3-vl, internvl3.5]
  operators: [glimpse]
  rows: {{backbone: Backbone, fixate: FixATE, flat: Flat}}
  metrics: {METRICS}
  improvement: [fixate, backbone]
"""
"""A value table. The toys are called as the paper's simulators are, so that its values can be compared with theirs."""

TESTED = LAYOUT.replace("  improvement: [fixate, backbone]\n", "  kind: significance\n").replace(
    "rows: {backbone: Backbone, ", "rows: {"
)
"""The same as a table of significance, in which the reference has no row."""


@dataclass
class Fixed:
    """Attention and probabilities drawn for each session; nothing is learned and no seed is used."""

    backbone: str = ""
    operator: str = ""
    shift = 0.0

    def fit(self, train, seed):
        self.seed = 0

    def simulate(self, sessions):
        found = []
        for s in sessions:
            rng = np.random.default_rng([zlib.crc32(f"{s.session_id} {self.backbone}".encode()), self.seed])
            attention, p = rng.gamma(1.0, size=(2, len(s.slots))) + 0.01
            p[0] += self.shift
            found.append(Prediction(s.session_id, attention, p / p.sum(), int(p.argmax())))
        return found


@dataclass
class Seeded(Fixed):
    """As ``Fixed``, drawn again for every seed."""

    shift = 0.5

    def fit(self, train, seed):
        self.seed = seed


@dataclass
class Flat(Fixed):
    """The same for every slot: everything is a tie."""

    def simulate(self, sessions):
        return [Prediction(s.session_id, p := np.ones(len(s.slots)) / len(s.slots), p) for s in sessions]


class Catalogue(Toys):
    entries = {
        "backbone": ToyEntry("backbone", f"{__name__}:Fixed"),
        "fixate": ToyEntry("fixate", f"{__name__}:Seeded", stochastic=True),
        "flat": ToyEntry("flat", f"{__name__}:Flat"),
    }

    def build(self, name, settings):
        return simulator_class(self.entry(name).factory)(**settings)


def read(raw, options, progress):
    rng = np.random.default_rng(11)
    found = []
    for user in range(USERS):
        for screen in range(2):
            gaze = rng.gamma(1.0, 400.0, size=4) + 1
            found.append(mini.make_session(f"u{user}", screen, gaze, int(rng.integers(4))))
    return Reading(found, read=len(found), dropped={}, notes=[])


def task(folder: Path) -> Task:
    """Prepare a task; in its split ``loo`` every user has one test session, in ``kfold`` two."""
    info = dataclasses.replace(mini.DEFINITION.info, name="recgaze")
    definition = dataclasses.replace(mini.DEFINITION, info=info, read=read)
    (folder / "raw").mkdir()
    (folder / "raw" / "events.csv").write_text("invented\n")
    prepare(definition, folder / "raw", folder / "out", ReadOptions(simulated=True), quiet, lambda line: None)
    return open_folder(definition, folder / "out")


def tables(folder: Path, of: Task) -> dict[str, ReproducedTable]:
    """Return the value table, the same next to the paper's values, and the table of significance.

    Args:
        folder: Where layouts and trials are kept.
        of: The task.
    """
    found = {}
    for name, text in (("toys", LAYOUT), ("tested", TESTED)):
        path = folder / f"{name}.yaml"
        path.write_text(text)
        layout = read_layout(path)
        groups = groups_of(layout, Choice({"qwen3-vl": "pocket-qwen3vl", "internvl3.5": "pocket-internvl"}))
        ran = run_groups(groups, lambda name: of, Catalogue(), TrialStore(folder / "trials"))
        assert not ran.failed
        found[name] = build(layout, ran.found, ran.missing)
        if name == "toys":
            found["compared"] = add_published(found[name], layout)
    return found
