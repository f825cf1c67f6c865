"""Causal attention that can be differentiated twice without keeping attention matrices.

The forward and first backward passes run in torch's fast kernel. The second backward pass, which no fast kernel
has, recomputes the weights in blocks. With A the weights, G = dO V^T, D = rowsum(A*G) and cotangents (a, b, c) of
(dQ, dK, dV), the first backward pass is dQ = s A*(G - D) K, dK = s (A*(G - D))^T Q, dV = A^T dO, and

    Phi = <a, dQ> + <b, dK> + <c, dV> = sum A*(G - D)*T + A*W,  T = s (a K^T + Q b^T),  W = dO c^T

is differentiated with respect to Q, K, V and dO (t = rowsum(A*T)):

    dPhi/dG = A*(T - t);  dPhi/dA = G*(T - t) - D*T + W = M;  dPhi/dscores = A*(M - rowsum(A*M))
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from baselines.probing.blocks import accumulator, attention_weights, blocks, product


def double_attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """Return the attention output, shape (B, S, H, d_v); keys and values have shape (B, H_kv, S, d or d_v).

    The mask is None for plain causal attention, or True where attended, shape (B, 1, S, S), itself causal.
    """
    output: Tensor = _Attention.apply(query, key, value, mask, scale)  # type: ignore[no-untyped-call]
    return output.transpose(1, 2)


class _Kernel:
    """One run of the fast kernel with its own small graph, so that its first backward pass can be asked for again."""

    def __init__(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> None:
        with torch.enable_grad():
            self.inputs = tuple(tensor.detach().requires_grad_() for tensor in (query, key, value))
            query, key, value = self.inputs
            repeats = query.shape[1] // key.shape[1]
            # Fused kernels share key-value heads themselves only without a mask.
            native = mask is None
            if repeats > 1 and not native:
                key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
            self.output = scaled_dot_product_attention(
                query,
                key,
                value,
                attn_mask=mask,
                is_causal=mask is None,
                scale=scale,
                enable_gqa=repeats > 1 and native,
            )

    def backward(self, grad: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(self.output, self.inputs, grad, retain_graph=True)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        ctx.save_for_backward(query, key, value)
        ctx.kernel = _Kernel(query, key, value, mask, scale)
        ctx.mask, ctx.scale = mask, scale
        output: Tensor = ctx.kernel.output.detach()
        return output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value = ctx.saved_tensors
        grads = _Backward.apply(query, key, value, grad, ctx.kernel, ctx.mask, ctx.scale)  # type: ignore[no-untyped-call]
        return (*grads, None, None)


class _Backward(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        grad: Tensor,
        kernel: _Kernel,
        mask: Tensor | None,
        scale: float,
    ) -> tuple[Tensor, ...]:
        ctx.save_for_backward(query, key, value, grad)
        ctx.mask, ctx.scale = mask, scale
        return kernel.backward(grad)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, u_query: Tensor, u_key: Tensor, u_value: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, grad = ctx.saved_tensors
        groups, scale = key.shape[1], ctx.scale
        kind = accumulator(query.dtype)
        d_query, d_grad = torch.zeros_like(query), torch.zeros_like(grad)
        d_key = torch.zeros(key.shape, dtype=kind, device=key.device)
        d_value = torch.zeros(value.shape, dtype=kind, device=key.device)
        for block in blocks(query, ctx.mask):
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
        return d_query, d_key.to(key.dtype), d_value.to(value.dtype), d_grad, None, None, None
