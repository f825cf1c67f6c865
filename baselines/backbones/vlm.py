"""What the two architectures share: screens kept, sequences built, answers scored."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from baselines.backbones import answers
from baselines.backbones.conversation import Conversation
from baselines.backbones.features import FeatureStore
from baselines.backbones.interface import Candidates, ModelInput, Placement, ScreenFeatures
from baselines.backbones.settings import Settings
from tasks.decoding import read_json
from tasks.errors import InputError
from tasks.types import Floats, ScreenImage, Session, Stimulus


@dataclass(frozen=True, slots=True)
class Processor:
    """The checkpoint's tokenizer, its PIL image processor (resizing, normalisation), and the words around a screen."""

    tokenizer: Any
    image_processor: Any
    conversation: Conversation


@dataclass(frozen=True, slots=True, eq=False)
class ScreenPixels:
    """A screen as the vision tower takes it in; grid and boxes as in ``ScreenFeatures``.

    Attributes:
        arguments: Keyword arguments of the model's ``get_image_features``; ``pixel_values`` is one of them.
    """

    arguments: dict[str, Tensor]
    grid: tuple[int, int, int]
    patch_boxes: Floats


class VisionLanguageModel(ABC):
    """A frozen model that reads a screen and answers with a slot's label; an architecture adds the abstract methods.

    Attributes:
        transformers_class: Name of the model's class in transformers.
        model: The transformers model, in evaluation mode, its parameters frozen.
        name: Registry name, or the folder or hub name it was loaded from.
        fingerprint: Changes with the checkpoint and with how sessions are put to it.
    """

    transformers_class: ClassVar[str]

    def __init__(
        self,
        model: Any,
        processor: Processor,
        *,
        name: str,
        checkpoint: str = "",
        settings: Settings | None = None,
        store: FeatureStore | None = None,
    ) -> None:
        """Freeze a loaded model in evaluation mode; without a ``store``, features are kept in memory only."""
        self.model = model.eval().requires_grad_(False)
        self.processor = processor
        self.name = name
        self.settings = settings or processor.conversation.settings
        self.store = store or FeatureStore(None)
        self.fingerprint = hashlib.sha256("\0".join([checkpoint, *self.settings.shaping()]).encode()).hexdigest()
        self._embedding = model.get_input_embeddings()
        self._decoder = model.get_decoder()
        self._head = model.get_output_embeddings()

    @property
    def notice(self) -> str:
        """What every output made with this checkpoint must say; empty for none."""
        return self.settings.notice

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, model: Any, tokenizer: Any, settings: Settings) -> Processor:
        """Return the processor that belongs to ``model``, with the image settings of ``folder``.

        InputError if tokenizer, image settings and model do not fit together.
        """

    @abstractmethod
    def pixels(self, image: Image.Image) -> ScreenPixels:
        """Return what the vision tower is given for a screen in mode RGB.

        InputError if the image is smaller than a patch, or too long and narrow.
        """

    @abstractmethod
    def _vision(self, pixels: ScreenPixels) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the vision tower; return the token embeddings, shape (T, D), and the deepstack features."""

    @abstractmethod
    def _positions(self, before: int, grid: tuple[int, int, int], after: int) -> Tensor:
        """Return the positions of text, image and text, shape (1, S) or (3, 1, S)."""

    @property
    def width(self) -> int:
        """Width D of the input embeddings."""
        return int(self._embedding.weight.shape[1])

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        found: torch.device = self._embedding.weight.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the model."""
        found: torch.dtype = self._embedding.weight.dtype
        return found

    @property
    def end_token(self) -> int | None:
        """The token that ends the model's turn."""
        return None if self.processor.tokenizer.eos_token_id is None else int(self.processor.tokenizer.eos_token_id)

    def encode_screen(self, image: ScreenImage | Image.Image) -> ScreenFeatures:
        """Return the features of a screen; the vision tower runs once per distinct screen.

        InputError if the image does not open or is smaller than a patch, or the features are not finite.
        """
        if isinstance(image, ScreenImage):
            digest = image.digest()
            return self.store.get(digest, lambda: self._encode(image.open(), digest))
        picture = image.convert("RGB")
        digest = hashlib.sha256(f"{picture.size}".encode() + picture.tobytes()).hexdigest()
        return self.store.get(digest, lambda: self._encode(picture, digest))

    def build(
        self, session: Stimulus | Session, prompt: Tensor | None = None, placement: Placement = "prefix"
    ) -> ModelInput:
        """Return the model input of one session, B = 1; its click and gaze, if it has any, are not looked at.

        The soft prompt has the shape (N, D) and is differentiable; None and N = 0 are the same. ``placement``
        ``prefix`` puts it before everything, ``suffix`` between image and question. InputError if the session has no
        image, or the prompt has the wrong width or is not finite.
        """
        if session.image is None:
            raise InputError(
                f"session {session.session_id} has no image; prepare the task with images to use {self.name}."
            )
        if placement not in ("prefix", "suffix"):
            raise InputError(f"unknown placement '{placement}' of the soft prompt; give prefix or suffix.")
        soft = self._checked(prompt)
        text = self.processor.conversation.tokens(session)
        screen = self.encode_screen(session.image)
        n, t = soft.shape[0], screen.embeds.shape[0]
        first, second = (n, 0) if placement == "prefix" else (0, n)
        start = first + len(text.before)
        end = start + t + len(text.closing)
        picture = screen.embeds.to(self.device, self.dtype)
        embeds = torch.cat(
            [
                soft[:first],
                self._embed(text.before),
                picture,
                self._embed(text.closing),
                soft[:second],
                self._embed(text.after),
            ]
        )
        length = embeds.shape[0]
        index = torch.arange(start, start + t, device=self.device)
        visual = None
        if screen.deepstack:
            visual = torch.zeros(1, length, dtype=torch.bool, device=self.device)
            visual[0, index] = True
        prompt_start = 0 if placement == "prefix" else end
        return ModelInput(
            inputs_embeds=embeds[None],
            position_ids=self._positions(start, screen.grid, length - start - t).to(self.device),
            attention_mask=torch.ones(1, length, dtype=torch.bool, device=self.device),
            image_index=(index,),
            patch_boxes=(screen.patch_boxes,),
            visual_pos_masks=visual,
            deepstack=tuple(layer.to(self.device, self.dtype) for layer in screen.deepstack),
            prompt_index=(torch.arange(prompt_start, prompt_start + n, device=self.device),),
            sessions=(session.session_id,),
        )

    def answer_tokens(self, session: Stimulus | Session) -> Candidates:
        """Return the token ids of every slot's answer; see ``answers.answer_tokens``."""
        text = self.processor.conversation.tokens(session)
        return answers.answer_tokens(self.processor.tokenizer, session, text.tail, text.lead)

    def logits(self, inputs: ModelInput) -> Tensor:
        """Return the logits at src, shape (B, V), differentiable in ``inputs`` where gradients are on."""
        hidden = self._decoder(**inputs.arguments(), use_cache=False).last_hidden_state
        found: Tensor = self._head(hidden[:, -1])
        return found

    def log_probabilities(self, inputs: ModelInput, candidates: Sequence[Candidates]) -> list[Tensor]:
        """Return per row log p over its K slots, differentiable in ``inputs``; see ``answers``."""
        logits = answers.node_logits(self._decoder, self._head, self._embedding, inputs, candidates)
        return answers.candidate_log_probabilities(logits, candidates, self.end_token)

    def _encode(self, image: Image.Image, digest: str) -> ScreenFeatures:
        pixels = self.pixels(image)
        if not bool(torch.isfinite(pixels.arguments["pixel_values"]).all()):
            raise InputError(
                "the normalised screen holds NaN or Inf; check image_mean and image_std of the image processor."
            )
        with torch.no_grad():
            embeds, deepstack = self._vision(pixels)
        if not all(bool(torch.isfinite(layer).all()) for layer in (embeds, *deepstack)):
            raise InputError(
                f"the screen features of {self.name} hold NaN or Inf; "
                f"its vision weights are damaged or overflow in {self.dtype}."
            )
        if embeds.shape != (len(pixels.patch_boxes), self.width):
            raise InputError(
                f"{self.name} gives screen features of shape {tuple(embeds.shape)}, "
                f"expected {(len(pixels.patch_boxes), self.width)}."
            )
        return ScreenFeatures(
            embeds.cpu(), tuple(layer.cpu() for layer in deepstack), pixels.grid, pixels.patch_boxes, image.size, digest
        )

    def _embed(self, ids: Sequence[int]) -> Tensor:
        found: Tensor = self._embedding(torch.tensor(ids, dtype=torch.long, device=self.device))
        return found

    def _checked(self, prompt: Tensor | None) -> Tensor:
        """Return the prompt on the model's device and in its number format; (0, D) for None."""
        if prompt is None:
            return torch.zeros(0, self.width, device=self.device, dtype=self.dtype)
        if prompt.ndim != 2 or prompt.shape[1] != self.width:
            raise InputError(
                f"the soft prompt has shape {tuple(prompt.shape)}; {self.name} takes (tokens, {self.width})."
            )
        if not bool(torch.isfinite(prompt.detach()).all()):
            raise InputError("the soft prompt holds NaN or Inf; lower the learning rate.")
        return prompt.to(self.device, self.dtype)


def has_image_settings(folder: Path) -> bool:
    """Return whether a checkpoint folder says how images are resized and normalised."""
    if (folder / "preprocessor_config.json").is_file():
        return True
    joint = folder / "processor_config.json"
    return joint.is_file() and "image_processor" in read_json(dict[str, Any], joint, "fetch it again")


def check_size(size: tuple[int, int], patch: int) -> None:
    """Check that a screen is large enough for a vision tower; InputError if a side is shorter than one image token."""
    if min(size) < patch:
        raise InputError(f"the screen is {size[0]} x {size[1]} pixels, smaller than one patch of {patch} x {patch}.")
