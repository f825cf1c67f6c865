"""``slot-transformer``: a small network trained on the training paths, on a CPU in minutes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path as File
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

from baselines.limits import PartOf, WholeAtLeastOne, check_settings
from baselines.simulators.order.paths import recorded
from benchmark.files.replacing import replace_file
from benchmark.simulator import Floats, Workspace
from benchmark.trials.catalogue import setting_names
from tasks.definition import quiet
from tasks.errors import InputError
from tasks.types import Session, Stimulus, Visit

FILE = "slot-transformer.pt"
PARAMETERS = 300_000
"""Parameters of the network, at most."""


@dataclass
class SlotTransformer:
    """An encoder over the slots' boxes, kinds and words, a decoder over the path so far; see ``network``.

    A part of the training sessions is left out of the training; what predicts those best is kept. A training that is
    stopped goes on after its last epoch.

    Attributes:
        width: Numbers per slot and visit.
        layers: Layers of the encoder and of the decoder.
        dropout: Share of activations that are left out in training.
        lr: Learning rate of AdamW.
        batch: Sessions per step.
        passes: Passes through the training sessions, at most.
        waiting: Passes without a better validation after which training ends.
        validation: Share of the sessions that training leaves out.
    """

    width: WholeAtLeastOne = 64
    layers: WholeAtLeastOne = 2
    heads: WholeAtLeastOne = 4
    dropout: Annotated[float, Meta(ge=0, le=0.9)] = 0.1
    lr: Annotated[float, Meta(gt=0, lt=1)] = 1e-3
    weight_decay: PartOf = 1e-2
    batch: WholeAtLeastOne = 16
    passes: WholeAtLeastOne = 60
    waiting: WholeAtLeastOne = 8
    validation: Annotated[float, Meta(ge=0, le=0.5)] = 0.15
    reads: tuple[str, ...] = field(default=("fixations", "texts"), init=False, repr=False)
    _workspace: Workspace | None = field(default=None, init=False, repr=False)
    _kinds: tuple[str, ...] = field(default=(), init=False, repr=False)
    _network: Any = field(default=None, init=False, repr=False)
    _shown: tuple[str, Any] = field(default=("", None), init=False, repr=False)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.width % self.heads or self.width % 2:
            raise InputError(
                f"the setting width is {self.width}; it must be even and a multiple of heads, {self.heads}."
            )

    def attach(self, workspace: Workspace) -> None:
        """Remember where the state between epochs is kept."""
        self._workspace = workspace

    def fit(self, train: Sequence[Session], seed: int) -> None:
        """Train the network.

        InputError if no training session holds a path, the network is too large, or a kept state is damaged.
        """
        import torch

        from baselines.simulators.order import network

        paths = recorded(train)
        self._kinds = tuple(sorted({slot.kind for path in paths for slot in path.session.slots}))
        examples = [network.example(network.screen(p.session.slots, self._kinds), p.visits) for p in paths]
        rng = np.random.default_rng(seed)
        held = round(self.validation * len(examples)) if len(examples) > 1 else 0
        order = rng.permutation(len(examples))
        valid, mine = [examples[i] for i in order[:held]], [examples[i] for i in order[held:]]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = network.Network(len(self._kinds), self.width, self.layers, self.heads, self.dropout)
            size = sum(value.numel() for value in net.parameters())
            if size > PARAMETERS:
                raise InputError(
                    f"slot-transformer would have {size} parameters, more than {PARAMETERS}; lower width or layers."
                )
            optimiser = torch.optim.AdamW(net.parameters(), lr=self.lr, weight_decay=self.weight_decay)
            state = _State(self._identity(paths, seed), deepcopy(net.state_dict()))
            state = self._resumed(state, net, optimiser)
            progress = quiet if self._workspace is None else self._workspace.progress
            todo = range(state.epoch + 1, self.passes + 1)
            for epoch in progress(todo, total=len(todo), desc="epochs"):
                if state.epoch - state.best_epoch >= self.waiting:
                    break
                torch.manual_seed(seed * 10_007 + epoch)
                trained = network.pass_through(net, optimiser, mine, self.batch, np.random.default_rng((seed, epoch)))
                score = network.mean_loss(net, valid or mine)
                state.epoch = epoch
                if score < state.score:
                    state.score, state.best_epoch, state.best = score, epoch, deepcopy(net.state_dict())
                self._keep(state, net, optimiser)
                if self._workspace is not None:
                    self._workspace.measured(epoch, {"loss": trained, "valid_score": score})
        net.load_state_dict(state.best)
        self._network = net.eval()

    def follow(self, stimulus: Stimulus, visited: Sequence[Visit]) -> Floats:
        """Return the chance of each slot and, last, of the end, shape (K + 1,); a path has a visit at least."""
        import torch

        from baselines.simulators.order import network

        if self._network is None:
            raise RuntimeError("fit before follow")
        if self._shown[0] != stimulus.session_id:
            self._shown = (stimulus.session_id, network.screen(stimulus.slots, self._kinds))
        with torch.no_grad():
            share, odds = self._network(network.batch([network.example(self._shown[1], visited)]))
        stop = float(torch.sigmoid(odds[0, -1])) if visited else 0.0
        chances = np.exp(share[0, -1].numpy())
        return np.append((1 - stop) * chances / chances.sum(), stop)

    def _identity(self, paths: Sequence[Any], seed: int) -> str:
        """Return a digest of all that shapes the training."""
        names = [name for name in setting_names(f"{__name__}:SlotTransformer") if name not in ("passes", "waiting")]
        said = [{name: getattr(self, name) for name in names}, seed, [(p.session.session_id, p.visits) for p in paths]]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def _file(self) -> File | None:
        return None if self._workspace is None else self._workspace.folder / FILE

    def _keep(self, state: "_State", net: Any, optimiser: Any) -> None:
        """Write the state after an epoch."""
        import torch

        file = self._file()
        if file is not None:
            values = {**asdict(state), "now": net.state_dict(), "optimiser": optimiser.state_dict()}
            replace_file(file, lambda partial: torch.save(values, partial))

    def _resumed(self, fresh: "_State", net: Any, optimiser: Any) -> "_State":
        """Return the state that an earlier attempt at the same training has left, else a fresh one."""
        import torch

        file = self._file()
        if file is None or not file.is_file():
            return fresh
        try:
            values: Mapping[str, Any] = torch.load(file, weights_only=True)
            if values["identity"] != fresh.identity:
                return fresh
            net.load_state_dict(values["now"])
            optimiser.load_state_dict(values["optimiser"])
            return _State(**{name: values[name] for name in asdict(fresh)})
        except Exception as error:  # torch raises nearly anything on a damaged file
            raise InputError(f"the training state {file} is damaged; delete it to train from the start.") from error


@dataclass
class _State:
    """How far a training has come: its identity, the best weights, their epoch and validation, and the last epoch."""

    identity: str
    best: dict[str, Any]
    best_epoch: int = 0
    score: float = float("inf")
    epoch: int = 0
