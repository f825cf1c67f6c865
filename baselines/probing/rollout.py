"""Attention Rollout as a row vector pushed down the layers.

    E_l = rownorm(0.5 mean_h A_l + 0.5 I), R = E_L ... E_2 E_1, read at row src

Rows of A_l sum to 1, so rownorm changes nothing and row <- 0.5 row + 0.5 row mean_h(A_l): O(S^2) per layer. Attention
is computed once, in blocks, and its means over heads are kept until the row has passed them.
Source: Abnar and Zuidema 2020 (arXiv 2005.00928); PROTOCOL section 6.

On the way back the gradient of the row runs from the first layer to the last: with g the gradient of what left a layer
and r half the row that entered it, that of A_l[h,i,j] is r_i g_j / H.
"""

import functools
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from baselines.probing.blocks import Block, accumulator, check_causal
from baselines.probing.hook import Decoder, SequenceProbe, exclusive, hooked
from baselines.probing.inputs import DecoderInputs, Target
from baselines.probing.observed_attention import Seen


class _Chain(torch.autograd.Function):
    """The row after the first layer, from the layers' means; it starts as src at the last."""

    @staticmethod
    def forward(ctx: Any, start: Tensor, layers: Sequence[Seen], *tokens: Tensor) -> Tensor:
        row, ctx.layers, ctx.rows = start, layers, []
        for layer in reversed(layers):
            ctx.rows.append(0.5 * row)
            total = torch.zeros_like(row)
            for block, mean in layer.means:
                total[block.batch, : block.stop] += (row[block.batch, None, block.start : block.stop] @ mean)[:, 0]
            row = 0.5 * row + 0.5 * total
        return row

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, column: Tensor) -> tuple[Tensor | None, ...]:
        for layer, row in zip(ctx.layers, reversed(ctx.rows), strict=True):
            layer.pull = functools.partial(_pull, row, column)
            up = 0.5 * column
            for block, mean in layer.means:
                up[block.batch, block.start : block.stop] += (
                    0.5 * (mean @ column[block.batch, : block.stop, None])[..., 0]
                )
            column = up
        return None, None, *(column.new_zeros(0) for _ in ctx.layers)


def _pull(row: Tensor, column: Tensor, block: Block, weights: Tensor, d_weights: Tensor) -> None:
    """Add the gradient of a block's weights; ``row`` is half the one that entered the layer, shape (B, S)."""
    part = row[block.batch, None, block.start : block.stop]
    heads = weights.shape[1] * weights.shape[2] // part.shape[2]
    share = (part / heads).expand(-1, heads, -1).reshape(weights.shape[:3])
    d_weights.addcmul_(share[..., None], column[block.batch, None, None, : block.stop])


@contextmanager
def recomputed_layers(decoder: Decoder) -> Iterator[None]:
    """Within the context a forward pass keeps only each probed layer's input; the decoder is left as it was found.

    The way back comes after the context, so every recomputation hooks the decoder's attention for itself. Unlike
    transformers' own gradient checkpointing this needs no training mode and drops no argument.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), hooked(decoder.module)

    layers = decoder.probed
    with exclusive(decoder.module):
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


@dataclass(frozen=True, slots=True)
class Rollout:
    """Attention Rollout; differentiable through the attention weights, no gradient inside.

    Attributes:
        recompute: With ``create_graph``, keep only each probed layer's input and means and recompute the rest on the
            way back: about a third of the memory for about a third of a plain training step more time.
        last_layers: Only so many of the last layers enter; 0 for all.
    """

    recompute: bool = True
    last_layers: int = 0

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return row src of R, shape (B, S), and the logits at src; the target plays no part."""
        decoder = decoder.last(self.last_layers)
        recompute = create_graph and self.recompute
        with torch.set_grad_enabled(create_graph):
            with recomputed_layers(decoder) if recompute else nullcontext():
                layers, logits = decoder.run_sequence(inputs, SequenceProbe(observed=True, means=True))
            check_causal(layer.mask for layer in layers)
            kind = accumulator(layers[0].query.dtype)
            start = torch.zeros(inputs.attention_mask.shape, dtype=kind, device=logits.device)
            start[:, -1] = 1.0
            seen, tokens = [layer.seen for layer in layers], [layer.token for layer in layers]
            row: Tensor = _Chain.apply(start, seen, *tokens)  # type: ignore[no-untyped-call]
        return row, logits
