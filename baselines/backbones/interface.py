"""The plain values that pass between backbones, probing and tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from tasks.errors import InputError
from tasks.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

Placement = Literal["prefix", "suffix"]
Candidates = list[list[int]]
"""Token ids of each slot's answer, one list per slot."""


@dataclass(frozen=True, slots=True, eq=False)
class ScreenFeatures:
    """A screen as the text decoder takes it in; it depends on the image alone.

    Attributes:
        embeds: Image-token embeddings, shape (T, D), in sequence order, on the CPU.
        deepstack: Per injecting decoder layer the features added there, each of shape (T, D); empty if there are none.
        grid: ``(n, rows, columns)``: n pictures (tiles) of rows x columns tokens each; T = n rows columns.
        patch_boxes: ``(x0, y0, x1, y1)`` per token in pixels of the original screen, shape (T, 4); a token
            outside the picture (a letterbox bar) has an empty box, x1 = x0 or y1 = y0.
        size: Width and height of the original screen, pixels.
        digest: Identifies the screen.
    """

    embeds: Tensor
    deepstack: tuple[Tensor, ...]
    grid: tuple[int, int, int]
    patch_boxes: Floats
    size: tuple[int, int]
    digest: str

    @property
    def nbytes(self) -> int:
        """Memory of the tensors, bytes."""
        return sum(t.numel() * t.element_size() for t in (self.embeds, *self.deepstack)) + self.patch_boxes.nbytes


@dataclass(frozen=True, slots=True, eq=False)
class ModelInput:
    """A batch of sessions ready for the decoder, padded on the left; src is the last position of every row.

    Attributes:
        inputs_embeds: Shape (B, S, D).
        position_ids: Shape (B, S), or (3, B, S) where the decoder uses M-RoPE; 0 on padding.
        attention_mask: Shape (B, S), True on real tokens.
        image_index: Per row the positions of its image tokens, shape (T,), in the order of ``patch_boxes``.
        patch_boxes: Per row the screen area of each image token, shape (T, 4), original pixels.
        visual_pos_masks: Shape (B, S), True on image tokens, where the decoder has deepstack features; else None.
        deepstack: Per injecting layer the features of the batch's image tokens, row after row, shape (sum T, D).
        prompt_index: Per row the positions of the soft prompt's tokens, shape (N,).
        sessions: Per row the session_id.
    """

    inputs_embeds: Tensor
    position_ids: Tensor
    attention_mask: Tensor
    image_index: tuple[Tensor, ...]
    patch_boxes: tuple[Floats, ...]
    visual_pos_masks: Tensor | None
    deepstack: tuple[Tensor, ...]
    prompt_index: tuple[Tensor, ...]
    sessions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.sessions)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the text decoder, and of ``probing.token_relevance``."""
        found: dict[str, Any] = {
            "inputs_embeds": self.inputs_embeds,
            "position_ids": self.position_ids,
            "attention_mask": self.attention_mask,
        }
        if self.deepstack:
            found["visual_pos_masks"] = self.visual_pos_masks
            found["deepstack_visual_embeds"] = list(self.deepstack)
        return found


def followed_by(inputs: ModelInput, words: Tensor) -> ModelInput:
    """Return inputs that go on with embedded words, shape (B, n, D); the last of them is src."""
    import torch
    from torch.nn.functional import pad

    n = words.shape[1]
    steps = torch.arange(1, n + 1, device=words.device)
    visual = inputs.visual_pos_masks
    return replace(
        inputs,
        inputs_embeds=torch.cat([inputs.inputs_embeds, words.to(inputs.inputs_embeds.dtype)], 1),
        position_ids=torch.cat([inputs.position_ids, inputs.position_ids[..., -1:] + steps], -1),
        attention_mask=pad(inputs.attention_mask, (0, n), value=True),
        visual_pos_masks=None if visual is None else pad(visual, (0, n), value=False),
    )


def collate(inputs: Sequence[ModelInput]) -> ModelInput:
    """Join model inputs into one batch, padding on the left with zeros that the mask hides.

    InputError if there are none.
    """
    import torch
    from torch.nn.functional import pad

    if not inputs:
        raise InputError("a batch needs at least one session.")
    if len(inputs) == 1:
        return inputs[0]
    length = max(item.inputs_embeds.shape[1] for item in inputs)
    pairs = [(item, length - item.inputs_embeds.shape[1]) for item in inputs]
    visual = None
    if any(item.visual_pos_masks is not None for item in inputs):
        masks = [
            torch.zeros_like(item.attention_mask) if item.visual_pos_masks is None else item.visual_pos_masks
            for item in inputs
        ]
        visual = torch.cat([pad(mask, (shift, 0)) for mask, (_, shift) in zip(masks, pairs, strict=True)])
    return ModelInput(
        inputs_embeds=torch.cat([pad(item.inputs_embeds, (0, 0, shift, 0)) for item, shift in pairs]),
        position_ids=torch.cat([pad(item.position_ids, (shift, 0)) for item, shift in pairs], dim=-2),
        attention_mask=torch.cat([pad(item.attention_mask, (shift, 0)) for item, shift in pairs]),
        image_index=tuple(index + shift for item, shift in pairs for index in item.image_index),
        patch_boxes=tuple(boxes for item in inputs for boxes in item.patch_boxes),
        visual_pos_masks=visual,
        deepstack=tuple(torch.cat(layer) for layer in zip(*(item.deepstack for item in inputs), strict=True)),
        prompt_index=tuple(index + shift for item, shift in pairs for index in item.prompt_index),
        sessions=tuple(name for item in inputs for name in item.sessions),
    )
