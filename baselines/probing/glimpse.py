"""GLIMPSE as a row vector pushed down the layers.

    G_l = dy/dA_l, P = relu(A*G), score_h = sum(P) / (sum(relu(G)) + eps), w = softmax(score / 0.5)
    E_l = rownorm(sum_h w_h P_h), alpha_l ~ sum|sum_h G_l| softmax_l(0.2 l), normalised over layers
    R = (I + alpha_L E_L) ... (I + alpha_1 E_1), read at row src

Sums over G run over attended positions only (ours). A row of P that is 0 throughout stays 0; if every G is 0, so is
alpha. No matrix is ever differentiated for: G = dO V^T per head, with dO = dy/d(attention output), so one backward
pass to the attention outputs gives every layer's.

Source: Shen 2025 (arXiv 2506.18985), as used by Huang et al. 2026 (arXiv 2604.09368); PROTOCOL section 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.probing.blocks import accumulator, check_causal
from baselines.probing.glimpse_layer import Fixed, gradient_mass, push_row
from baselines.probing.hook import Decoder, SequenceProbe, in_order
from baselines.probing.inputs import DecoderInputs
from baselines.probing.operator import Target
from baselines.probing.silu import recomputed_silu, twice_differentiable_silu


@dataclass(frozen=True, slots=True)
class Glimpse:
    """GLIMPSE.

    Attributes:
        constant_gradients: With ``create_graph``, treat G as constants: the relevance is then differentiated through
            the attention weights alone, without second order. Not the exact gradient; report it as such.
        head_temperature: Of the softmax over head scores.
        depth: Factor on the layer number in the softmax over layers.
        eps: Added to sum(relu(G)).
    """

    constant_gradients: bool = False
    head_temperature: float = 0.5
    depth: float = 0.2
    eps: float = 1e-8

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return row src of R, shape (B, S), and the logits at src."""
        exact = create_graph and not self.constant_gradients
        with torch.enable_grad():
            probe = SequenceProbe(outputs=True, twice=exact)
            with twice_differentiable_silu(decoder.module) if exact else recomputed_silu(decoder.module):
                layers, logits = decoder.run_sequence(inputs, probe)
            check_causal(layer.mask for layer in layers)
            y = target(logits).sum()
            seen = in_order(probe.seen_outputs, decoder)
            gradients = torch.autograd.grad(
                y, [layer.output for layer in seen], create_graph=exact, retain_graph=create_graph
            )
        with torch.set_grad_enabled(create_graph):
            columns = [gradient.transpose(1, 2) for gradient in gradients]
            values = [layer.value if exact else layer.value.detach() for layer in seen]
            length = layers[0].query.shape[2]
            # At the last layer only src leads to the answer: its other rows have no gradient.
            first_rows = [0] * (len(layers) - 1) + [length - 1]
            mass = torch.stack(
                [
                    gradient_mass(column, value, layer.mask, first)
                    for column, value, layer, first in zip(columns, values, layers, first_rows, strict=True)
                ],
                1,
            )
            alpha = self.layer_weights(mass)
            batch = mass.shape[0]
            row = torch.zeros(batch, length, dtype=accumulator(mass.dtype), device=mass.device)
            row[:, -1] = 1.0
            for index in reversed(range(len(layers))):
                layer = layers[index]
                fixed = Fixed(layer.mask, layer.scale, first_rows[index], self.head_temperature, self.eps)
                pushed = push_row(row, layer.query, layer.key, values[index], columns[index], fixed)
                row = row + alpha[:, index, None] * pushed
        return row, logits

    def layer_weights(self, mass: Tensor) -> Tensor:
        """Return alpha, shape (B, L), from sum|sum_h G_l| of shape (B, L)."""
        numbers = torch.arange(1, mass.shape[1] + 1, dtype=mass.dtype, device=mass.device)
        weighted = mass * torch.softmax(self.depth * numbers, 0)
        total = weighted.sum(1, keepdim=True)
        return weighted / torch.where(total > 0, total, torch.ones_like(total))
