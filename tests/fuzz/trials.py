"""Stored trials whose files were damaged: never scored, named and run again, or unharmed."""

import json

import numpy as np

from benchmark.engines import Outcome
from benchmark.parts.ragged import ragged
from benchmark.scores.predictions import table
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore, read_files
from benchmark.trials.trial import expand
from tests.benchmark.toys import Toys
from tests.fuzz.bytes_of import damaged


def make(folder, task):
    """Store one trial; return the store and the trial."""
    (trial, *_) = expand(RunConfig("mini", simulators=("noisy",), reference="noisy", seeds=(1,)), task, Toys())
    keys = {"simulator": "noisy", "seed": 1, "session_id": ["a", "b"], "target": "none"}
    said = table(keys, {"answer": ragged([np.array([1.0]), np.array([2.0])])})
    store = TrialStore(folder)
    store.put(
        trial, Outcome(said, {"seconds": 1.5}, {"where": "here"}), {"fit/curve.txt": b"down", "drawn.json": b"{}"}
    )
    return store, trial


def case(store, trial, random):
    """Damage one file, and put it back."""
    folder = store.folder(trial)
    before = read_files(folder)
    name = sorted(before)[int(random.integers(len(before)))]
    content, said = damaged(before[name], random), []
    (folder / name).write_bytes(content)
    if store.waiting([trial], False, said.append):
        assert trial.identity() in said[0] and "\n" not in said[0]
    elif content != before[name]:
        assert name == "trial.json" and json.loads(content) == json.loads(before[name])
    for name, content in before.items():
        (folder / name).write_bytes(content)
