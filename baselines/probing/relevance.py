"""The entry to probing: relevance of every token for the answer at the last position."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from baselines.probing.answer_token import answer_rows
from baselines.probing.hook import Decoder
from baselines.probing.inputs import DecoderInputs
from baselines.probing.operator import Operator, Target
from baselines.probing.registry import create


class Relevance(NamedTuple):
    """Row src of R, shape (B, S), and the logits at src, shape (B, V)."""

    tokens: Tensor
    logits: Tensor


def best_token(logits: Tensor) -> Tensor:
    """Return the logit of the likeliest token, shape (B,)."""
    return logits.max(1).values


def token_relevance(
    model: Any,
    operator: str | Operator,
    *,
    inputs_embeds: Tensor,
    position_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    target: Target = best_token,
    create_graph: bool = False,
    **decoder_arguments: Any,
) -> Relevance:
    """Return how much the answer at the last position depends on each token, and the logits, from one pass.

    Works on any transformers decoder whose attention goes through the standard attention interface. The model is left
    as it was found.

    Args:
        model: A causal or image-text-to-text model (``get_decoder``, ``get_output_embeddings``), in evaluation mode.
        operator: A registered name, or an operator with its own settings.
        inputs_embeds: Embedded sequences, shape (B, S, D), padded on the left; src is position S - 1.
        position_ids: Shape (B, S), or (3 or 4, B, S) for M-RoPE; counted from the mask if None (text only).
        attention_mask: Shape (B, S), non-zero on real tokens; all real if None.
        target: The answer's logit, which gradient operators differentiate.
        create_graph: Keep relevance and logits in the graph of ``inputs_embeds`` (training); else both are detached.
        **decoder_arguments: For the decoder: ``visual_pos_masks`` (B, S) and ``deepstack_visual_embeds`` are cut as the
            operator needs; anything else is passed as it is.

    Returns:
        Relevance of shape (B, S), exactly 0 on padding, with the sign the operator gives it (its ``rectify`` entry says
        what slots apply), and logits of shape (B, V).

    Raises:
        InputError: Unknown operator, shapes that do not fit, ids outside the vocabulary, logits that are not finite, or
            a model whose attention cannot be probed.
    """
    chosen = create(operator) if isinstance(operator, str) else operator
    decoder = Decoder.of(model)
    inputs = DecoderInputs.check(inputs_embeds, position_ids, attention_mask, **decoder_arguments)
    if create_graph:
        tokens, logits = chosen.relevance(decoder, inputs, target, True)
        return Relevance(tokens, logits)
    tokens, logits = chosen.relevance(decoder, inputs.detached(), target, False)
    return Relevance(tokens.detach(), logits.detach())


def head_attention(
    model: Any,
    *,
    inputs_embeds: Tensor,
    position_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    **decoder_arguments: Any,
) -> Relevance:
    """Return row src of every head's attention, shape (B, L, H, S), and the logits at src, both detached.

    Gaze heads are scored on these rows, once they are shared out to slots. Arguments and errors as in
    ``token_relevance``.
    """
    inputs = DecoderInputs.check(inputs_embeds, position_ids, attention_mask, **decoder_arguments)
    rows, logits = answer_rows(Decoder.of(model), inputs.detached(), differentiable=False, create_graph=False)
    with torch.no_grad():
        return Relevance(torch.stack(rows, 1), logits)
