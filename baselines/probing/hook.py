"""Look into a decoder's attention through transformers' own interfaces.

The attention function and the mask function are registered under one name: with the attention function alone,
transformers hands over no mask and causality vanishes without a word. Without a probe the hooked attention is plain
``sdpa``, so that a call which happens to run while a model is hooked is served correctly.
"""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from baselines.probing.blocks import accumulator
from baselines.probing.inputs import DecoderInputs
from baselines.probing.observed_attention import Seen, observed_attention
from tasks.errors import InputError

HOOKED = "gazebench_probe"
PROBE = "attention_probe"
_UNSUPPORTED = ("softcap", "position_bias", "s_aux")

_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


class Probe(Protocol):
    """Computes the attention of one decoder call and keeps what it needs of it."""

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        """Return the attention output, shape (B, Q, H, d).

        Args:
            module: The attention module, for its ``layer_idx``.
            query: Shape (B, H, Q, d), after norm and rotation.
            key: Shape (B, H_kv, S, d), after norm and rotation, cached positions included.
            value: Shape (B, H_kv, S, d_v).
            mask: None for plain causal attention (full for Q = 1), or True where attended, shape (B, 1, Q, S).
            scale: Factor on the scores.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LayerAttention:
    """What determines the attention weights of one layer over the whole sequence.

    Queries have shape (B, H, S, d), keys (B, H_kv, S, d); the mask is None for plain causal attention, or True where
    attended, shape (B, 1, S, S); ``scale`` is the factor on the scores. Values have shape (B, H_kv, S, d_v), the output
    before the projection (B, S, H, d_v). Observed attention gives ``seen`` and its ``token``.
    """

    query: Tensor
    key: Tensor
    mask: Tensor | None
    scale: float
    value: Tensor
    output: Tensor
    seen: Seen | None = None
    token: Tensor | None = None


@dataclass(slots=True)
class RowProbe:
    """Explicit attention of the single query src after a prefix.

    Attributes:
        prefix: Per layer the keys and values of the prefix, shapes (B, H_kv, S - 1, .); ``attend`` gets src's alone.
        differentiable: The rows are nodes of the graph even where nothing below them requires a gradient.
        first: Layers before it are not looked at.
        rows: Filled by the call: layer index -> attention row of shape (B, H, S), float32 or wider.
    """

    prefix: list[tuple[Tensor, Tensor]]
    differentiable: bool
    first: int = 0
    rows: dict[int, Tensor] = field(default_factory=dict)

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        """See ``Probe``."""
        batch, heads, length, _ = query.shape
        if length != 1 or key.shape[2] != 1:
            raise InputError(f"the explicit answer row takes one position after a prefix, not {length}.")
        layer, groups = _layer(module), key.shape[1]
        before, values = self.prefix[layer]
        # Products with prefix and src apart: joining them would copy every layer's keys and values.
        grouped = query.reshape(batch, groups, heads // groups, -1)
        scores = torch.cat([grouped @ before.transpose(-1, -2), grouped @ key.transpose(-1, -2)], -1)
        scores = scores.to(accumulator(query.dtype)) * scale
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        row = scores.softmax(-1).reshape(batch, heads, -1)
        if layer >= self.first:
            if self.differentiable and not row.requires_grad:
                row.requires_grad_()
            self.rows[layer] = row
        weights = row.to(value.dtype).reshape(batch, groups, heads // groups, -1)
        output = weights[..., :-1] @ values + weights[..., -1:] @ value
        return output.reshape(batch, 1, heads, -1)


@dataclass(slots=True)
class SequenceProbe:
    """Attention of the whole sequence; keeps what determines it per layer.

    Attributes:
        observed: Attention whose weights an operator can read, and which can be differentiated twice; a fast kernel
            otherwise.
        outputs: Make the outputs nodes of the graph even where nothing below them requires a gradient.
        means: Keep the observed weights averaged over heads.
        attention: Filled by the call: layer index -> what was kept.
        first: Layers before it run as without a probe.
        last: The last layer, of whose output only src is read; -1 where all of it is.
        closed: The call is over; layers recomputed on the way back are no longer kept.
    """

    observed: bool = False
    outputs: bool = False
    means: bool = False
    attention: dict[int, LayerAttention] = field(default_factory=dict)
    first: int = 0
    last: int = -1
    closed: bool = False

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        """See ``Probe``."""
        layer, seen, token = _layer(module), None, None
        if self.observed and layer >= self.first:
            # At the last layer only src leads to the answer.
            seen = Seen(mask, scale, query.shape[2] - 1 if layer == self.last else 0)
            output, token = observed_attention(query, key, value, seen, self.means and not self.closed)
        else:
            output, _ = sdpa_attention_forward(module, query, key, value, mask, scaling=scale)
        if self.closed or layer < self.first:
            return output
        if self.outputs and not output.requires_grad:
            output.requires_grad_()
        self.attention[layer] = LayerAttention(query, key, mask, scale, value, output, seen, token)
        return output


@dataclass(frozen=True, slots=True)
class Decoder:
    """The text decoder of a model and its output layer.

    Attributes:
        first: The first layer that is probed, counted from 0; those before it run as they are.
    """

    module: nn.Module
    head: nn.Module
    first: int = 0

    @classmethod
    def of(cls, model: Any) -> "Decoder":
        """Find both in a causal or image-text-to-text model; InputError if the model has no output layer."""
        head = model.get_output_embeddings()
        if head is None:
            raise InputError(
                f"{type(model).__name__} has no language-model head; load it for causal or image-text-to-text use."
            )
        return cls(model.get_decoder(), head)

    def last(self, layers: int) -> "Decoder":
        """Return the decoder with its last ``layers`` layers probed, all for 0 and where it has no more."""
        return replace(self, first=max(0, self.layers - layers) if layers else 0)

    @property
    def probed(self) -> list[nn.Module]:
        """The layers that are probed."""
        return [*self.module.layers][self.first :]  # type: ignore[misc]

    @property
    def layers(self) -> int:
        """Number of layers."""
        return int(self.module.config.num_hidden_layers)  # type: ignore[union-attr, arg-type]

    def run(self, arguments: dict[str, Any], probe: Probe | None = None, **more: Any) -> Any:
        """Call the decoder; with a probe only inside ``hooked``."""
        if probe is not None:
            more[PROBE] = probe
        return self.module(**arguments, **more)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits at src, shape (B, V), from hidden states of shape (B, Q, D).

        InputError if a logit is not finite.
        """
        logits: Tensor = self.head(hidden[:, -1])
        if not bool(torch.isfinite(logits.detach()).all()):
            raise InputError(
                "the model's logits are not finite: its weights, the image or the soft prompt hold NaN or Inf."
            )
        return logits

    def run_sequence(self, inputs: DecoderInputs, probe: SequenceProbe) -> tuple[list[LayerAttention], Tensor]:
        """Run the whole sequence once; return the probed layers from first to last and the logits at src."""
        probe.first, probe.last = self.first, self.layers - 1
        with hooked(self.module):
            hidden = self.run(inputs.arguments(), probe, use_cache=False).last_hidden_state
        layers = in_order(probe.attention, self)
        # Layers that are recomputed on the way back hold on to the probe; it must not hold on to their tensors.
        probe.attention, probe.closed = {}, True
        return layers, self.logits(hidden)


