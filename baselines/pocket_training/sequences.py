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
from baselines.pocket_training.architecture import LETTERS, SCREEN
from baselines.pocket_training.population import Pixels, slots
from baselines.probing.inputs import DecoderInputs
from baselines.probing.relevance import overlap_matrix, token_relevance
from tasks.recgaze.posters import GENRES
from tasks.recgaze.render import COLUMNS, ROWS
from tasks.types import ScreenImage, Stimulus

OPERATOR = "attnlrp-stable"
"""The operator that training shapes and the cards report: the one that simulators read attention with by default."""


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
    """Decoder inputs of B rows of one layout, and where their image tokens start."""

    inputs: DecoderInputs
    image_start: int


@dataclass(frozen=True, slots=True, eq=False)
class Soft:
    """What takes the place of a soft prompt: embeddings of shape (B, N, D)."""

    embeds: Tensor
    placement: Placement


class Sequences:
    """Builds batches for one stand-in and runs its decoder on them.

    Attributes:
        letters: Token ids of the fifteen answers A..O, as ``numbers`` of 1..15 and ``genres`` of the ten genre
            words.
        slot_of_token: The slot whose cell of the screen each image token is in, shape (T,), -1 outside the screen.
        onto_slots: Fraction of each image token in each slot's box, shape (T, 15); cells are larger than boxes.
    """

    def __init__(self, vlm: VisionLanguageModel) -> None:
        self.vlm = vlm
        self._tokenizer = vlm.processor.tokenizer
        self._blank = ScreenImage(data=_png(np.zeros((SCREEN[1], SCREEN[0], 3), dtype=np.uint8)))
        self._layouts: dict[tuple[int, int, int, Placement], ModelInput] = {}
        self.letters = torch.tensor([self.word(letter) for letter in LETTERS])
        self.numbers = torch.tensor([self.word(slot.label) for slot in slots(numbers=True)])
        self.genres = torch.tensor([self.word(genre) for genre in GENRES])
        boxes = vlm.encode_screen(self._blank).patch_boxes
        middle_x, middle_y = boxes[:, [0, 2]].mean(1), boxes[:, [1, 3]].mean(1)
        column = np.floor(middle_x / SCREEN[0] * COLUMNS).astype(np.int64)
        row = np.floor(middle_y / SCREEN[1] * ROWS).astype(np.int64)
        empty = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
        self.slot_of_token = torch.from_numpy(np.where(empty, -1, row * COLUMNS + column))
        self.onto_slots = torch.from_numpy(overlap_matrix(boxes, slots())).float()
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

    def batch(self, profiles: Sequence[str], seen: Seen, soft: Soft | None = None, *, numbers: bool = False) -> Batch:
        """Return a batch of B rows, one screen each: profiles of equal length in tokens.

        ``numbers`` asks for a number, not for a letter.
        """
        shown = [self._stimulus(profile, numbers) for profile in profiles]
        texts = [self.vlm.processor.conversation.tokens(stimulus) for stimulus in shown]
        length = 0 if soft is None else soft.embeds.shape[1]
        placement: Placement = "prefix" if soft is None else soft.placement
        key = (len(texts[0].before), len(texts[0].after), length, placement)
        if key not in self._layouts:
            self._layouts[key] = self.vlm.build(shown[0], torch.zeros(length, self.vlm.width), placement)
        layout = self._layouts[key]
        before = self.embed(torch.tensor([text.before for text in texts]))
        closing = self.embed(torch.tensor([text.closing for text in texts]))
        after = self.embed(torch.tensor([text.after for text in texts]))
        parts = [before, seen.embeds, closing, after]
        if soft is not None:
            parts.insert(0 if placement == "prefix" else 3, soft.embeds)
        rows = len(texts)
        positions = layout.position_ids.expand(*layout.position_ids.shape[:-2], rows, -1)
        visual: dict[str, Any] = {}
        if seen.deepstack:
            assert layout.visual_pos_masks is not None
            visual["visual_pos_masks"] = layout.visual_pos_masks.expand(rows, -1)
            visual["deepstack_visual_embeds"] = [layer.flatten(0, 1) for layer in seen.deepstack]
        inputs = DecoderInputs.check(torch.cat(parts, dim=1), positions, **visual)
        return Batch(inputs, int(layout.image_index[0][0]))

    def answers(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return log probabilities at src, shape (B, V), and the logits at the image tokens, shape (B, T, V)."""
        arguments = batch.inputs.arguments()
        # All rows are full: without a mask the fast causal kernel runs.
        arguments["attention_mask"] = None
        hidden = self.model.get_decoder()(**arguments, use_cache=False).last_hidden_state
        head = self.model.get_output_embeddings()
        image = head(hidden[:, batch.image_start : batch.image_start + len(self.slot_of_token)])
        return head(hidden[:, -1]).log_softmax(-1), image

    def relevance(self, batch: Batch, target: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return log probabilities at src, shape (B, V), and relevance of the slots, shape (B, 15), rows of sum 1.

        With gradients, where they are on. ``target`` has the answers that ``OPERATOR`` differentiates, a token id per
        row; None for the best letters.
        """

        def answer(logits: Tensor) -> Tensor:
            if target is None:
                return logits[:, self.letters].max(1).values
            return logits.gather(1, target[:, None])[:, 0]

        kept = torch.is_grad_enabled()
        with torch.enable_grad():  # the operator differentiates inside, also where nothing is kept
            found = token_relevance(self.model, OPERATOR, **batch.inputs.arguments(), target=answer, create_graph=kept)
        image = found.tokens[:, batch.image_start : batch.image_start + len(self.onto_slots)].abs()
        shares = image @ self.onto_slots.to(image.dtype) + 1e-6
        return found.logits.log_softmax(-1), shares / shares.sum(1, keepdim=True)

    def _stimulus(self, profile: str, numbers: bool) -> Stimulus:
        return Stimulus("training", "simulated", "simulated", self._blank, profile, slots(numbers))


def _stacked(features: Any) -> Tensor:
    return features if isinstance(features, Tensor) else torch.stack(list(features))


def _flat_patches(convolution: Any, patches: Tensor) -> Tensor:
    return functional.linear(patches.to(convolution.weight.dtype), convolution.weight.flatten(1), convolution.bias)


def _png(pixels: Pixels) -> bytes:
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()
