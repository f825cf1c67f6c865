"""The state of a training between two epochs, in one file: tensors as safetensors, the rest as JSON in its header."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from baselines.tuning.curves import Epoch
from baselines.tuning.prompt import PromptBank
from tasks.errors import InputError
from tasks.storage import write_errors

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

    Raises:
        InputError: The file is damaged.
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
