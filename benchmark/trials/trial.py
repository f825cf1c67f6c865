"""A trial: one simulator with one seed on one fold, and its identity."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmark.simulator import AttendsToLabel, CarriesNotice, HasMaterial
from benchmark.trials import own_files
from benchmark.trials.catalogue import Catalogue, check_settings, code_version, full_settings, settings_for
from benchmark.trials.configuration import RunConfig
from benchmark.trials.content import content_digest

if TYPE_CHECKING:
    from tasks.task import Task

PREDICTIONS_FORMAT = 2
"""Changes whenever the meaning of a stored prediction changes; older trials are then run again."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Everything that can change the outcome, and nothing that cannot (paths, engine, workers).

    A setting that names material, such as a backbone's folder, enters by the material's fingerprint alone, and a class
    in a file by the file's name and the digest of its source: the same in another folder makes the same trial.

    Attributes:
        task: Task name.
        version: Task version.
        split: Split name.
        digest: Digest of the task's sessions and this split.
        simulator: Registry name.
        factory: ``module:Class`` of the simulator.
        settings: Every setting, defaults included.
        material: What else shapes the predictions: name -> fingerprint, such as a backbone's.
        oracle: The simulator is handed full sessions.
        seed: Seed of fit and simulate.
        fold: Index of the fold.
        code: Digest of the simulator's source.
        label: Attention for the true click is computed too, where the simulator can.
        inputs: Digest of all that a simulator can read of the task's sessions, ``content.content_digest``.
        notice: What every output must say of this simulator; no part of the identity.
        parallel: How several processes share the trial's arithmetic, as its engine calls it; empty for one process,
            and then no part of the identity. Sums that are shared out differ in their last digits.
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
    code: str
    label: bool = False
    inputs: str = ""
    notice: str = ""
    parallel: str = ""

    def identity(self) -> str:
        """Return the name of the trial's folder: 24 hexadecimal digits of a SHA-256."""
        return hashlib.sha256(json.dumps(self.record(), sort_keys=True).encode()).hexdigest()[:24]

    def record(self) -> dict[str, object]:
        """Return what makes up the identity, as JSON values."""
        return {
            "format": PREDICTIONS_FORMAT,
            "task": self.task,
            "version": self.version,
            "split": self.split,
            "digest": self.digest,
            "inputs": self.inputs,
            "simulator": self.simulator,
            "factory": f"{own_files.path_of(self.factory).name}:{self.factory.rpartition(':')[2]}"
            if own_files.is_file(self.factory)
            else self.factory,
            "settings": {key: value for key, value in self.settings.items() if key not in self.material},
            "material": dict(self.material),
            "oracle": self.oracle,
            "seed": self.seed,
            "fold": self.fold,
            "code": self.code,
            "label": self.label,
            **({"parallel": self.parallel} if self.parallel else {}),
        }


def expand(config: RunConfig, task: Task, catalogue: Catalogue) -> list[Trial]:
    """Return the trials of a run: simulators x seeds x folds; a deterministic simulator has one seed.

    Raises:
        InputError: An unknown simulator, split or setting.
    """
    entries = [catalogue.entry(name) for name in config.simulators]
    check_settings(entries, config.settings)
    split = task.split(config.split)
    inputs = content_digest(task)
    trials = []
    for entry in entries:
        built = catalogue.build(entry.name, settings_for(entry, config.defaults, config.settings))
        settings = full_settings(built, entry.factory)
        material = built.material() if isinstance(built, HasMaterial) else {}
        code = code_version(entry.factory)
        for seed in config.seeds if entry.stochastic else config.seeds[:1]:
            for fold in range(len(split.folds)):
                trials.append(
                    Trial(
                        task=task.name,
                        version=task.version,
                        split=split.name,
                        digest=task.digests[split.name],
                        simulator=entry.name,
                        factory=entry.factory,
                        settings=settings,
                        material=material,
                        oracle=entry.oracle,
                        seed=seed,
                        fold=fold,
                        code=code,
                        notice=built.notice() if isinstance(built, CarriesNotice) else "",
                        label=config.label and isinstance(built, AttendsToLabel),
                        inputs=inputs,
                    )
                )
    return trials
