"""``trial.json`` and ``failure.json``: what a trial's folder says of the trial."""

from collections.abc import Mapping
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


Spent = Mapping[str, float]
"""What ``trial.json`` says of what a trial took: seconds, bytes, tokens, requests."""


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


def spent(cost: Spent, part: str = "") -> float | None:
    """Return what a trial, or its part ``_fit`` or ``_simulate``, took, in seconds; None where that is not known.

    Seconds for which it held a GPU; without one, processor seconds, which do not depend on what else the machine did;
    of a simulator that waits for an endpoint, and in records of older versions, seconds on the clock.
    """
    kinds = ("seconds",) if cost.get("requests") else ("device_seconds", "processor_seconds", "seconds")
    return next((cost[f"{kind}{part}"] for kind in kinds if f"{kind}{part}" in cost), None)


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
