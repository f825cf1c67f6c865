"""Attention Rollout as a row vector pushed down the layers.

    E_l = rownorm(0.5 mean_h A_l + 0.5 I), R = E_L ... E_2 E_1, read at row src

Rows of A_l sum to 1, so rownorm changes nothing and row <- 0.5 row + 0.5 mean_h(row A_l): O(S^2) per layer.
Source: Abnar and Zuidema 2020 (arXiv 2005.00928); PROTOCOL section 6.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from baselines.probing.blocks import check_causal
from baselines.probing.hook import Decoder, SequenceProbe
from baselines.probing.inputs import DecoderInputs
from baselines.probing.operator import Target
from baselines.probing.recompute import recomputed_layers
from baselines.probing.rollout_chain import RowChain, push_down


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