@contextmanager
def exclusive(decoder: nn.Module) -> Iterator[None]:
    """Keep other threads from changing or running the decoder's hooks; they wait. A thread may enter it again."""
    with _locks_guard:
        lock = _locks.setdefault(decoder, threading.RLock())
    with lock:
        yield


@contextmanager
def hooked(decoder: nn.Module) -> Iterator[None]:
    """Route the decoder's attention through this module, one thread at a time; on leaving, everything is as it was."""
    AttentionInterface.register(HOOKED, _attention)
    AttentionMaskInterface.register(HOOKED, sdpa_mask)
    with exclusive(decoder):
        configs = _attention_configs(decoder)
        before = [config._attn_implementation for config in configs]
        try:
            for config in configs:
                config._attn_implementation = HOOKED
            yield
        finally:
            for config, implementation in zip(configs, before, strict=True):
                config._attn_implementation = implementation


def in_order(found: dict[int, Any], decoder: Decoder) -> list[Any]:
    """Return what a probe kept per probed layer, first layer first.

    InputError if the decoder never called the probe, or not in every layer.
    """
    if sorted(found) != list(range(decoder.first, decoder.layers)):
        raise InputError(
            f"{type(decoder.module).__name__} does not pass its attention through transformers' attention interface in "
            "every layer; it cannot be probed."
        )
    return [found[layer] for layer in sorted(found)]


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    probe: Probe | None = kwargs.pop(PROBE, None)
    if probe is None:
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return output, None
    for name in _UNSUPPORTED:
        if kwargs.get(name) is not None:
            raise InputError(
                f"{type(module).__name__} uses '{name}' in its attention, which the probing operators do not model."
            )
    if dropout:
        raise InputError("attention dropout is on; put the model in evaluation mode (model.eval()) before probing it.")
    if not (kwargs.get("is_causal", True) and getattr(module, "is_causal", True)):
        raise InputError(
            f"{type(module).__name__} is not causal; src must be the position whose logits give the answer."
        )
    scale = float(scaling) if scaling is not None else query.shape[-1] ** -0.5
    return probe.attend(module, query, key, value, attention_mask, scale), None


def _layer(module: nn.Module) -> int:
    return int(module.layer_idx)  # type: ignore[arg-type]


def _attention_configs(decoder: nn.Module) -> list[Any]:
    """Return each configuration that some module of the decoder reads its attention implementation from, once."""
    found: dict[int, Any] = {}
    for module in decoder.modules():
        config = getattr(module, "config", None)
        if config is not None and hasattr(config, "_attn_implementation"):
            found.setdefault(id(config), config)
    return list(found.values())
