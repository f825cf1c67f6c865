"""Recompute decoder layers on the way back instead of keeping their activations."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from baselines.probing.hook import exclusive, hooked


@contextmanager
def recomputed_layers(decoder: nn.Module) -> Iterator[None]:
    """Within the context a forward pass keeps only each layer's input; the decoder is left as it was found.

    The way back comes after the context, so every recomputation hooks the decoder's attention for itself. Unlike
    transformers' own gradient checkpointing this needs no training mode and drops no argument.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), hooked(decoder)

    layers = [module for module in decoder.modules() if isinstance(module, GradientCheckpointingLayer)]
    with exclusive(decoder):
        before = [layer.__dict__.get("forward") for layer in layers]
        try:
            for layer in layers:
                layer.forward = functools.partial(_run, layer.forward, contexts)
            yield
        finally:
            for layer, own in zip(layers, before, strict=True):
                # Most layers have no forward of their own but their class's; some libraries give them one.
                if own is None:
                    layer.__dict__.pop("forward", None)
                else:
                    layer.forward = own


def _run(forward: Any, contexts: Any, *args: Any, **kwargs: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **kwargs)
    return checkpoint(forward, *args, use_reentrant=False, preserve_rng_state=False, context_fn=contexts, **kwargs)
