"""Steering: the attention of some heads is pushed to some positions, and the model answers.

Before the softmax a bias is added to the scores of these heads from src on; every other head, layer and position is
left alone. Whether the answer follows shows what the heads are for. Source: Gandikota and Bau 2026 (arXiv 2606.14703).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from baselines.probing.blocks import accumulator
from baselines.probing.gaze_heads import Head
from baselines.probing.hook import PROBE, Decoder, hooked


@dataclass(frozen=True, slots=True, eq=False)
class Steering:
    """A ``Probe`` that pushes.

    Attributes:
        heads: (layer, head) pairs.
        bias: Added to the scores of each position of the sequence up to src, shape (S,).
    """

    heads: Sequence[Head]
    bias: Tensor

    def attend(
        self, module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
    ) -> Tensor:
        """See ``hook.Probe``; a call may go on after src from a cache."""
        output: Tensor = sdpa_attention_forward(module, query, key, value, mask, scaling=scale)[0]
        count, length = query.shape[2], key.shape[2]
        first = max(0, count - (length - len(self.bias) + 1))
        hidden = torch.ones(count - first, length, dtype=torch.bool, device=key.device).triu_(
            length - count + first + 1
        )
        if mask is not None:
            hidden = hidden | ~mask[:, 0, first:]
        bias = nn.functional.pad(self.bias, (0, length - len(self.bias)))
        for _, head in (pair for pair in self.heads if pair[0] == module.layer_idx):
            own = head * key.shape[1] // query.shape[1]
            scores = (query[:, head, first:] @ key[:, own].transpose(-1, -2)).to(
                accumulator(query.dtype)
            ) * scale + bias
            weights = scores.masked_fill(hidden, torch.finfo(scores.dtype).min).softmax(-1)
            output[:, first:, head] = weights.to(value.dtype) @ value[:, own]
        return output


@contextmanager
def steered(model: Any, heads: Sequence[Head], bias: Tensor) -> Iterator[None]:
    """Within the context every call of the model's decoder is steered; see ``Steering``."""
    decoder, probe = Decoder.of(model).module, Steering(heads, bias)

    def give(module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**kwargs, PROBE: probe}

    with torch.no_grad(), hooked(decoder):
        handle = decoder.register_forward_pre_hook(give, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()
