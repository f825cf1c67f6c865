"""A trial: one simulator with one seed on one fold, and its identity."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmark.simulator import AttendsToLabel, CarriesNotice, FollowsPath, HasMaterial, Simulator
from benchmark.trials.catalogue import Catalogue, Entry, check_settings, full_settings, settings_in, source_digest
from benchmark.trials.configuration import RunConfig
from benchmark.trials.content import NEEDED, RECORDED, TEXTS, content_digests, has
from tasks.errors import InputError, require_known
from tasks.task import Task

PREDICTIONS_FORMAT = 3
"""Raised when the meaning of a stored prediction or of its identity changes; older trials are then run again."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that can change the outcome, and nothing that cannot (paths, source text, engine, workers).

    A setting that names material, such as a backbone's folder, enters the identity by the material's fingerprint alone.

    Attributes:
        digest: Digest of the task's sessions and this split.
        factory: See ``catalogue.Entry``; not part of the identity.
        settings: Every setting, defaults included.
        material: What else shapes the predictions: name -> fingerprint or behaviour version, such as a backbone's.
        behaviour: See ``catalogue.Entry``.
        label: Attention for the true click is computed too, where the simulator can.
        stimuli: Digest of what the task's stimuli show, ``content.ContentDigests``.
        recording: Column of the recordings, or ``texts``, that the simulator reads -> digest of its values.
        source: Digest of the source the simulator is made of: a note, not part of the identity.
        notice: What every output must say of this simulator; not part of the identity.
        parallel: How several processes share the trial's arithmetic, in the words of its engine; empty for one process,
            and then not part of the identity. Sums that are shared out differ in their last digits.
    """

    task: str
    version: str
    split: str
    digest: str
    simulator: str
    factory: str
    settings: Mapping[str, object] = field(hash=False)
    material: Mapping[str, str] = field(hash=False)
    oracle: bool
    seed: int
    fold: int
    behaviour: str
    label: bool = False
    stimuli: str = ""
    recording: Mapping[str, str] = field(default_factory=dict, hash=False)
    source: str = ""
    notice: str = ""
    parallel: str = ""

    def identity(self) -> str:
        """Return the name of the trial's folder: 24 hexadecimal digits of a SHA-256."""
        return hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()[:24]

    def record(self) -> dict[str, object]:
        """Return what makes up the identity, as JSON values."""
        left_out = {"factory", "source", "notice"} if self.parallel else {"factory", "source", "notice", "parallel"}
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in left_out}
        settings = {key: value for key, value in self.settings.items() if key not in self.material}
        return {"format": PREDICTIONS_FORMAT, **values, "settings": settings}


def expand(config: RunConfig, task: Task, catalogue: Catalogue) -> list[Trial]:
    """Return the trials of a run: simulators x seeds x folds; a deterministic simulator has one seed."""
    entries = [catalogue.entry(name) for name in config.simulators]
    check_settings(entries, config.settings)
    for seen, without in lacking(entries, task).items():
        remedy = "prepare the data with --texts, or leave" if seen == "texts" else "leave"
        raise InputError(
            f"the slots of {task.name} have no {seen}, which {', '.join(without)} would read: {remedy} these "
            "simulators out."
        )
    split = task.split(config.split)
    content = content_digests(task)
    trials: list[Trial] = []
    for entry in entries:
        built = catalogue.build(entry.name, settings_in(catalogue, entry, config.defaults, config.settings))
        first = Trial(
            task=task.name,
            version=task.version,
            split=split.name,
            digest=task.digests[split.name],
            simulator=entry.name,
            factory=entry.factory,
            settings=full_settings(built, entry.factory),
            material=built.material() if isinstance(built, HasMaterial) else {},
            oracle=entry.oracle,
            seed=config.seeds[0],
            fold=0,
            behaviour=entry.behaviour,
            notice=built.notice() if isinstance(built, CarriesNotice) else "",
            label=config.label and isinstance(built, AttendsToLabel),
            stimuli=content.stimuli,
            recording={column: content.recording[column] for column in _reads(entry.name, built)},
            source=source_digest(entry.factory),
        )
        for seed in config.seeds if entry.stochastic else config.seeds[:1]:
            trials += [dataclasses.replace(first, seed=seed, fold=fold) for fold in range(len(split.folds))]
    return trials


def lacking(entries: Sequence[Entry], task: Task) -> dict[str, list[str]]:
    """Return what a task's slots lack, ``texts`` or ``ratings`` -> the simulators that need it."""
    found = {}
    for seen, (called, _) in NEEDED.items():
        named = [entry.name for entry in entries if seen in entry.sees]
        if named and not has(task, seen):
            found[called] = named
    return found


def _reads(name: str, simulator: Simulator) -> tuple[str, ...]:
    """Return the columns of recordings, and the texts, that a simulator reads; all of them if it does not say.

    One that follows a path is handed the recorded one, whatever it was fitted on.
    """
    known = (*RECORDED, TEXTS)
    reads = getattr(simulator, "reads", known)
    if not isinstance(reads, tuple):
        raise InputError(f"{name}: reads must be a tuple of columns, such as ('gaze_ms', 'click').")
    require_known(f"column in reads of {name}:", map(str, reads), known)
    return (*reads, "fixations") if isinstance(simulator, FollowsPath) and "fixations" not in reads else reads
