"""InternVL 3 and 3.5: square pictures, plain positions (InternVLForConditionalGeneration)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from baselines.backbones.conversation import Conversation
from baselines.backbones.geometry import Tiling, tiling, token_boxes
from baselines.backbones.settings import Settings
from baselines.backbones.vlm import Processor, ScreenPixels, VisionLanguageModel, check_size, has_image_settings
from tasks.errors import InputError


class InternVL(VisionLanguageModel):
    """InternVL as a backbone.

    A screen becomes square pictures, as ``Settings.fit`` says; each is ``(image_size / patch_size * downsample)^2``
    tokens, row by row.
    """

    transformers_class = "InternVLForConditionalGeneration"

    @classmethod
    def load(cls, folder: Path, model: Any, tokenizer: Any, settings: Settings) -> Processor:
        """See ``VisionLanguageModel``; without image settings, ImageNet normalisation and at most 12 tiles."""
        from transformers.image_utils import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
        from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

        config = model.config
        height, width = config.vision_config.image_size
        side = cls._patch(config)
        if height != width or config.vision_config.patch_size[0] != config.vision_config.patch_size[1] or height % side:
            raise InputError(
                f"the vision tower in {folder} reads {width} x {height} pixels; InternVL takes whole squares."
            )
        if has_image_settings(folder):
            images = GotOcr2ImageProcessorPil.from_pretrained(folder, local_files_only=True)
        else:
            images = GotOcr2ImageProcessorPil(
                size={"height": height, "width": width},
                image_mean=IMAGENET_DEFAULT_MEAN,
                image_std=IMAGENET_DEFAULT_STD,
            )
        size = (images.size["height"], images.size["width"])
        if size != (height, width):
            raise InputError(
                f"the image processor in {folder} makes {size[1]} x {size[0]} pixels, "
                f"the model reads {width} x {height}."
            )
        token = (
            tokenizer.convert_ids_to_tokens(config.image_token_id) if config.image_token_id < len(tokenizer) else None
        )
        if token is None:
            raise InputError(
                f"the tokenizer in {folder} lacks the image token {config.image_token_id} that config.json names."
            )
        opening = getattr(tokenizer, "start_image_token", None) or "<img>"
        closing = getattr(tokenizer, "end_image_token", None) or "</img>"
        return Processor(tokenizer, images, Conversation(tokenizer, token, opening, closing, settings))

    def pixels(self, image: Image.Image) -> ScreenPixels:
        """See ``VisionLanguageModel``."""
        images = self.processor.image_processor
        side, patch = int(images.size["height"]), self._patch(self.model.config)
        check_size(image.size, patch)
        plan = self.plan(image.size)
        scale = np.float32(images.rescale_factor)
        mean, std = np.asarray(images.image_mean, np.float32), np.asarray(images.image_std, np.float32)
        stack = np.stack(
            [np.asarray(picture, dtype=np.float32) for picture in cut(image, plan, side, int(images.resample))]
        )
        values = torch.from_numpy(((stack * scale - mean) / std).transpose(0, 3, 1, 2).copy())
        tokens = side // patch
        return ScreenPixels(
            {"pixel_values": values},
            (len(plan.windows), tokens, tokens),
            token_boxes(plan.windows, tokens, tokens, image.size),
        )

    def plan(self, size: tuple[int, int]) -> Tiling:
        """Return how a screen of this width and height becomes pictures.

        The grid of tiles is the one that the model's own image processor picks: nearest in aspect ratio, at most
        ``max_patches`` tiles.
        """
        from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import get_optimal_tiled_canvas

        images = self.processor.image_processor
        side = int(images.size["height"])
        cells = (1, 1)
        if self.settings.fit == "tile" and images.max_patches > 1:
            columns, rows = get_optimal_tiled_canvas(
                (size[1], size[0]), (side, side), images.min_patches, images.max_patches
            )
            cells = (int(columns), int(rows))
        return tiling(size, side, cells, self.settings.fit)

    def _vision(self, pixels: ScreenPixels) -> tuple[Tensor, tuple[Tensor, ...]]:
        found = self.model.get_image_features(
            pixel_values=pixels.arguments["pixel_values"].to(self.device), return_dict=True
        )
        return found.pooler_output.reshape(-1, found.pooler_output.shape[-1]), ()

    def _positions(self, before: int, grid: tuple[int, int, int], after: int) -> Tensor:
        """Return plain positions, shape (1, S)."""
        n, rows, columns = grid
        return torch.arange(before + n * rows * columns + after)[None]

    @staticmethod
    def _patch(config: Any) -> int:
        """Return the side of one image token in pixels of a picture."""
        return int(round(config.vision_config.patch_size[0] / config.downsample_ratio))


def cut(image: Image.Image, plan: Tiling, side: int, resample: int) -> list[Image.Image]:
    """Return the pictures of a plan, in its order: tiles row by row, then the whole view."""
    filter_ = Image.Resampling(resample)
    resized = image.resize(plan.resized, filter_)
    if plan.resized != plan.canvas:
        canvas = Image.new("RGB", plan.canvas)
        canvas.paste(resized, plan.paste)
        resized = canvas
    columns, rows = plan.cells
    found = [
        resized.crop((c * side, r * side, (c + 1) * side, (r + 1) * side)) for r in range(rows) for c in range(columns)
    ]
    if plan.whole:
        found.append(image.resize((side, side), filter_))
    return found
