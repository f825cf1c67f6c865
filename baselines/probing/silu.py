"""Two ways to keep less of a decoder's SiLU activations, which are the widest tensors of a layer.

Differentiated once: the product of activation and gate keeps the activation, which its input, kept anyway, gives again.

Differentiated twice: torch writes the derivative out in elementary steps and keeps every intermediate, five tensors per
layer. The closed form needs the input and the incoming gradient, which are kept anyway:

    s = sigmoid(x), f' = s (1 + x (1 - s)), f'' = s (1 - s) (2 + x (1 - 2 s))
"""

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import SiLUActivation

from baselines.probing.hook import Decoder, exclusive


def double_silu(x: Tensor) -> Tensor:
    """Return x sigmoid(x); twice differentiable."""
    output: Tensor = _SiLU.apply(x)  # type: ignore[no-untyped-call]
    return output


@contextmanager
def twice_differentiable_silu(decoder: Decoder) -> Iterator[None]:
    """Within the context SiLU activations of the probed layers are ``double_silu``; other activations stay."""
    with _replaced(decoder.module, double_silu, decoder.probed):
        yield


@contextmanager
def recomputed_silu(decoder: nn.Module) -> Iterator[None]:
    """Within the context no graph keeps a SiLU activation of the decoder; it is computed again on the way back."""
    made: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def activate(x: Tensor) -> Tensor:
        output = torch.nn.functional.silu(x)
        made[output.data_ptr()] = (weakref.ref(output), x.detach())
        return output

    def pack(tensor: Tensor) -> Tensor | _Recipe:
        reference, x = made.get(tensor.data_ptr(), (None, tensor))
        output = None if reference is None else reference()
        # A dead reference means that the memory has since gone to another tensor.
        if output is None or output.shape != tensor.shape or output.stride() != tensor.stride():
            # Detached: a node that kept its own output as it is would hold itself alive. Torch attaches it again.
            return tensor.detach()
        return _Recipe(x)

    def unpack(kept: Tensor | _Recipe) -> Tensor:
        return torch.nn.functional.silu(kept.x) if isinstance(kept, _Recipe) else kept

    try:
        with _replaced(decoder, activate, [decoder]), torch.autograd.graph.saved_tensors_hooks(pack, unpack):
            yield
    finally:
        # The graph may hold on to the hooks for longer than to what they packed.
        made.clear()


@dataclass(frozen=True, slots=True, eq=False)
class _Recipe:
    """A SiLU activation that was not kept: its input."""

    x: Tensor


@contextmanager
def _replaced(decoder: nn.Module, function: Callable[[Tensor], Tensor], parts: Sequence[nn.Module]) -> Iterator[None]:
    kinds = (nn.SiLU, SiLUActivation)
    with exclusive(decoder):
        found = [
            module
            for part in parts
            for module in part.modules()
            if isinstance(module, kinds) and "forward" not in module.__dict__
        ]
        try:
            for module in found:
                module.forward = function  # type: ignore[method-assign]
            yield
        finally:
            for module in found:
                module.__dict__.pop("forward", None)


class _SiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.nn.functional.silu(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        result: Tensor = _Derivative.apply(x, grad)  # type: ignore[no-untyped-call]
        return result


class _Derivative(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, grad: Tensor) -> Tensor:
        ctx.save_for_backward(x, grad)
        result: Tensor = torch.ops.aten.silu_backward(grad, x)
        return result

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, Tensor]:
        x, grad = ctx.saved_tensors
        s = torch.sigmoid(x)
        second = (1 - 2 * s).mul_(x).add_(2).mul_(s).mul_(1 - s)
        return second.mul_(grad).mul_(cotangent), torch.ops.aten.silu_backward(cotangent, x)
