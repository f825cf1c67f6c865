"""Batches of training sequences, laid out by the same code that later puts sessions to the stand-in.

One row of every layout comes from ``Backbone.build``: positions, masks and the place of image and prompt are taken from
it. Only the embeddings are filled in here, many rows at a time and with gradients.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from baselines.backbones.interface import ModelInput, Placement
from baselines.backbones.vlm import VisionLanguageModel
from baselines.pocket_training.architecture import NOTHING, PATCH
from baselines.pocket_training.screens import LABELS, WORDS, Pixels, Screens
from baselines.probing.inputs import DecoderInputs
from baselines.probing.relevance import overlap_matrix, token_relevance
from tasks.pictures import encode
from tasks.types import Floats, ScreenImage, Slot, Stimulus

OPERATORS = ("attnlrp-stable", "rollout")
"""The operators that training shapes, in turn; the first is the one that simulators read attention with by default."""
_INSIDE = 0.35
"""An image token belongs to a slot, its mark included, if so much of it lies there."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """Screens after the vision tower: image-token embeddings and, per injecting layer, deepstack, shapes (n, T, D)."""

    embeds: Tensor
    deepstack: tuple[Tensor, ...]

    def take(self, index: Tensor) -> "Seen":
        """Return the screens at ``index``."""
        return Seen(self.embeds[index], tuple(layer[index] for layer in self.deepstack))

    @staticmethod
    def join(parts: "Sequence[Seen]") -> "Seen":
        """Return the screens of all parts, in order."""
        deepstack = tuple(torch.cat(layers) for layers in zip(*(part.deepstack for part in parts), strict=True))
        return Seen(torch.cat([part.embeds for part in parts]), deepstack)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Decoder inputs of B rows of one layout, where their image tokens are, and the ids of the words before them."""

    inputs: DecoderInputs
    image_start: int
    tokens: int
    before: Tensor

    @property
    def image(self) -> slice:
        """Where the image tokens are."""
        return slice(self.image_start, self.image_start + self.tokens)


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """What takes the place of a soft prompt: embeddings of shape (B, N, D)."""

    embeds: Tensor
    placement: Placement


