"""Split a frozen model: each process keeps its part of the large weights, all keep the small ones.

In the model, a split weight leaves behind a parameter of the same shape, type and device that takes up one number, NaN:
whoever asks for its size gets the right answer, and whoever computes with it by mistake is found out.

Decoder layers of a split backbone keep their input alone and run again on the way back.

In answer-token recomputation (PROTOCOL section 6) the positions before src are differentiated once: their layers run
under ``torch.utils.checkpoint``, each gathering its weights for itself, there and back. src, which is differentiated
twice, is one position: its activations are kept, its weights are not (``linear``).
"""

import copy
import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from baselines.distributed.group import Group
from baselines.distributed.weights import Weight, frozen_linear
from baselines.probing.hook import HOOKED, hooked


def recompute_layers(decoder: nn.Module) -> None:
    """Let the decoder's layers run under a checkpoint wherever a graph of several positions is built."""
    for layer in decoder.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.forward = functools.partial(_run, layer.forward, decoder)


def _run(forward: Any, decoder: nn.Module, hidden: Tensor, *args: Any, **kwargs: Any) -> Any:
    """Run a layer; a probed one as it is, because its probe ties its own tensors to the graph."""
    if not torch.is_grad_enabled() or hidden.shape[1] == 1 or kwargs.get("attention_probe") is not None:
        return forward(hidden, *args, **kwargs)
    name = "cache" if "cache" in kwargs else "past_key_values"
    cache = kwargs.pop(name, None)
    before = None if cache is None else _as_it_is(cache)
    caches = iter([cache])
    was_hooked = getattr(getattr(decoder, "config", None), "_attn_implementation", None) == HOOKED

    def layer(hidden: Tensor) -> Any:
        # The second run finds the cache as the first one found it, and leaves no trace in it.
        seen = next(caches, None)
        if seen is None and before is not None:
            seen = _as_it_is(before)
        return forward(hidden, *args, **{name: seen}, **kwargs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), hooked(decoder) if was_hooked else nullcontext()

    return checkpoint(layer, hidden, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


def _as_it_is(cache: Any) -> Any:
    """Return a copy of a cache that shares its tensors; updates replace tensors and leave the other copy alone."""
    found = copy.copy(cache)
    found.layers = [copy.copy(layer) for layer in cache.layers]
    return found


_SPLIT = (nn.Linear, nn.Embedding, nn.Conv2d, nn.Conv3d)
"""Modules whose ``weight`` is split; everything else is small."""
_HANDLE = "_gazebench_weight"


@dataclass(slots=True, eq=False)
class _Large:
    """A large weight and the modules that use it, more than one where weights are tied."""

    parameter: nn.Parameter
    modules: list[nn.Module] = field(default_factory=list)


def split(model: Any, group: Group) -> Any:
    """Split a model among the processes of a group and return it, changed, on the group's device.

    All processes call this with the same architecture: the first with its weights, the others may have a skeleton on
    the device ``meta``.
    """
    from deepspeed import zero

    model.requires_grad_(False)
    for units in _units(model, group.settings.whole):
        holder = nn.ParameterList([_here(large.parameter, group) for large in units])
        parameters = list(holder)
        bf16 = parameters[0].dtype == torch.bfloat16
        shapes = [parameter.shape for parameter in parameters]
        # Sends the first process's weights to all, and leaves each with its part.
        zero.Init(module=holder, config_dict_or_path=group.settings.for_backbone(bf16), dtype=parameters[0].dtype)
        unit = group.server.add(parameters)
        for place, large in enumerate(units):
            blank = torch.full((), torch.nan, dtype=parameters[place].dtype, device=group.device)
            stand_in = nn.Parameter(blank.expand(shapes[place]), requires_grad=False)
            for module in large.modules:
                module.weight = stand_in
                _redirect(module, Weight(group.server, unit, place))
    _send_rest(model, group)
    recompute_layers(model.get_decoder())
    return model


def word_embeddings(model: Any) -> Tensor:
    """Return a model's word embeddings, shape (V, D), gathered where they are split; do not keep them."""
    module = model.get_input_embeddings()
    handle: Weight | None = getattr(module, _HANDLE, None)
    weight: Tensor = module.weight if handle is None else handle.get()
    return weight


def _units(model: Any, whole: int) -> list[list[_Large]]:
    """Return the weights of more than ``whole`` numbers, those of a layer together, in the order of the model."""
    found: dict[str, list[_Large]] = {}
    known: dict[int, _Large] = {}
    for path, module in model.named_modules():
        weight = getattr(module, "weight", None)
        if not isinstance(module, _SPLIT) or weight is None or weight.numel() <= whole:
            continue
        if id(weight) in known:
            known[id(weight)].modules.append(module)
            continue
        large = known[id(weight)] = _Large(weight, [module])
        found.setdefault(_layer(path, model), []).append(large)
    return list(found.values())


def _layer(path: str, model: Any) -> str:
    """Return the path of the outermost member of a list of layers that a module belongs to, or its own."""
    steps = path.split(".")
    for depth in range(1, len(steps)):
        if isinstance(model.get_submodule(".".join(steps[:depth])), nn.ModuleList):
            return ".".join(steps[: depth + 1])
    return path


def _here(parameter: nn.Parameter, group: Group) -> nn.Parameter:
    """Return a weight ready to be split: itself, or on processes with a skeleton memory of its size."""
    if parameter.device.type != "meta":
        return parameter
    return nn.Parameter(torch.empty(parameter.shape, dtype=parameter.dtype, device=group.device), requires_grad=False)


def _send_rest(model: Any, group: Group) -> None:
    """Give all processes the first one's small parameters and buffers."""
    sent: dict[int, Tensor] = {}
    for module, name, tensor in _rest(model):
        if id(tensor) not in sent:
            whole = tensor if tensor.device.type != "meta" else torch.empty_like(tensor, device=group.device)
            whole = whole.detach().to(group.device).contiguous()
            # As bytes, because not every backend sends every type.
            distributed.broadcast(whole.reshape(-1).view(torch.uint8), 0)
            is_parameter = isinstance(tensor, nn.Parameter)
            sent[id(tensor)] = nn.Parameter(whole, requires_grad=False) if is_parameter else whole
        setattr(module, name, sent[id(tensor)])


def _rest(model: Any) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Yield module, name and tensor of every parameter and buffer that is not split, in the order of the model."""
    for module in list(model.modules()):
        own = [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]
        for name, tensor in own:
            if not (name == "weight" and hasattr(module, _HANDLE)):
                yield module, name, tensor


def _redirect(module: nn.Module, weight: Weight) -> None:
    """Let a module compute with the gathered weight."""
    setattr(module, _HANDLE, weight)
    if isinstance(module, nn.Linear):
        module.forward = functools.partial(_linear, module, weight)  # type: ignore[method-assign]
    elif isinstance(module, nn.Embedding):
        module.forward = functools.partial(_embedding, module, weight)  # type: ignore[method-assign]
    else:
        module.forward = functools.partial(_other, module, weight)


def _linear(module: nn.Linear, weight: Weight, x: Tensor) -> Tensor:
    return frozen_linear(x, weight, module.bias)


def _embedding(module: nn.Embedding, weight: Weight, ids: Tensor) -> Tensor:
    return functional.embedding(ids, weight.get(), module.padding_idx)


def _other(module: nn.Module, weight: Weight, x: Tensor) -> Tensor:
    """Run a module of a vision tower, which no gradient passes through."""
    with torch.no_grad():
        found: Tensor = torch.func.functional_call(_Bare(module), {"module.weight": weight.get()}, (x,))
    return found


class _Bare(nn.Module):
    """A module with its class's own forward pass."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Any:
        return type(self.module).forward(self.module, x)
