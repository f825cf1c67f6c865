"""Everything that a stand-in's card reports, measured on its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.backbones.checkpoint import describe
from baselines.backbones.loading import load_backbone
from baselines.pocket_training.evaluation import HeldOut, OnTask, Reading, held_out, on_task
from baselines.pocket_training.sequences import Sequences
from baselines.pocket_training.steering import Steered, steer
from baselines.pocket_training.training import RECORD
from tasks.decoding import read_json
from tasks.errors import InputError

TASKS = ("recgaze", "adserp")


@dataclass(frozen=True, slots=True)
class Measured:
    """A stand-in's facts: its ``training.RECORD``, size, and scores; ``steering`` is empty if it was left out."""

    record: dict[str, Any]
    parameters: int
    weight_bytes: int
    held_out: HeldOut
    reading: Reading
    steering: dict[str, Steered]
    tasks: dict[str, OnTask]


def measure(folder: Path, *, steering: bool = True) -> Measured:
    """Measure the stand-in in ``folder``.

    Raises:
        InputError: The folder is not that of a stand-in.
    """
    import tasks

    record = _record(folder)
    vlm = load_backbone(folder, device="cpu", dtype="float32", features=None)
    known = describe(folder)
    # The samples first: Sequences replaces the patch embedding by an equal, faster one.
    on_tasks = {name: on_task(vlm, tasks.load(name, data="sample")) for name in TASKS}
    sequences = Sequences(vlm)
    scores, words = held_out(sequences)
    return Measured(
        record=record,
        parameters=known.parameters,
        weight_bytes=(folder / "model.safetensors").stat().st_size,
        held_out=scores,
        reading=words,
        steering=steer(sequences) if steering else {},
        tasks=on_tasks,
    )


def repetition(folder: Path, again: Path) -> str:
    """Say in one sentence how a second training run with the same seed, in the folder ``again``, compares.

    Raises:
        InputError: A folder is not that of a stand-in, or seeds, schedules or shapes differ.
    """
    first, second = _record(folder), _record(again)
    for key in ("name", "seed", "plain", "schedule", "shape"):
        if first[key] != second[key]:
            raise InputError(f"{again} does not repeat {folder}: its {key} is {second[key]}, not {first[key]}.")
    how = f"A second run with the same seed (torch threads: {second['threads']}, in the first {first['threads']})"
    if (folder / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes():
        return f"{how} gave the same weights, bit by bit."
    pair = []
    for one in (folder, again):
        scores, words = held_out(Sequences(load_backbone(one, device="cpu", dtype="float32", features=None)))
        pair.append((scores.accuracy, scores.logloss, scores.kl, words.genre))
    accuracy, logloss, kl, genre = (abs(a - b) for a, b in zip(*pair, strict=True))
    return (
        f"{how} gave other weights; on the held-out sample its scores differ by {accuracy:.3f} in accuracy, "
        f"{logloss:.3f} in LogLoss, {kl:.3f} in KL and {genre:.2%} in genres read."
    )


def _record(folder: Path) -> dict[str, Any]:
    """Return what the making of a pocket stand-in wrote down."""
    return read_json(dict[str, Any], folder / RECORD, "give the folder of a pocket stand-in")
