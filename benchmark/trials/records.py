"""``trial.json`` and ``failure.json``: what a trial's folder says of the trial."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict, TypeVar, cast

from tasks.decoding import decode, load_json

T = TypeVar("T")


class Environment(TypedDict, total=False):
    """What ``trial.json`` says of where a trial ran, as far as it is read again."""

    where: str
    threads: int
    gpu: str | None
    device: str
    packages: dict[str, str]


class Spent(TypedDict, total=False):
    """What ``trial.json`` says of what a trial took, as far as it is read again."""

    seconds: float
    seconds_fit: float
    seconds_simulate: float
    tokens: float
    tokens_trained: float
    tokens_simulated: float
    flops_estimated: float
    peak_memory_bytes: float
    peak_resident_bytes: float


class TrialFile(TypedDict, total=False):
    """What ``trial.json`` holds, as far as it is read again; a trial that has only begun has less."""

    simulator: str
    factory: str
    settings: dict[str, object]
    material: dict[str, str]
    behaviour: str
    stimuli: str
    recording: dict[str, str]
    inputs: str
    oracle: bool
    label: bool
    seed: int
    fold: int
    parallel: str
    notice: str
    attempts: int
    cost: Spent
    environment: Environment
    where: str
    began: str
    finished: str


class FailureFile(TypedDict, total=False):
    """What ``failure.json`` holds."""

    line: str
    failed: str


def read_trial(folder: Path) -> TrialFile:
    """Return what ``trial.json`` in a trial's folder holds, empty if there is none; InputError if it is damaged."""
    return _checked(TrialFile, folder / "trial.json")


def read_failure(folder: Path) -> FailureFile:
    """Return what ``failure.json`` in a trial's folder holds, empty if there is none; InputError if it is damaged."""
    return _checked(FailureFile, folder / "failure.json")


def _checked(kind: type[T], path: Path) -> T:
    """Return all that a JSON file holds, empty if there is none, once what ``kind`` names in it has been checked."""
    if not path.is_file():
        return kind()
    remedy = f"remove the folder {path.parent.name} and run again"
    found = load_json(path, remedy)
    decode(kind, found, path, remedy)
    return cast("T", found)
