"""AttnLRP in the variant of FixATE: signed attention-times-gradient rows, added up over layers.

    G_l = dy/dA_l, P = A*G per head, s = rowsum(P)
    E_l = mean_h P / (s + sign(s) (eps + damping rowsum|P|)), eps 1e-4
    R = I + sum_l w_l E_l, w_l = l / sum(1..L)

Source: Huang et al. 2026 (arXiv 2604.09368), after Achtibat et al. 2024 (arXiv 2402.05602); PROTOCOL section 6.
``attnlrp`` has damping 0 as published; ``attnlrp-stable`` (ours) has 0.25. R is signed; slots take its absolute value.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from baselines.probing.answer_token import answer_rows
from baselines.probing.hook import Decoder
from baselines.probing.inputs import DecoderInputs, Target


@dataclass(frozen=True, slots=True)
class AttnLRP:
    """AttnLRP restricted to row src.

    Attributes:
        damping: Share of a row's absolute sum that is added to its normaliser; 0 as published.
        eps: Constant that is added to it, sign kept.
        last_layers: Only so many of the last layers enter, counted from 1 in w; 0 for all.
    """

    differentiable: ClassVar[bool] = True

    damping: float = 0.0
    eps: float = 1e-4
    last_layers: int = 0

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return row src of R, shape (B, S), signed, and the logits at src."""
        probed = decoder.last(self.last_layers)
        rows, logits = answer_rows(probed, inputs, differentiable=True, create_graph=create_graph)
        return self.of_rows(rows, logits, target, create_graph), logits

    def of_rows(self, rows: list[Tensor], logits: Tensor, target: Target, create_graph: bool) -> Tensor:
        """Return row src of R from the rows of the probed layers, which the logits depend on."""
        with torch.enable_grad():  # the caller may have switched gradients off: they are taken inside all the same
            y = target(logits).sum()
        gradients = torch.autograd.grad(y, rows, create_graph=create_graph)
        layers = len(rows)
        total = torch.zeros_like(rows[0][:, 0])
        total[:, -1] = 1.0
        for number, (row, gradient) in enumerate(zip(rows, gradients, strict=True), start=1):
            product = row * gradient
            signed = product.sum(-1, keepdim=True)
            guard = self.eps + self.damping * product.abs().sum(-1, keepdim=True)
            normaliser = signed + torch.where(signed < 0, -guard, guard)
            total = total + number / (layers * (layers + 1) / 2) * (product / normaliser).mean(1)
        return total
