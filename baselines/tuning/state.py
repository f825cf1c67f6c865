"""Curves of a training, and its state between epochs in one file: safetensors, the rest as JSON in its header."""

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from baselines.tuning.prompt import PromptBank
from tasks.errors import InputError
from tasks.storage import write_errors


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch; None where a value does not exist, as for the training part of epoch 0, the untrained prompt.

    Losses, divergences and entropies are means in nats; the terms of the objective are those of ``objective``.

    Attributes:
        epoch: Counted from 1; 0 is before training.
        steps: Optimiser steps so far.
        attention: None if the attention loss is left out.
        gradient_basis: Mean norm of the bases' gradient over the epoch's steps, before clipping.
        gradient_users: The same for the user logits.
        gradient_largest: Largest norm of both together.
        clipped: Share of the steps whose gradient was clipped.
        mixing_entropy: Of the users' coefficients; ln M at the start.
        valid_logloss: Mean -log p(click) of the validation sessions.
        valid_kl: Mean KL of their gaze (or cursor) against attention, for the answer that the score reads it for.
        valid_accuracy: Share of them answered with the click.
        valid_score: What the best epoch is chosen by, lower is better; see ``trainer``.
        tokens_per_second: Positions run through the decoder per second of training.
        peak_memory_bytes: Highest so far: of the process on a CPU, of torch's allocations on a GPU.
    """

    epoch: int
    steps: int
    loss: float | None = None
    ntp: float | None = None
    attention: float | None = None
    penalty: float | None = None
    gradient_basis: float | None = None
    gradient_users: float | None = None
    gradient_largest: float | None = None
    clipped: float | None = None
    mixing_entropy: float | None = None
    valid_logloss: float | None = None
    valid_kl: float | None = None
    valid_accuracy: float | None = None
    valid_score: float | None = None
    seconds_train: float = 0.0
    seconds_valid: float = 0.0
    sessions_per_second: float | None = None
    tokens_per_second: float | None = None
    peak_memory_bytes: float | None = None


def write_curve(epochs: Sequence[Epoch], best: int, folder: Path) -> None:
    """Write ``curves.parquet``; ``report`` draws it."""
    names = [field.name for field in dataclasses.fields(Epoch)]
    whole = ("epoch", "steps")
    schema = pa.schema([(name, pa.int64() if name in whole else pa.float64()) for name in names])
    table = pa.table({name: [getattr(epoch, name) for epoch in epochs] for name in names}, schema=schema)
    with write_errors(folder):
        pq.write_table(table.replace_schema_metadata({"best_epoch": str(best)}), folder / "curves.parquet")


FILE = "tuning.safetensors"
_FORMAT = "1"


@dataclass(slots=True)
class State:
    """Everything that the next epoch depends on, apart from the settings.

    Attributes:
        parameters: Name -> value of the prompt's parameters; ``best``, the same at the best epoch.
        moments: ``parameter.moment`` -> optimiser state.
        epochs: The curve so far; its last entry is the last finished epoch.
    """

    parameters: dict[str, Tensor]
    best: dict[str, Tensor]
    moments: dict[str, Tensor] = field(default_factory=dict)
    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0


def parameters_of(bank: PromptBank) -> dict[str, Tensor]:
    """Return copies of a prompt's parameters by name."""
    return {name: value.detach().clone() for name, value in bank.named_parameters()}


def moments_of(bank: PromptBank, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return copies of the optimiser's state by ``parameter.moment``."""
    return {
        f"{name}.{moment}": tensor.detach().clone()
        for name, value in bank.named_parameters()
        for moment, tensor in optimiser.state.get(value, {}).items()
    }


def restore_moments(bank: PromptBank, optimiser: torch.optim.Optimizer, moments: dict[str, Tensor]) -> None:
    """Write the optimiser's state back."""
    for name, value in bank.named_parameters():
        prefix = f"{name}."
        found = {key.removeprefix(prefix): tensor.clone() for key, tensor in moments.items() if key.startswith(prefix)}
        if found:
            # The step counter stays on the CPU, where the optimiser keeps it.
            optimiser.state[value] = {k: t if k == "step" else t.to(value.device) for k, t in found.items()}


def save(state: State, folder: Path, identity: str) -> None:
    """Write the state whole or not at all, in place of the one before; for ``identity`` see ``load``."""
    from safetensors.torch import save_file

    groups = {"now": state.parameters, "best": state.best, "moments": state.moments}
    tensors = {f"{group}/{name}": t.cpu().clone() for group, found in groups.items() for name, t in found.items()}
    about = {
        "format": _FORMAT,
        "identity": identity,
        "best_epoch": state.best_epoch,
        "epochs": [dataclasses.asdict(epoch) for epoch in state.epochs],
    }
    partial = folder / f".{FILE}.partial"
    with write_errors(folder):
        save_file(tensors, partial, metadata={"training": json.dumps(about)})
        os.replace(partial, folder / FILE)


def load(folder: Path, identity: str) -> State | None:
    """Return the state in ``folder``, or None if it has no state of this training.

    ``identity`` is the digest of everything that shapes the training; a state of another one is not continued.
    InputError if the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads(file.metadata()["training"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        if about["format"] != _FORMAT or about["identity"] != identity:
            return None
        groups: dict[str, dict[str, Tensor]] = {"now": {}, "best": {}, "moments": {}}
        for name, tensor in tensors.items():
            group, _, rest = name.partition("/")
            groups[group][rest] = tensor
        epochs = [Epoch(**epoch) for epoch in about["epochs"]]
        return State(groups["now"], groups["best"], groups["moments"], epochs, int(about["best_epoch"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise InputError(
            f"the training state {path} is damaged ({error}); delete it to train from the start."
        ) from error
