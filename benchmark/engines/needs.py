"""What a trial asks a scheduler for: CPUs, a share of a GPU and memory, as given or as finished trials have needed.

Trials on the same model ask for the same, so that workers which have loaded it can be reused for all of them.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmark.trials.records import TrialFile
from benchmark.trials.trial import Trial

MARGIN = 1.25
"""So many times the highest use that was measured is asked for."""
_SHARES = 8
"""A GPU is dealt out in so many parts."""
_STEP = 64 * 2**20
"""Memory is asked for in multiples of so many bytes."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a trial asks for: CPUs, GPUs or a share of one, bytes of memory (None: no request), and why so, in words."""

    cpus: float
    gpus: float = 0.0
    memory: int | None = None
    source: str = "given"

    def bundle(self) -> dict[str, float]:
        """Return the needs as Ray's names of resources -> amounts."""
        asked = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory or 0)}
        return {name: amount for name, amount in asked.items() if amount}

    def record(self) -> dict[str, object]:
        """Return the needs as JSON values."""
        return {"cpus": self.cpus, "gpus": self.gpus, "memory_bytes": self.memory, "source": self.source}

    def __str__(self) -> str:
        """Return them in words."""
        gpus = f"{self.gpus:g} GPU" if self.gpus else ""
        memory = f"{self.memory / 2**30:.1f} GiB of memory" if self.memory else ""
        return ", ".join(filter(None, (f"{self.cpus:g} CPU", gpus, memory)))


def models(trial: Trial) -> tuple[tuple[str, str], ...]:
    """Return the models of a trial: settings that name material, with its fingerprint; empty if it rests on none."""
    return tuple(sorted((key, value) for key, value in trial.material.items() if value and key in trial.settings))


def needs(
    trials: Sequence[Trial],
    records: Iterable[TrialFile],
    asked: Needs,
    *,
    gpu_bytes: int | None = None,
    memory_limit: int | None = None,
) -> Needs:
    """Return what each of some trials asks for, all on the same model, or all on none.

    ``records`` are the finished trials of the same store, ``asked`` is the answer where they tell nothing.
    ``gpu_bytes``, the memory of a GPU, is None if it is not known or ``asked`` is not to be replaced; at most
    ``memory_limit`` bytes can be asked for: the memory of the largest machine.
    """
    known = list(records)
    simulators = {trial.simulator: trial for trial in trials}
    alike = {name: _like(trial, known) for name, trial in simulators.items()}
    costs = (record.get("cost", {}) for found in alike.values() for record in found)
    resident = [peak for cost in costs if (peak := cost.get("peak_resident_bytes"))]
    on_gpu = [[peak for peak in map(_on_gpu, found) if peak is not None] for found in alike.values()]
    memory = None
    if resident:
        wanted = math.ceil(MARGIN * max(resident) / _STEP) * _STEP
        # More than there is would never be given; a trial at least runs by itself.
        memory = wanted if memory_limit is None else min(wanted, memory_limit)
    gpus, count = asked.gpus, len(resident)
    if gpu_bytes is not None and on_gpu and all(on_gpu):
        gpus = gpu_share(max(max(peaks) for peaks in on_gpu), gpu_bytes)
        count = max(count, sum(map(len, on_gpu)))
    if gpus == asked.gpus and memory is None:
        return asked
    what = "GPU and memory" if gpus != asked.gpus and memory else "GPU" if gpus != asked.gpus else "memory"
    source = f"{what} as measured on {count} finished trial{'s' if count > 1 else ''}"
    return Needs(asked.cpus, gpus, memory, source)


def gpu_share(peak: float, gpu_bytes: float) -> float:
    """Return the share of a GPU for a trial that used at most ``peak`` bytes: some eighths, 1 where it needs all."""
    parts = math.ceil(MARGIN * peak / gpu_bytes * _SHARES)
    return min(max(parts, 1), _SHARES) / _SHARES


def _like(trial: Trial, records: Sequence[TrialFile]) -> list[TrialFile]:
    """Return the records of the trial's simulator on the same material; if there are some, those of its settings."""
    found = [
        record
        for record in records
        if record.get("simulator") == trial.simulator
        and record.get("material") == dict(trial.material)
        and record.get("parallel", "") == trial.parallel
    ]
    own = _settings(trial.settings, trial)
    return [record for record in found if _settings(record.get("settings", {}), trial) == own] or found


def _settings(values: Mapping[str, object], trial: Trial) -> str:
    """Return settings without those that only say where material lies, in a form that can be compared."""
    return json.dumps({key: values[key] for key in sorted(values) if key not in trial.material}, default=str)


def _on_gpu(record: TrialFile) -> float | None:
    """Return the highest use of a GPU's memory that a record holds, None if the trial used no GPU."""
    environment = record.get("environment", {})
    if not environment.get("gpu") or environment.get("device", "").startswith("cpu"):
        return None
    return record.get("cost", {}).get("peak_memory_bytes") or None
