"""Causal attention in blocks, whose weights an operator may read and which can be differentiated twice.

No attention matrix is kept: every way back recomputes the weights A in blocks. The gradient of A is the sum of what
comes from the output, G = dO V^T, and of what an operator adds to it; both pass the softmax together, so that what was
read costs a few elementwise products and no further pass.

With D = rowsum(A*G), T = s (a K^T + Q b^T), W = dO c^T and cotangents (a, b, c) of (dQ, dK, dV), the first way back is
dQ = s A*(G - D) K, dK = s (A*(G - D))^T Q, dV = A^T dO, and

    Phi = <a, dQ> + <b, dK> + <c, dV> = sum A*(G - D)*T + A*W

is differentiated with respect to Q, K, V and dO (t = rowsum(A*T)):

    dPhi/dG = A*(T - t);  dPhi/dA = G*(T - t) - D*T + W = M;  dPhi/dscores = A*(M - rowsum(A*M))
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from baselines.probing.blocks import Block, accumulator, attention_weights, blocks, product


@dataclass(slots=True, eq=False)
class Seen:
    """What an operator reads of one layer's attention, and what it wants differentiated.

    Attributes:
        mask: None for plain causal attention, or True where attended, shape (B, 1, S, S).
        scale: Factor on the scores.
        first_row: Output and gradients before it are 0: nothing reads them.
        means: Per block the weights averaged over heads, shape (b, n, e); empty where they are not kept.
        pull: Adds to the gradient of a block's weights: called with the block, its weights and their gradient, both of
            shape (b, H_kv, G n, e). The next way back uses it up.
    """

    mask: Tensor | None
    scale: float
    first_row: int = 0
    means: list[tuple[Block, Tensor]] = field(default_factory=list)
    pull: Callable[[Block, Tensor, Tensor], None] | None = None


def observed_attention(query: Tensor, key: Tensor, value: Tensor, seen: Seen, means: bool) -> tuple[Tensor, Tensor]:
    """Return the attention output, shape (B, S, H, d_v), and an empty tensor that is the weights in the graph.

    Keys and values have shape (B, H_kv, S, d or d_v). Whatever sets ``seen.pull`` on its way back takes the empty
    tensor as an input, so that it goes first. ``means`` fills ``seen.means``.
    """
    output, token = _Attention.apply(query, key, value, seen, means)  # type: ignore[no-untyped-call]
    return output.transpose(1, 2), token


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, seen: Seen, means: bool) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(query, key, value)
        ctx.set_materialize_grads(False)  # no zeros but those made here, where the weights are
        ctx.seen = seen
        output = value.new_zeros(*query.shape[:3], value.shape[3])
        for block in blocks(query, seen.mask, seen.first_row):
            weights = attention_weights(block, query, key, seen.scale)
            block.add_rows(output, product(weights, block.keys(value)))
            if means:
                heads = weights.view(weights.shape[0], -1, block.stop - block.start, block.stop)
                seen.means.append((block, heads.mean(1)))
        return output, output.new_zeros(0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None, _: Tensor | None) -> tuple[Tensor | None, ...]:
        query, key, value = ctx.saved_tensors
        if grad is None:  # the weights were read, the output was not
            grad = value.new_zeros(*query.shape[:3], value.shape[3])
        return *_Backward.apply(query, key, value, grad, ctx.seen), None, None  # type: ignore[no-untyped-call]


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, grad: Tensor, seen: Seen
    ) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(query, key, value, grad)
        ctx.set_materialize_grads(False)
        ctx.seen = seen
        pull, seen.pull = seen.pull, None
        kind, groups = accumulator(query.dtype), key.shape[1]
        d_query = torch.zeros_like(query)
        d_key = torch.zeros(key.shape, dtype=kind, device=key.device)
        d_value = torch.zeros(value.shape, dtype=kind, device=key.device)
        for block in blocks(query, seen.mask, seen.first_row):
            weights = attention_weights(block, query, key, seen.scale)
            rows, keys = block.rows(grad, groups), block.keys(key)
            block.add_keys(d_value, product(weights.transpose(-1, -2), rows))
            d_weights = product(rows, block.keys(value).transpose(-1, -2))
            if pull is not None:
                pull(block, weights, d_weights)
            d_scores = d_weights.mul_(weights)
            d_scores.addcmul_(weights, d_scores.sum(-1, keepdim=True), value=-1).mul_(seen.scale)
            block.add_rows(d_query, product(d_scores, keys))
            block.add_keys(d_key, product(d_scores.transpose(-1, -2), block.rows(query, groups)))
        return d_query, d_key.to(key.dtype), d_value.to(value.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        query, key, value, grad = ctx.saved_tensors
        u_query, u_key, u_value = (
            torch.zeros_like(of) if u is None else u for u, of in zip(given, (query, key, value), strict=True)
        )
        seen: Seen = ctx.seen
        kind, groups, scale = accumulator(query.dtype), key.shape[1], seen.scale
        d_query, d_grad = torch.zeros_like(query), torch.zeros_like(grad)
        d_key = torch.zeros(key.shape, dtype=kind, device=key.device)
        d_value = torch.zeros(value.shape, dtype=kind, device=key.device)
        for block in blocks(query, seen.mask, seen.first_row):
            q, dout, uq = (block.rows(tensor, groups) for tensor in (query, grad, u_query))
            k, v, uk, uv = (block.keys(tensor) for tensor in (key, value, u_key, u_value))
            weights = attention_weights(block, query, key, scale)
            inner = product(dout, v.transpose(-1, -2))
            tangent = product(torch.cat([uq, q], -1), torch.cat([k, uk], -1).transpose(-1, -2)).mul_(scale)
            d_weights = product(dout, uv.transpose(-1, -2))
            reduced = (weights * inner).sum(-1, keepdim=True)
            d_weights.addcmul_(reduced, tangent, value=-1)
            tangent -= (weights * tangent).sum(-1, keepdim=True)
            d_weights.addcmul_(inner, tangent)
            tangent *= weights
            d_weights -= (weights * d_weights).sum(-1, keepdim=True)
            d_scores = d_weights.mul_(weights).mul_(scale)
            first = inner.sub_(reduced).mul_(weights).mul_(scale)
            block.add_rows(d_grad, product(tangent, v) + product(weights, uv))
            block.add_keys(d_value, product(tangent.transpose(-1, -2), dout))
            both = torch.cat([d_scores, first], -1)
            block.add_rows(d_query, product(both, torch.cat([k, uk], -2)))
            stacked = torch.cat([d_scores, first], -2)
            block.add_keys(d_key, product(stacked.transpose(-1, -2), torch.cat([q, uq], -2)))
        return d_query, d_key.to(key.dtype), d_value.to(value.dtype), d_grad, None
