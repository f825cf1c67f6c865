"""What a decoder is run on, and the two cuts of it that probing needs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import torch
from torch import Tensor

from tasks.errors import InputError

if TYPE_CHECKING:
    from baselines.probing.hook import Decoder


@dataclass(frozen=True, slots=True, eq=False)
class DecoderInputs:
    """A left-padded batch of embedded sequences; src is the last position of each.

    Attributes:
        inputs_embeds: Shape (B, S, D).
        attention_mask: Shape (B, S), True on real tokens; padding, if any, is on the left.
        position_ids: Shape (B, S), or (3 or 4, B, S) for M-RoPE.
        visual_pos_masks: Shape (B, S), True on image tokens, or None (Qwen3-VL's deepstack needs it).
        deepstack_visual_embeds: Per injecting layer the image features, shape (image tokens of the batch, D), or None.
        extra: Further keyword arguments of the decoder, passed as they are to every call.
    """

    inputs_embeds: Tensor
    attention_mask: Tensor
    position_ids: Tensor
    visual_pos_masks: Tensor | None = None
    deepstack_visual_embeds: list[Tensor] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def check(
        cls,
        inputs_embeds: Tensor,
        position_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        visual_pos_masks: Tensor | None = None,
        deepstack_visual_embeds: list[Tensor] | None = None,
        **extra: Any,
    ) -> DecoderInputs:
        """Fill in mask and positions where they are missing and check that the shapes agree.

        Missing positions count real tokens from 0: right for text, wrong for M-RoPE, whose positions the caller gives.
        InputError for shapes that do not fit, padding on the right, a sequence shorter than 2, an image token at src.
        """
        if inputs_embeds.ndim != 3 or inputs_embeds.shape[1] < 2:
            shape = tuple(inputs_embeds.shape)
            raise InputError(f"inputs_embeds has shape {shape}, expected (batch, at least 2 tokens, width).")
        batch, length, _ = inputs_embeds.shape
        device = inputs_embeds.device
        if attention_mask is None:
            mask = torch.ones(batch, length, dtype=torch.bool, device=device)
        else:
            _shape("attention_mask", attention_mask, (batch, length))
            mask = attention_mask.to(device=device, dtype=torch.bool)
            if not bool(mask[:, -1].all()) or bool((mask[:, :-1] & ~mask[:, 1:]).any()):
                raise InputError(
                    "attention_mask must pad on the left only: src is the last position of every sequence."
                )
        if position_ids is None:
            position_ids = (mask.long().cumsum(1) - 1).clamp(min=0)
        else:
            if position_ids.ndim not in (2, 3):
                raise InputError(f"position_ids has shape {tuple(position_ids.shape)}, expected 2 or 3 dimensions.")
            if position_ids.shape[-2] == 1:
                position_ids = position_ids.expand(*position_ids.shape[:-2], batch, length)
            _shape("position_ids", position_ids, (*position_ids.shape[:-2], batch, length))
        if visual_pos_masks is not None:
            _shape("visual_pos_masks", visual_pos_masks, (batch, length))
            if bool(visual_pos_masks[:, -1].any()):
                raise InputError("the last position is an image token; the answer must follow the image.")
        return cls(inputs_embeds, mask, position_ids, visual_pos_masks, deepstack_visual_embeds, dict(extra))

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of the decoder for the whole sequence."""
        return self._until(None)

    def prefix_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for all positions before src."""
        return self._until(-1)

    def src_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for src alone, after a cached prefix; the mask covers both."""
        return {
            "inputs_embeds": self.inputs_embeds[:, -1:],
            "attention_mask": self.attention_mask,
            "position_ids": self.position_ids[..., -1:],
            **self.extra,
        }

    def detached(self) -> DecoderInputs:
        """Return the same inputs cut off from the graph they came from."""
        deepstack = self.deepstack_visual_embeds
        return replace(
            self,
            inputs_embeds=self.inputs_embeds.detach(),
            deepstack_visual_embeds=None if deepstack is None else [layer.detach() for layer in deepstack],
        )

    def _until(self, end: int | None) -> dict[str, Any]:
        found: dict[str, Any] = {
            "inputs_embeds": self.inputs_embeds[:, :end],
            "attention_mask": self.attention_mask[:, :end],
            "position_ids": self.position_ids[..., :end],
        }
        if self.deepstack_visual_embeds is not None:
            if self.visual_pos_masks is None:
                raise InputError("deepstack_visual_embeds were given without visual_pos_masks.")
            found["visual_pos_masks"] = self.visual_pos_masks[:, :end]
            found["deepstack_visual_embeds"] = self.deepstack_visual_embeds
        return {**found, **self.extra}


def cached(decoder: Any, cache: Any) -> dict[str, Any]:
    """Return the keyword argument that gives a decoder its cache; its name changes with transformers 5.24."""
    known = inspect.signature(type(decoder).forward).parameters
    return {"cache" if "cache" in known else "past_key_values": cache}


def _shape(name: str, tensor: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != expected:
        raise InputError(f"{name} has shape {tuple(tensor.shape)}, expected {expected}.")


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
