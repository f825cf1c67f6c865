"""Weights of which every process keeps a part, gathered when they are needed, one layer at a time.

DeepSpeed's ZeRO-3 gathers in lockstep: all processes run the same layers in the same order. Simulators do not: a screen
may be known to one process and new to another, one answer may have more tokens than another. So weights are gathered in
rounds. In each, every process names the unit it needs, or none if it only waits; the units named are gathered by all,
and kept by those that asked. A process that has ended its part stays for rounds until all have (``settle``).

Frozen linear maps that keep no weight in the graph, differentiable any number of times.

The derivative of x W^T with respect to x is g W, and that of g W with respect to g is again x W^T. Each of them asks
for W when it runs, so a graph, and a graph of gradients, holds handles only, where torch's own operations would hold
every layer's weights until the second backward pass.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

_NONE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Weights that are gathered together: those of one layer, ``size`` numbers in all.

    The index is the same on all processes; of each of DeepSpeed's parameters a process holds its part.
    """

    index: int
    parameters: list[Any]
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Weight:
    """A handle to one weight of a unit."""

    server: "Server"
    unit: Unit
    place: int

    def get(self) -> Tensor:
        """Return the whole weight; do not keep it."""
        return self.server.fetch(self.unit)[self.place]


@dataclass(slots=True, eq=False)
class Server:
    """Gives out weights.

    Attributes:
        exchange: Function from this process's number to those of all processes.
        live: So many gathered numbers are kept for the next use, in addition to the unit in use.
        gathered: How often a unit was gathered.
    """

    size: int
    exchange: Callable[[int], list[int]]
    live: int
    gathered: int = 0
    units: list[Unit] = field(default_factory=list)
    _kept: OrderedDict[int, list[Tensor]] = field(default_factory=OrderedDict)

    def add(self, parameters: list[Any]) -> Unit:
        """Register a unit; processes do so in the same order."""
        unit = Unit(len(self.units), parameters, sum(int(p.ds_numel) for p in parameters))
        self.units.append(unit)
        return unit

    def fetch(self, unit: Unit) -> list[Tensor]:
        """Return the whole weights of a unit."""
        found = self._kept.get(unit.index)
        if found is not None:
            self._kept.move_to_end(unit.index)
            return found
        while self._kept and sum(self.units[i].size for i in self._kept) + unit.size > self.live:
            self._kept.popitem(last=False)  # the one unused for longest
        self._round(unit.index)
        return self._kept[unit.index]

    def settle(self) -> None:
        """Serve the other processes until all have come here, and let go of what is kept."""
        self._kept.clear()
        if self.size > 1 and self.units:
            while not self._round(_NONE):
                pass

    def clear(self) -> None:
        """Forget all units."""
        self._kept.clear()
        self.units.clear()

    def _round(self, wanted: int) -> bool:
        """Take part in one round; return whether nobody wanted anything."""
        named = {number for number in self.exchange(wanted) if number != _NONE}
        for number in sorted(named):
            self._gather(self.units[number], keep=number == wanted)
        return not named

    def _gather(self, unit: Unit, keep: bool) -> None:
        from deepspeed import zero

        self.gathered += 1
        with zero.GatheredParameters(unit.parameters), torch.no_grad():
            # Leaving the context takes the whole weight from DeepSpeed's parameter, not from those who hold it.
            whole = [parameter.data for parameter in unit.parameters] if keep else None
        if whole is not None:
            self._kept[unit.index] = whole


def frozen_linear(x: Tensor, weight: Weight, bias: Tensor | None = None) -> Tensor:
    """Return x W^T + b, shape (..., out), differentiable in x, shape (..., in), alone."""
    output: Tensor = _Map.apply(x, weight, bias, False)  # type: ignore[no-untyped-call]
    return output


class _Map(torch.autograd.Function):
    """x W^T + b, or x W if ``transposed``."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Weight, bias: Tensor | None, transposed: bool) -> Tensor:
        ctx.weight, ctx.transposed = weight, transposed
        matrix = weight.get()
        return x @ matrix if transposed else functional.linear(x, matrix, bias)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        found: Tensor = _Map.apply(grad, ctx.weight, None, not ctx.transposed)  # type: ignore[no-untyped-call]
        return found, None, None, None
