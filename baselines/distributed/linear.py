"""Frozen linear maps that keep no weight in the graph, differentiable any number of times.

The derivative of x W^T with respect to x is g W, and that of g W with respect to g is again x W^T. Each of them asks
for W when it runs, so a graph, and a graph of gradients, holds handles only, where torch's own operations would hold
every layer's weights until the second backward pass.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from baselines.distributed.weights import Weight


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
