"""Attention Rollout as a row vector pushed down the layers.

    E_l = rownorm(0.5 mean_h A_l + 0.5 I), R = E_L ... E_2 E_1, read at row src

Rows of A_l sum to 1, so rownorm changes nothing and row <- 0.5 row + 0.5 mean_h(row A_l): O(S^2) per layer.
Source: Abnar and Zuidema 2020 (arXiv 2005.00928); PROTOCOL section 6.

The row of Attention Rollout and its gradient.

The row runs from the last layer to the first, its gradient back up, and only then does the decoder's own way back
reach each layer. Gradients of queries and keys would have to wait for it in every layer; instead two vectors per layer
wait, the row r that entered the layer and the gradient g of what left it. A tap on the layer's queries and keys turns
them into gradients when its turn comes: for the scores, r_i / H * A (g - A g).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

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


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """Between the row's way up and a layer's turn: half the row that entered it, and the gradient of what left."""

    row: Tensor
    first_row: int
    column: Tensor


class RowChain:
    """The row's way down and up, tied to the decoder's graph by one tap per layer."""

    def __init__(self) -> None:
        self._anchors: dict[int, Tensor] = {}
        self._closed = False
        self._waiting: dict[int, _Waiting] = {}

    def tap(self, index: int, query: Tensor, key: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
        """Return ``query`` and ``key`` unchanged, so tapped that the gradient of the row reaches them."""
        query, key, anchor = _Tap.apply(query, key, mask, scale, self._waiting, index)  # type: ignore[no-untyped-call]
        # A layer recomputed on the way back comes here again, but the row hangs on its first run.
        if not self._closed:
            self._anchors[index] = anchor
        return query, key

    def relevance(self, layers: list[LayerAttention]) -> Tensor:
        """Return the row after the first layer, shape (B, S), in the graph of the tapped layers."""
        anchors = [self._anchors[index] for index in range(len(layers))]
        row: Tensor = _Chain.apply(layers, self._waiting, *anchors)  # type: ignore[no-untyped-call]
        self._anchors, self._closed = {}, True
        return row


class _Tap(torch.autograd.Function):
    """Identity of queries and keys, and an anchor that makes the way back wait for the row's."""

    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        mask: Tensor | None,
        scale: float,
        waiting: dict[int, _Waiting],
        index: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(query, key)
        ctx.rest = (mask, scale, waiting, index)
        return query.view_as(query), key.view_as(key), query.new_zeros(())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_query: Tensor, d_key: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        mask, scale, waiting, index = ctx.rest
        query, key = ctx.saved_tensors
        if index not in waiting:
            return d_query, d_key, None, None, None, None
        turn = waiting.pop(index)
        heads, groups = query.shape[1], key.shape[1]
        kind = accumulator(query.dtype)
        d_query, d_key = d_query.to(kind, copy=True), d_key.to(kind, copy=True)
        for block in blocks(query, mask, turn.first_row):
            weights = attention_weights(block, query, key, scale)
            g = turn.column[block.batch, : block.stop]
            seen = (weights.view(weights.shape[0], -1, block.stop) @ g[:, :, None]).view(weights.shape[:3])
            share = turn.row[block.batch, None, block.start : block.stop] * (scale / heads)
            share = share.expand(-1, heads, -1).reshape(seen.shape)
            d_scores = (g[:, None, None, :] - seen[..., None]).mul_(share[..., None]).mul_(weights)
            block.add_rows(d_query, product(d_scores, block.keys(key)))
            block.add_keys(d_key, product(d_scores.transpose(-1, -2), block.rows(query, groups)))
        return d_query.to(query.dtype), d_key.to(key.dtype), None, None, None, None


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layers: list[LayerAttention], waiting: dict[int, _Waiting], *anchors: Tensor) -> Tensor:
        rows = push_down(layers)
        ctx.rows = rows[:-1]
        ctx.save_for_backward(*(tensor.detach() for layer in layers for tensor in (layer.query, layer.key)))
        ctx.layers, ctx.waiting = [(layer.mask, layer.scale) for layer in layers], waiting
        return rows[-1]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, column: Tensor) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        last = len(ctx.layers) - 1
        for index, (mask, scale) in enumerate(ctx.layers):
            row = 0.5 * ctx.rows[last - index]
            ctx.waiting[index] = _Waiting(row, row.shape[1] - 1 if index == last else 0, column)
            if index < last:
                query, key = saved[2 * index : 2 * index + 2]
                column = 0.5 * column + 0.5 * _mean_times_column(column, LayerAttention(query, key, mask, scale))
        return (None, None, *(saved[0].new_zeros(()) for _ in ctx.layers))


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


def _mean_times_column(column: Tensor, layer: LayerAttention) -> Tensor:
    """Return mean_h(A) column, shape (B, S)."""
    heads = layer.query.shape[1]
    total = torch.zeros_like(column)
    for block in blocks(layer.query, layer.mask):
        weights = attention_weights(block, layer.query, layer.key, layer.scale)
        flat = weights.view(weights.shape[0], -1, block.stop)
        seen = (flat @ column[block.batch, : block.stop, None]).view(weights.shape[0], heads, -1)
        total[block.batch, block.start : block.stop] = seen.mean(1)
    return total


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


@dataclass(frozen=True, slots=True)
class Rollout:
    """Attention Rollout; differentiable through the attention weights, no gradient inside.

    Attributes:
        recompute: With ``create_graph``, keep only each layer's input, queries and keys and recompute the rest on the
            way back: about a third of the memory for about a third of a plain training step more time.
    """

    recompute: bool = True

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return row src of R, shape (B, S), and the logits at src; the target plays no part."""
        if not create_graph:
            with torch.no_grad():
                layers, logits = decoder.run_sequence(inputs, SequenceProbe())
                check_causal(layer.mask for layer in layers)
                return push_down(layers)[-1], logits
        chain = RowChain()
        with recomputed_layers(decoder.module) if self.recompute else nullcontext():
            layers, logits = decoder.run_sequence(inputs, SequenceProbe(tap=chain.tap))
        check_causal(layer.mask for layer in layers)
        return chain.relevance(layers), logits