class Sequences:
    """Builds batches for one stand-in and runs its decoder on them.

    Attributes:
        answers: Kind of screen -> token ids of its answers by slot; ``words`` of what its slots show.
        nothing: The token id of what is outside all slots.
    """

    def __init__(self, vlm: VisionLanguageModel) -> None:
        self.vlm = vlm
        self._tokenizer = vlm.processor.tokenizer
        self._frames: dict[tuple[int, int], tuple[ScreenImage, Floats]] = {}
        self._layouts: dict[tuple[object, ...], ModelInput] = {}
        self.answers = {kind: torch.tensor([self.word(label) for label in labels]) for kind, labels in LABELS.items()}
        self.words = {kind: torch.tensor([self.word(word) for word in words]) for kind, words in WORDS.items()}
        self.nothing = torch.tensor([self.word(NOTHING)])
        # The convolution of the patch embedding has stride = kernel: one matrix product does the same, faster.
        embedding = getattr(getattr(vlm.model.model, "visual", None), "patch_embed", None)
        if embedding is not None:
            embedding.forward = partial(_flat_patches, embedding.proj)

    @property
    def model(self) -> Any:
        """The transformers model."""
        return self.vlm.model

    def word(self, token: str) -> int:
        """Return the id of a token of the vocabulary."""
        return int(self._tokenizer.convert_tokens_to_ids(token))

    def embed(self, ids: Tensor) -> Tensor:
        """Return the input embeddings of token ids."""
        found: Tensor = self.model.get_input_embeddings()(ids)
        return found

    def fit(self, picture: Image.Image) -> Image.Image:
        """Return a picture scaled as the stand-in sees it, which then changes it no more."""
        pixels = self.vlm.pixels(picture)
        if "image_grid_thw" in pixels.arguments:
            rows, columns = (int(n) for n in pixels.arguments["image_grid_thw"][0][1:])
            size = (columns * PATCH, rows * PATCH)
        else:
            size = self.vlm.plan(picture.size).resized  # type: ignore[attr-defined]
        return picture.resize(size, Image.Resampling.BICUBIC)

    def frame(self, pixels: Pixels) -> tuple[ScreenImage, Floats]:
        """Return a blank screen as large as these, shape (n, height, width, 3), and the boxes of its image tokens."""
        height, width = pixels.shape[1:3]
        if (width, height) not in self._frames:
            blank = ScreenImage(data=encode(Image.new("RGB", (width, height))))
            self._frames[width, height] = (blank, self.vlm.encode_screen(blank).patch_boxes)
        return self._frames[width, height]

    def onto(self, screens: Screens) -> tuple[Tensor, Tensor]:
        """Return how image tokens lie on slots.

        Returns:
            The fraction of each token in each slot's box, shape (n, T, K), and the slot whose area the token is in,
            shape (n, T): K outside all slots, -1 outside the screen.
        """
        boxes = self.frame(screens.pixels)[1]
        empty = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
        k = screens.words.shape[1]
        fractions, owners = [], []
        for box, area in zip(screens.boxes, screens.areas, strict=True):
            shares = overlap_matrix(boxes, area)
            owner = np.where(shares.max(1) >= _INSIDE, shares.argmax(1), k)
            owners.append(np.where(empty, -1, owner))
            fractions.append(overlap_matrix(boxes, box).astype(np.float32))
        return torch.from_numpy(np.stack(fractions)), torch.from_numpy(np.stack(owners))

    def see(self, screens: Pixels) -> Seen:
        """Run the vision tower on screens of shape (n, height, width, 3), with gradients where they are on."""
        inputs = [self.vlm.pixels(Image.fromarray(screen)).arguments for screen in screens]
        joined = {key: torch.cat([one[key] for one in inputs]) for key in inputs[0]}
        found = self.model.get_image_features(**joined, return_dict=True)
        layers = getattr(found, "deepstack_features", None) or ()
        return Seen(_stacked(found.pooler_output), tuple(_stacked(layer) for layer in layers))

    def readout(self, tokens: Tensor) -> Tensor:
        """Return the logits of image tokens read as words, before any decoder layer: shape (…, T, V)."""
        found: Tensor = self.model.get_output_embeddings()(self.model.get_decoder().norm(tokens))
        return found

    def batch(self, kind: str, texts: Sequence[str], pixels: Pixels, seen: Seen, soft: Soft | None = None) -> Batch:
        """Return a batch of B rows: profiles of equal length in tokens, a screen of one kind each."""
        blank = self.frame(pixels)[0]
        places = tuple(Slot(label, "", "", (0.0, 0.0, 1.0, 1.0)) for label in LABELS[kind])
        shown = [Stimulus("training", "simulated", "simulated", blank, text, places) for text in texts]
        words = [self.vlm.processor.conversation.tokens(stimulus) for stimulus in shown]
        length = 0 if soft is None else soft.embeds.shape[1]
        placement: Placement = "prefix" if soft is None else soft.placement
        key = (pixels.shape[1:3], len(words[0].before), len(words[0].after), length, placement)
        if key not in self._layouts:
            self._layouts[key] = self.vlm.build(shown[0], torch.zeros(length, self.vlm.width), placement)
        layout = self._layouts[key]
        first = torch.tensor([one.before for one in words])
        before = self.embed(first)
        closing = self.embed(torch.tensor([one.closing for one in words]))
        after = self.embed(torch.tensor([one.after for one in words]))
        parts = [before, seen.embeds, closing, after]
        if soft is not None:
            parts.insert(0 if placement == "prefix" else 3, soft.embeds)
        positions = layout.position_ids.expand(*layout.position_ids.shape[:-2], len(words), -1)
        visual: dict[str, Any] = {}
        if seen.deepstack:
            assert layout.visual_pos_masks is not None
            visual["visual_pos_masks"] = layout.visual_pos_masks.expand(len(words), -1)
            visual["deepstack_visual_embeds"] = [layer.flatten(0, 1) for layer in seen.deepstack]
        inputs = DecoderInputs.check(torch.cat(parts, dim=1), positions, **visual)
        return Batch(inputs, int(layout.image_index[0][0]), seen.embeds.shape[1], first)

    def answer(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return log probabilities at src, shape (B, V), and the logits at all tokens, shape (B, S, V)."""
        arguments = batch.inputs.arguments()
        # All rows are full: without a mask the fast causal kernel runs.
        arguments["attention_mask"] = None
        hidden = self.model.get_decoder()(**arguments, use_cache=False).last_hidden_state
        logits: Tensor = self.model.get_output_embeddings()(hidden)
        return logits[:, -1].log_softmax(-1), logits

    def relevance(self, batch: Batch, onto: Tensor, operator: str, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return log probabilities at src, shape (B, V), and relevance of the slots, shape (B, K), rows of sum 1.

        With gradients, where they are on. ``onto`` is that of the rows' screens. ``target`` has the answers that the
        operator differentiates, token ids of shape (B, n): the best of each row.
        """

        def answer(logits: Tensor) -> Tensor:
            return logits.gather(1, target).max(1).values

        kept = torch.is_grad_enabled()
        with torch.enable_grad():  # the operator differentiates inside, also where nothing is kept
            found = token_relevance(self.model, operator, **batch.inputs.arguments(), target=answer, create_graph=kept)
        shares = torch.einsum("bt,btk->bk", found.tokens[:, batch.image].abs(), onto.to(found.tokens.dtype)) + 1e-6
        return found.logits.log_softmax(-1), shares / shares.sum(1, keepdim=True)


def _stacked(features: Any) -> Tensor:
    return features if isinstance(features, Tensor) else torch.stack(list(features))


def _flat_patches(convolution: Any, patches: Tensor) -> Tensor:
    return functional.linear(patches.to(convolution.weight.dtype), convolution.weight.flatten(1), convolution.bias)
