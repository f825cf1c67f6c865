"""GLIMPSE as a row vector pushed down the layers.

    G_l = dy/dA_l, P = relu(A*G), score_h = sum(P) / (sum(relu(G)) + eps), w = softmax(score / 0.5)
    E_l = rownorm(sum_h w_h P_h), alpha_l ~ sum|sum_h G_l| softmax_l(0.2 l), normalised over layers
    R = (I + alpha_L E_L) ... (I + alpha_1 E_1), read at row src

Sums over G run over attended positions only (ours). A row of P that is 0 throughout stays 0; if every G is 0, so is
alpha. No matrix is ever differentiated for: G = dO V^T per head, with dO = dy/d(attention output), so one backward
pass to the attention outputs gives every layer's.

Source: Shen 2025 (arXiv 2506.18985), as used by Huang et al. 2026 (arXiv 2604.09368); PROTOCOL section 6.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from baselines.probing.blocks import Block, accumulator, attention_weights, blocks, check_causal, product
from baselines.probing.hook import Decoder, LayerAttention, SequenceProbe
from baselines.probing.inputs import DecoderInputs, Target
from baselines.probing.silu import twice_differentiable_silu


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """What is given of a layer, and the constants of the definition.

    Attributes:
        mask: None for plain causal attention, or True where attended, shape (B, 1, S, S).
        scale: Factor on the scores.
        first_row: Rows of the attention output's gradient before it are 0.
        temperature: Of the softmax over heads.
        eps: Added to sum(relu(G)).
    """

    mask: Tensor | None
    scale: float
    first_row: int
    temperature: float
    eps: float


def gradient_mass(grad: Tensor, value: Tensor, mask: Tensor | None, first_row: int) -> Tensor:
    """Return sum over attended i, j of |sum_h G_h|, shape (B,), with G = grad value^T.

    ``grad`` is the gradient of the attention output, shape (B, H, S, d_v), 0 before ``first_row``; values have shape
    (B, H_kv, S, d_v).
    """
    # Heads that share values may be added up first: sum_h dO_h V_h^T = sum_g (sum_{h in g} dO_h) V_g^T.
    batch, _, length, width = grad.shape
    shared = grad.reshape(batch, value.shape[1], -1, length, width).sum(2)
    mass: Tensor = _GradientMass.apply(shared, value, mask, first_row)  # type: ignore[no-untyped-call]
    return mass


def push_row(
    row: Tensor, layer: LayerAttention, value: Tensor, grad: Tensor, fixed: Fixed, constant: bool = False
) -> Tensor:
    """Return ``row`` times E of one layer, both of shape (B, S).

    Values have shape (B, H_kv, S, d_v); ``grad`` is the gradient of the answer's logit with respect to the attention
    output, shape (B, H, S, d_v). Where both are constant, the observed weights alone are differentiated.
    """
    inputs = (layer.query.detach(), layer.key.detach()) if constant else (layer.query, layer.key)
    observed = (layer.seen, layer.token) if constant else (None, None)
    pushed: Tensor = _PushRow.apply(row, *inputs, value, grad, fixed, *observed)  # type: ignore[no-untyped-call]
    return pushed


class _GradientMass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grad: Tensor, value: Tensor, mask: Tensor | None, first_row: int) -> Tensor:
        ctx.save_for_backward(grad, value)
        ctx.mask, ctx.first_row = mask, first_row
        mass = torch.zeros(grad.shape[0], dtype=accumulator(grad.dtype), device=grad.device)
        for block, summed, _, _ in _summed(grad, value, mask, first_row):
            mass[block.batch] += summed.abs_().sum((1, 2))
        return mass

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, d_mass: Tensor) -> tuple[Tensor | None, ...]:
        grad, value = ctx.saved_tensors
        d_grad = torch.zeros_like(grad)
        d_value = torch.zeros(value.shape, dtype=d_mass.dtype, device=value.device)
        for block, summed, rows, keys in _summed(grad, value, ctx.mask, ctx.first_row):
            sign = summed.sign_().mul_(d_mass[block.batch, None, None])
            d_rows = _split(product(sign, keys), grad.shape[1])
            d_keys = _split(product(sign.transpose(-1, -2), rows), grad.shape[1])
            d_grad[block.batch, :, block.start : block.stop] += d_rows
            block.add_keys(d_value, d_keys)
        return d_grad, d_value.to(value.dtype), None, None


def _summed(grad: Tensor, value: Tensor, mask: Tensor | None, first_row: int) -> Any:
    """Yield per block sum_h G, shape (b, n, e), 0 where not attended, and its two factors."""
    for block in blocks(grad, mask, first_row):
        rows = grad[block.batch, :, block.start : block.stop].transpose(1, 2).flatten(2)
        keys = block.keys(value).transpose(1, 2).flatten(2)
        yield block, block.hide(product(rows, keys.transpose(-1, -2)), 0.0), rows, keys


def _split(joined: Tensor, groups: int) -> Tensor:
    """Return (b, n, H_kv d) as (b, H_kv, n, d)."""
    return joined.view(*joined.shape[:2], groups, -1).transpose(1, 2)


@dataclass(slots=True, eq=False)
class _Layer:
    """Everything between the attention of a layer and its E, for the whole batch.

    Attributes:
        parts: Per block P = A relu(G), shape (b, H_kv, G n, e); all of this layer and of no other.
        factors: Per block A and relu(G), only on the way back.
        row_sum: sum_j P, shape (B, H, S).
        mass: sum relu(G), shape (B, H), as are the heads' ``score`` and their weights w, ``share``.
        norm: sum_h w_h sum_j P, shape (B, S), 1 where it is 0.
        empty: Where it is 0: a row without positive evidence, with nothing to normalise; shape (B, S).
    """

    parts: list[tuple[Block, Tensor]]
    factors: list[tuple[Tensor, Tensor]]
    row_sum: Tensor
    mass: Tensor
    score: Tensor
    share: Tensor
    norm: Tensor
    empty: Tensor


def _layer(query: Tensor, key: Tensor, value: Tensor, grad: Tensor, fixed: Fixed, both: bool = False) -> _Layer:
    batch, heads, length, _ = query.shape
    groups = key.shape[1]
    kind = accumulator(query.dtype)
    row_sum = torch.zeros(batch, heads, length, dtype=kind, device=query.device)
    mass = torch.zeros(batch, heads, dtype=kind, device=query.device)
    parts: list[tuple[Block, Tensor]] = []
    factors: list[tuple[Tensor, Tensor]] = []
    for block in blocks(query, fixed.mask, fixed.first_row):
        weights = attention_weights(block, query, key, fixed.scale)
        gradient = product(block.rows(grad, groups), block.keys(value).transpose(-1, -2)).clamp_(min=0)
        block.hide(gradient, 0.0)
        positive = weights * gradient if both else weights.mul_(gradient)
        block.add_rows(row_sum, positive.sum(-1))
        mass[block.batch] += gradient.sum(-1).view(gradient.shape[0], heads, -1).sum(-1)
        parts.append((block, positive))
        if both:
            factors.append((weights, gradient))
    score = row_sum.sum(-1) / (mass + fixed.eps)
    share = torch.softmax(score / fixed.temperature, 1)
    norm = torch.einsum("bh,bhi->bi", share, row_sum)
    empty = norm == 0
    return _Layer(parts, factors, row_sum, mass, score, share, norm.masked_fill(empty, 1.0), empty)


class _PushRow(torch.autograd.Function):
    """``row`` times E. Only its inputs are kept; the way back builds the layer again.

    With r = row / norm, out_j = sum_i r_i sum_h w_h P_hij, g the gradient of out and u = P g:
    d r_i = sum_h w_h u_hi, d norm_i = -d r_i r_i / norm_i, d w_h = sum_i (r_i u_hi + d norm_i rowsum_hi), and
    d P_hij = w_h (r_i g_j + d norm_i) + d sum(P)_h, a product of a row and a column plus a row constant.
    """

    @staticmethod
    def forward(ctx: Any, row: Tensor, query: Tensor, key: Tensor, value: Tensor, grad: Tensor, *more: Any) -> Tensor:
        ctx.save_for_backward(row, query, key, value, grad)
        fixed, ctx.observed, _ = more
        ctx.fixed = fixed
        layer = _layer(query, key, value, grad, fixed)
        through = layer.share[:, :, None] * _normalised(row, layer)[:, None]
        total = torch.zeros_like(row)
        for block, positive in layer.parts:
            rows = through[block.batch, :, block.start : block.stop].reshape(positive.shape[0], 1, -1)
            total[block.batch, : block.stop] += (rows @ positive.view(rows.shape[0], -1, block.stop))[:, 0]
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, column: Tensor) -> tuple[Tensor | None, ...]:
        row, query, key, value, grad = ctx.saved_tensors
        fixed = ctx.fixed
        groups = key.shape[1]
        layer = _layer(query, key, value, grad, fixed, both=ctx.observed is None)
        seen = torch.zeros_like(layer.row_sum)
        for block, positive in layer.parts:
            flat = positive.view(positive.shape[0], -1, block.stop)
            block.add_rows(seen, (flat @ column[block.batch, : block.stop, None]).view(positive.shape[:3]))
        normalised = _normalised(row, layer)
        d_normalised = torch.einsum("bh,bhi->bi", layer.share, seen).masked_fill(layer.empty, 0.0)
        d_norm = -d_normalised * normalised / layer.norm
        d_share = torch.einsum("bi,bhi->bh", normalised, seen) + torch.einsum("bi,bhi->bh", d_norm, layer.row_sum)
        d_score = layer.share * (d_share - (layer.share * d_share).sum(1, keepdim=True)) / fixed.temperature
        d_sum = d_score / (layer.mass + fixed.eps)
        d_mass = -d_sum * layer.score
        outer = layer.share[:, :, None] * normalised[:, None]
        offset = layer.share[:, :, None] * d_norm[:, None] + d_sum[:, :, None]
        if ctx.observed is not None:

            def pull(block: Block, weights: Tensor, d_weights: Tensor) -> None:
                d_product = block.rows(outer, groups)[..., None] * column[block.batch, None, None, : block.stop]
                d_product += block.rows(offset, groups)[..., None]
                gradient = product(block.rows(grad, groups), block.keys(value).transpose(-1, -2))
                d_weights.addcmul_(d_product, gradient.clamp_(min=0))

            ctx.observed.pull = pull
            return d_normalised / layer.norm, *[None] * 6, row.new_zeros(0)
        # rowsum(A dA) = rowsum(P dP), known without another pass over the block.
        centre = outer * seen + offset * layer.row_sum

        d_query, d_grad = torch.zeros_like(query), torch.zeros_like(grad)
        d_key = torch.zeros(key.shape, dtype=row.dtype, device=key.device)
        d_value = torch.zeros(value.shape, dtype=row.dtype, device=key.device)
        while layer.parts:
            (block, positive), (weights, gradient) = layer.parts.pop(), layer.factors.pop()
            d_product = block.rows(outer, groups)[..., None] * column[block.batch, None, None, : block.stop]
            d_product += block.rows(offset, groups)[..., None]
            d_gradient = weights * d_product
            mass = d_mass.view(d_mass.shape[0], groups, -1, 1).expand(-1, -1, -1, block.stop - block.start)
            d_gradient += mass[block.batch].reshape(*d_gradient.shape[:3], 1)
            d_gradient *= gradient > 0
            block.add_rows(d_grad, product(d_gradient, block.keys(value)))
            block.add_keys(d_value, product(d_gradient.transpose(-1, -2), block.rows(grad, groups)))
            d_scores = d_product.mul_(positive)
            d_scores.addcmul_(weights, block.rows(centre, groups)[..., None], value=-1).mul_(fixed.scale)
            block.add_rows(d_query, product(d_scores, block.keys(key)))
            block.add_keys(d_key, product(d_scores.transpose(-1, -2), block.rows(query, groups)))
        d_factors = (d_key.to(key.dtype), d_value.to(value.dtype), d_grad)
        return d_normalised / layer.norm, d_query, *d_factors, None, None, None


def _normalised(row: Tensor, layer: _Layer) -> Tensor:
    """Return row / norm, 0 where a row of E is empty."""
    return (row / layer.norm).masked_fill(layer.empty, 0.0)


@dataclass(frozen=True, slots=True)
class Glimpse:
    """GLIMPSE.

    Attributes:
        constant_gradients: With ``create_graph``, treat G as constants: the relevance is then differentiated through
            the attention weights alone, without second order. Not the exact gradient; report it as such.
        head_temperature: Of the softmax over head scores.
        depth: Factor on the layer number in the softmax over layers.
        eps: Added to sum(relu(G)).
        last_layers: Only so many of the last layers enter; 0 for all.
        everywhere: Sums over G also run over positions that causality hides, and every normaliser is ``eps`` larger, as
            in published code; whole matrices are kept for it.
    """

    constant_gradients: bool = False
    head_temperature: float = 0.5
    depth: float = 0.2
    eps: float = 1e-8
    last_layers: int = 0
    everywhere: bool = False

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return row src of R, shape (B, S), and the logits at src."""
        exact = create_graph and not self.constant_gradients
        decoder = decoder.last(self.last_layers)
        with torch.enable_grad():
            probe = SequenceProbe(observed=create_graph, outputs=True)
            with twice_differentiable_silu(decoder) if exact else nullcontext():
                layers, logits = decoder.run_sequence(inputs, probe)
            check_causal(layer.mask for layer in layers)
            y = target(logits).sum()
            outputs = [layer.output for layer in layers]
            gradients = torch.autograd.grad(y, outputs, create_graph=exact, retain_graph=create_graph)
        with torch.set_grad_enabled(create_graph):
            columns = [gradient.transpose(1, 2) for gradient in gradients]
            values = [layer.value if exact else layer.value.detach() for layer in layers]
            if self.everywhere:
                return self._everywhere(layers, columns, values, inputs.attention_mask), logits
            length = layers[0].query.shape[2]
            # At the last layer only src leads to the answer: its other rows have no gradient.
            first_rows = [0] * (len(layers) - 1) + [length - 1]
            given = list(zip(layers, values, columns, first_rows, strict=True))
            mass = torch.stack([gradient_mass(grad, value, one.mask, first) for one, value, grad, first in given], 1)
            alpha = self.layer_weights(mass)
            batch = mass.shape[0]
            row = torch.zeros(batch, length, dtype=accumulator(mass.dtype), device=mass.device)
            row[:, -1] = 1.0
            for share, (layer, value, grad, first) in zip(alpha.T.flip(0), reversed(given), strict=True):
                fixed = Fixed(layer.mask, layer.scale, first, self.head_temperature, self.eps)
                row = row + share[:, None] * push_row(row, layer, value, grad, fixed, create_graph and not exact)
        return row, logits

    def _everywhere(
        self, layers: list[LayerAttention], columns: list[Tensor], values: list[Tensor], real: Tensor
    ) -> Tensor:
        """Return row src of R, shape (B, S), with sums over every pair of real tokens."""
        shares, masses = [], []
        for layer, column, value in zip(layers, columns, values, strict=True):
            shared = layer.query.shape[1] // layer.key.shape[1]
            key, value = (tensor.repeat_interleave(shared, 1) for tensor in (layer.key, value))
            scores = layer.query @ key.transpose(-1, -2) * layer.scale
            seen = torch.ones_like(scores[0, 0], dtype=torch.bool).tril() if layer.mask is None else layer.mask
            weights = scores.masked_fill(~seen, torch.finfo(scores.dtype).min).softmax(-1)
            gradient = column @ value.transpose(-1, -2) * real[:, None, None]
            positive = (weights * gradient).relu()
            score = positive.sum((2, 3)) / (gradient.relu().sum((2, 3)) + self.eps)
            mixed = torch.einsum("bh,bhij->bij", torch.softmax(score / self.head_temperature, 1), positive)
            shares.append(mixed / (mixed.sum(-1, keepdim=True) + self.eps))
            masses.append(gradient.sum(1).abs().sum((1, 2)))
        alpha = self.layer_weights(torch.stack(masses, 1), self.eps)
        row = torch.zeros_like(shares[0][:, 0])
        row[:, -1] = 1.0
        for index in reversed(range(len(shares))):
            row = row + alpha[:, index, None] * torch.einsum("bi,bij->bj", row, shares[index])
        return row

    def layer_weights(self, mass: Tensor, eps: float = 0.0) -> Tensor:
        """Return alpha, shape (B, L), from sum|sum_h G_l| of shape (B, L)."""
        numbers = torch.arange(1, mass.shape[1] + 1, dtype=mass.dtype, device=mass.device)
        weighted = mass * torch.softmax(self.depth * numbers, 0)
        total = weighted.sum(1, keepdim=True) + eps
        return weighted / torch.where(total > 0, total, torch.ones_like(total))
