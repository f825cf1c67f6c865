"""What a probing operator is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from torch import Tensor

from baselines.probing.hook import Decoder
from baselines.probing.inputs import DecoderInputs

Target: TypeAlias = Callable[[Tensor], Tensor]
"""From the logits at src, shape (B, V), to y, shape (B,): the logit of the answer, which gradients start from."""


class Operator(Protocol):
    """A probing operator (registry.py lists them); its settings are its fields."""

    def relevance(
        self, decoder: Decoder, inputs: DecoderInputs, target: Target, create_graph: bool
    ) -> tuple[Tensor, Tensor]:
        """Return row src of R, shape (B, S), in float32 or wider, and the logits at src, shape (B, V).

        With ``create_graph`` both are differentiable in ``inputs``; otherwise nothing they hold outlives the call.
        """
        ...
