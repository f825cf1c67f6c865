"""Decoder layers of a split backbone keep their input alone and run again on the way back.

In answer-token recomputation (PROTOCOL section 6) the positions before src are differentiated once: their layers run
under ``torch.utils.checkpoint``, each gathering its weights for itself, there and back. src, which is differentiated
twice, is one position: its activations are kept, its weights are not (``linear``).
"""

from __future__ import annotations

import copy
import functools
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

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
    cache = kwargs.pop("past_key_values", None)
    before = None if cache is None else _as_it_is(cache)
    caches = iter([cache])
    was_hooked = getattr(getattr(decoder, "config", None), "_attn_implementation", None) == HOOKED

    def layer(hidden: Tensor) -> Any:
        # The second run finds the cache as the first one found it, and leaves no trace in it.
        seen = next(caches, None)
        if seen is None and before is not None:
            seen = _as_it_is(before)
        return forward(hidden, *args, past_key_values=seen, **kwargs)

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), hooked(decoder) if was_hooked else nullcontext()

    return checkpoint(layer, hidden, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


def _as_it_is(cache: Any) -> Any:
    """Return a copy of a cache that shares its tensors; updates replace tensors and leave the other copy alone."""
    found = copy.copy(cache)
    found.layers = [copy.copy(layer) for layer in cache.layers]
    return found
