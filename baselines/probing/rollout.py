"""Attention Rollout as a row vector pushed down the layers.

    E_l = rownorm(0.5 mean_h A_l + 0.5 I), R = E_L ... E_2 E_1, read at row src

Rows of A_l sum to 1, so rownorm changes nothing and row <- 0.5 row + 0.5 mean_h(row A_l): O(S^2) per layer.
Source: Abnar and Zuidema 2020 (arXiv 2005.00928); PROTOCOL section 6.

On the way back the gradient of the row runs from the first layer to the last: with g the gradient of what left a layer
and r half the row that entered it, that of the scores is r_i / H * A (g - A g).
"""

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from baselines.probing.blocks import accumulator, attention_weights, blocks, check_causal, product
from baselines.probing.hook import Decoder, LayerAttention, SequenceProbe, exclusive, hooked
from baselines.probing.inputs import DecoderInputs, Target


def push_down(layers: list[LayerAttention]) -> list[Tensor]:
    """Return the row before the last layer, after it, ..., after the first: L + 1 tensors of shape (B, S)."""
    query = layers[-1].query
    row = torch.zeros(query.shape[0], query.shape[2], dtype=accumulator(query.dtype), device=query.device)
    row[:, -1] = 1.0
    rows = [row]
    for layer in reversed(layers):
        # Into the last layer goes src alone.
        first_row = row.shape[1] - 1 if len(rows) == 1 else 0
        row = 0.5 * row + 0.5 * _row_times_mean(row, layer, first_row)
        rows.append(row)
    return rows


class _Chain(torch.autograd.Function):
    """The row after the first layer, from the layers' queries and keys; only these and the rows are kept."""

    @staticmethod
    def forward(ctx: Any, layers: list[LayerAttention], *tensors: Tensor) -> Tensor:
        rows = push_down(layers)
        ctx.rows = rows[:-1]
        ctx.save_for_backward(*tensors)
        ctx.fixed = [(layer.mask, layer.scale) for layer in layers]
        return rows[-1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, column: Tensor) -> tuple[Tensor | None, ...]:
        saved, last = ctx.saved_tensors, len(ctx.fixed) - 1
        found: list[Tensor] = []
        for index, fixed in enumerate(ctx.fixed):
            first_row = column.shape[1] - 1 if index == last else 0
            layer = LayerAttention(*saved[2 * index : 2 * index + 2], *fixed)
            column, *gradients = _back(ctx.rows[last - index], column, layer, first_row)
            found += gradients
        return None, *found


def _back(row: Tensor, column: Tensor, layer: LayerAttention, first_row: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of ``row``, which entered a layer, and of its queries and keys, from that of what left it.

    Entries of ``row`` before ``first_row`` are 0, and so are the gradients there.
    """
    query, key = layer.query, layer.key
    heads, groups = query.shape[1], key.shape[1]
    up = 0.5 * column
    d_query = torch.zeros_like(query)
    d_key = torch.zeros(key.shape, dtype=column.dtype, device=key.device)
    for block in blocks(query, layer.mask, first_row):
        weights = attention_weights(block, query, key, layer.scale)
        g = column[block.batch, : block.stop]
        seen = (weights.view(weights.shape[0], -1, block.stop) @ g[:, :, None]).view(weights.shape[:3])
        up[block.batch, block.start : block.stop] += 0.5 * seen.view(weights.shape[0], heads, -1).mean(1)
        share = row[block.batch, None, block.start : block.stop] * (0.5 * layer.scale / heads)
        share = share.expand(-1, heads, -1).reshape(seen.shape)
        d_scores = (g[:, None, None, :] - seen[..., None]).mul_(share[..., None]).mul_(weights)
        block.add_rows(d_query, product(d_scores, block.keys(key)))
        block.add_keys(d_key, product(d_scores.transpose(-1, -2), block.rows(query, groups)))
    return up, d_query, d_key.to(key.dtype)


def _row_times_mean(row: Tensor, layer: LayerAttention, first_row: int) -> Tensor:
    """Return row mean_h(A), shape (B, S); entries of ``row`` before ``first_row`` are 0."""
    heads = layer.query.shape[1]
    total = torch.zeros_like(row)
    for block in blocks(layer.query, layer.mask, first_row):
        weights = attention_weights(block, layer.query, layer.key, layer.scale)
        share = (row[block.batch, None, block.start : block.stop] / heads).expand(-1, heads, -1)
        share = share.reshape(weights.shape[0], 1, -1)
        total[block.batch, : block.stop] += (share @ weights.view(share.shape[0], -1, block.stop))[:, 0]
    return total


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
        recompute: With ``create_graph``, keep only each probed layer's input, queries and keys and recompute the rest
            on the way back: about a third of the memory for about a third of a plain training step more time.
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
                layers, logits = decoder.run_sequence(inputs, SequenceProbe())
            check_causal(layer.mask for layer in layers)
            tensors = [tensor for layer in layers for tensor in (layer.query, layer.key)]
            row: Tensor = _Chain.apply(layers, *tensors)  # type: ignore[no-untyped-call]
        return row, logits
