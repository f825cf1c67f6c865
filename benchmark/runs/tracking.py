"""Training curves for those who watch long runs: TensorBoard, or Weights & Biases and what speaks its API (trackio).

Off by default. Nothing leaves the machine unless the person has set the tracker up to send it: wandb is set to stay
offline where WANDB_MODE says nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import InputError, require_known

if TYPE_CHECKING:
    from benchmark.engines.ledger import Track
    from benchmark.trials.trial import Trial

TRACKERS = {"tensorboard": "tensorboardX", "wandb": "wandb", "trackio": "trackio"}
"""Name -> the package that it needs."""

FOLDER = "curves"
"""Where in the folder of a run curves are kept."""


@contextlib.contextmanager
def tracker(name: str | None, out: Path) -> Iterator[Track]:
    """Give the function that takes a trial, an epoch and its values; what it wrote is complete when the context ends.

    ``name`` is one of ``TRACKERS``, or None to track nothing. InputError if there is no such tracker, or its package is
    not installed.
    """
    if name is None:
        yield lambda trial, epoch, values: None
        return
    module, board = require(name), name == "tensorboard"
    writers: dict[str, Any] = {}

    def track(trial: Trial, epoch: int, values: Mapping[str, float]) -> None:
        label = f"{trial.simulator}/seed-{trial.seed}/fold-{trial.fold}"
        # A folder of events per trial, so that trials lie over each other in one picture; elsewhere one run for all.
        key = label if board else ""
        if key not in writers:
            writers[key] = module.SummaryWriter(str(out / FOLDER / label)) if board else _begun(module, out)
        if board:
            for what, value in values.items():
                writers[key].add_scalar(what, value, epoch)
            writers[key].flush()
        else:
            writers[key].log({f"{label}/{what}": value for what, value in {"epoch": epoch, **values}.items()})

    try:
        yield track
    finally:
        for writer in writers.values():
            writer.close() if board else writer.finish()


def _begun(module: Any, out: Path) -> Any:
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    place = {"dir": str(out / FOLDER)} if module.__name__ == "wandb" else {}
    return module.init(project="gazebench", name=out.name, config={"folder": str(out)}, **place)


def require(name: str) -> Any:
    """Return the package of a tracker; InputError if there is no such tracker, or it is not installed."""
    require_known("tracker", [name], TRACKERS)
    os.environ.setdefault("WANDB_MODE", "offline")
    try:
        return importlib.import_module(TRACKERS[name])
    except ModuleNotFoundError as error:
        line = f"{error.name} is not installed; --track {name} needs it: pip install {TRACKERS[name]}."
        raise InputError(line) from error
