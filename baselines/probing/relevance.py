"""The entry to probing: relevance of every token for the answer at the last position.

Attention over slots follows from relevance over image tokens (PROTOCOL section 6). A token covers an area of the
screen; its relevance is shared out to the slots by the fraction of that area which lies in each slot's box. The
fraction outside every slot belongs to no slot. The K sums are normalised to sum 1; if their sum is 0 the attention is
missing.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from baselines.probing.answer_token import answer_rows
from baselines.probing.hook import Decoder
from baselines.probing.inputs import DecoderInputs, Operator, Target
from baselines.probing.registry import create, info, names
from tasks import outside
from tasks.errors import InputError
from tasks.types import Floats, Slot


def centre_matrix(patch_boxes: Floats, slots: Sequence[Slot]) -> Floats:
    """Return 1 where a patch's centre lies in a slot's box, whose right and lower edge do not count; shape (P, K).

    A centre in several slots is the first one's; an empty patch is nobody's. Published code does it so.
    """
    boxes = np.array([slot.box for slot in slots], dtype=np.float64)
    centre = (patch_boxes[:, None, :2] + patch_boxes[:, None, 2:]) / 2
    inside = ((centre >= boxes[:, :2]) & (centre < boxes[:, 2:])).all(-1)
    inside &= (patch_boxes[:, 2:] > patch_boxes[:, :2]).all(-1, keepdims=True)
    found: Floats = (inside & (inside.cumsum(1) == 1)).astype(np.float64)
    return found


def overlap_matrix(patch_boxes: Floats, slots: Sequence[Slot] | Floats) -> Floats:
    """Return which fraction of each patch lies in each slot, shape (P, K).

    Patches have boxes ``(x0, y0, x1, y1)``, shape (P, 4); an empty box overlaps nothing. Slots may be given as boxes,
    shape (K, 4), in the same pixels. Where slots overlap each other, both count it.

    Raises:
        InputError: Shapes that do not fit, or a box that is not finite or whose corners are swapped.
    """
    boxes = np.array([slot.box for slot in slots] if isinstance(slots, Sequence) else slots, dtype=np.float64)
    patches = np.asarray(patch_boxes, dtype=np.float64)
    for what, found in (("patch", patches), ("slot", boxes)):
        if found.ndim != 2 or found.shape[1] != 4:
            raise InputError(f"the {what} boxes have shape {found.shape}, expected (number, 4).")
        bad = ~(np.isfinite(found).all(1) & (found[:, 2] >= found[:, 0]) & (found[:, 3] >= found[:, 1]))
        if bad.any():
            index = int(bad.argmax())
            raise InputError(
                f"{what} {index} has the box {found[index].tolist()}; "
                "it must be finite, left before right, top before bottom."
            )
    low = np.maximum(patches[:, None, :2], boxes[None, :, :2])
    high = np.minimum(patches[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(-1)
    area = (patches[:, 2:] - patches[:, :2]).prod(-1, keepdims=True)
    fractions: Floats = np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)
    return fractions


def rectifier(operator: str | Operator) -> Literal["none", "abs", "relu"]:
    """Return what a registered operator, or an instance of its class, applies to image tokens.

    Raises:
        InputError: The operator is not registered.
    """
    if isinstance(operator, str):
        return info(operator).rectify
    for name in names():
        if isinstance(operator, outside.load(info(name).factory)):
            return info(name).rectify
    raise InputError(f"the operator {type(operator).__name__} is not registered; give its rectify.")


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
