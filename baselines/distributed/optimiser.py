"""The prompt's optimiser, its state split among the processes by ZeRO-2.

A step works with the gradient of its whole batch: each process brings the gradient of its own share, already weighted
by the number of sessions, and ZeRO-2 adds them up. However many passes a share took, it is brought in one backward
pass, through a linear function of the prompt whose gradient it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn

from baselines.distributed.group import Group


@dataclass(slots=True, eq=False)
class ShardedOptimiser:
    """A DeepSpeed engine around a prompt that has the same values on all processes of the group."""

    prompt: nn.Module
    group: Group
    _engine: Any = None

    @classmethod
    def of(cls, prompt: nn.Module, adamw: torch.optim.AdamW, clip: float, group: Group) -> "ShardedOptimiser":
        """Split the state of an optimiser that has taken no step; all processes call this.

        Its groups and settings are used. ``clip`` is the largest gradient norm, over all parameters together.
        """
        import deepspeed

        group.server.settle()
        engine, *_ = deepspeed.initialize(
            model=prompt, optimizer=adamw, config=group.settings.for_prompt(clip), dist_init_required=False
        )
        return cls(prompt, group, engine)

    def add_up(self) -> None:
        """Replace each parameter's ``grad``, this process's share, by the sum over the processes."""
        self.group.server.settle()
        parameters = list(self.prompt.parameters())
        shares = [parameter.grad for parameter in parameters]
        for parameter in parameters:
            parameter.grad = None
        # DeepSpeed takes the mean over the processes, so the sum needs as many times as much.
        linear = sum(
            (
                (parameter * share).sum()
                for parameter, share in zip(parameters, shares, strict=True)
                if share is not None
            ),
            start=torch.zeros((), device=self.group.device),
        )
        self._engine.set_gradient_accumulation_boundary(True)
        self._engine.backward(linear * self.group.size)
        from deepspeed import utils

        for parameter in parameters:
            parameter.grad = utils.safe_get_full_grad(parameter)

    def step(self) -> None:
        """Clip the gradient that was added up, and take a step."""
        for parameter in self.prompt.parameters():
            parameter.grad = None
        self._engine.step()

    def moments(self) -> dict[str, Tensor]:
        """Return the whole state as ``tuning.state.moments_of`` does: ``parameter.moment`` -> value."""
        self.group.server.settle()
        found = {}
        for name, parameter, part, state in self._parts():
            for moment, value in state.items():
                whole = value.clone()
                if value.shape == part.shape:
                    parts = [torch.empty_like(part) for _ in range(self.group.size)]
                    distributed.all_gather(parts, value.contiguous())
                    whole = torch.cat(parts)[: parameter.numel()].view_as(parameter)
                found[f"{name}.{moment}"] = whole
        return found

    def restore(self, moments: dict[str, Tensor]) -> None:
        """Go on from a state that ``moments`` or ``tuning.state.moments_of`` gave."""
        for name, parameter, part, state in self._parts():
            low = part.numel() * self.group.rank
            for key, value in moments.items():
                owner, _, moment = key.rpartition(".")
                if owner != name:
                    continue
                if value.shape != parameter.shape:
                    state[moment] = value.clone()
                    continue
                own = value.flatten()[low : low + part.numel()].to(part.device)
                state[moment] = torch.zeros_like(part)
                state[moment][: own.numel()] = own

    def close(self) -> None:
        """Take the engine off the prompt."""
        self._engine.destroy()

    def _parts(self) -> Iterator[tuple[str, Tensor, Tensor, dict[str, Tensor]]]:
        """Yield per parameter its name, itself, this process's part of it, and torch's state of that part.

        Parts are consecutive and of one length; the last may be padded. DeepSpeed's own way to this state
        (``safe_get_full_optimizer_state``, 0.19.8) finds that of the first group of parameters only.
        """
        adamw = self._engine.optimizer.optimizer
        for (name, parameter), group in zip(self.prompt.named_parameters(), adamw.param_groups, strict=True):
            (part,) = group["params"]
            yield name, parameter, part, adamw.state[part]
