"""Answer-token recomputation: the attention rows of src at the price of one more token (PROTOCOL section 6).

src is the last position, so the answer's logit depends on row src of A_l only through position src itself. All
positions before it run once through a fast kernel; their keys and values stay in the graph. src then runs alone with
explicit attention, and only that small graph is ever differentiated twice.
"""

from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from baselines.probing.hook import HOOKED, Decoder, RowProbe, hooked, in_order
from baselines.probing.inputs import DecoderInputs, cached
from baselines.probing.silu import recomputed_silu
from tasks.errors import InputError


class PrefixDone(Exception):
    """The last layer's keys and values are there: nothing else of the prefix leads to the answer."""


class _Keep(DynamicLayer):  # type: ignore[misc]
    """Cache of one layer that keeps the keys and values of the prefix as they come, without a copy.

    Every position is kept in every layer; sliding windows are left to the mask.
    """

    last = False

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        self.keys, self.values, self.is_initialized = key_states, value_states, True
        if self.last:
            raise PrefixDone
        return key_states, value_states

    def get_seq_length(self) -> int:
        return int(self.keys.shape[-2]) if self.is_initialized else 0


class _KnownLength(DynamicLayer):  # type: ignore[misc]
    """Cache of one layer that only says how long the sequence before src is; the probe holds its keys and values."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return key_states, value_states

    def get_seq_length(self) -> int:
        return self.length


def answer_rows(
    decoder: Decoder, inputs: DecoderInputs, differentiable: bool, create_graph: bool
) -> tuple[list[Tensor], Tensor]:
    """Return row src of every probed layer's attention and the logits at src, shape (B, V).

    The rows, first layer first, have shape (B, H, S) in float32 or wider. With ``differentiable`` the logits can be
    differentiated with respect to them; with ``create_graph`` both stay connected to ``inputs``, otherwise the prefix
    builds no graph.
    """
    cache = Cache(layers=[_Keep() for _ in range(decoder.layers)])
    cache.layers[-1].last = True
    prefix = inputs.prefix_arguments()
    own = getattr(getattr(decoder.module, "config", None), "_attn_implementation", None) or HOOKED
    with torch.set_grad_enabled(create_graph):
        attention = nullcontext() if "flash" in own else hooked(decoder.module)
        with suppress(PrefixDone), attention, recomputed_silu(decoder.module) if create_graph else nullcontext():
            decoder.run(prefix, **cached(decoder.module, cache), use_cache=True)
    if not cache.layers[-1].is_initialized:
        raise InputError(
            f"{type(decoder.module).__name__} did not fill its cache of {decoder.layers} layers; it cannot be probed."
        )
    return src_rows(decoder, inputs, cache.layers, differentiable, create_graph)


def src_rows(
    decoder: Decoder, inputs: DecoderInputs, prefix: Sequence[Any], differentiable: bool, create_graph: bool
) -> tuple[list[Tensor], Tensor]:
    """Run src alone after the layers' ``keys`` and ``values`` of the prefix; return what ``answer_rows`` does."""
    seen = Cache(layers=[_KnownLength(inputs.attention_mask.shape[1] - 1) for _ in prefix])
    probe = RowProbe([(layer.keys, layer.values) for layer in prefix], differentiable, decoder.first)
    with torch.set_grad_enabled(differentiable or create_graph), hooked(decoder.module):
        given = inputs.src_arguments() | cached(decoder.module, seen)
        hidden = decoder.run(given, probe, use_cache=True).last_hidden_state
        logits = decoder.logits(hidden)
    return in_order(probe.rows, decoder), logits
