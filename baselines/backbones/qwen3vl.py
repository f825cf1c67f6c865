"""Qwen3-VL: any resolution, M-RoPE positions, deepstack features (Qwen3VLForConditionalGeneration)."""

from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from baselines.backbones.conversation import Conversation
from baselines.backbones.geometry import token_boxes
from baselines.backbones.settings import Settings
from baselines.backbones.vlm import Processor, ScreenPixels, VisionLanguageModel, check_size, has_image_settings
from tasks.errors import InputError


class Qwen3VL(VisionLanguageModel):
    """Qwen3-VL as a backbone.

    The screen is resized, each axis by itself, to multiples of an image token (patch times merge, 32 pixels), so every
    token covers the same share of the screen.
    """

    transformers_class = "Qwen3VLForConditionalGeneration"

    @classmethod
    def load(cls, folder: Path, model: Any, tokenizer: Any, settings: Settings) -> Processor:
        """See ``VisionLanguageModel``; without image settings in the folder, those of the released models apply."""
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        config = model.config
        vision = config.vision_config
        own = dict(
            patch_size=vision.patch_size,
            temporal_patch_size=vision.temporal_patch_size,
            merge_size=vision.spatial_merge_size,
        )
        if has_image_settings(folder):
            images = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
        else:
            images = Qwen2VLImageProcessorPil(
                **own,
                image_mean=[0.5] * 3,
                image_std=[0.5] * 3,
                size={"shortest_edge": 256**2, "longest_edge": 4096**2},
            )
        for key, value in own.items():
            if getattr(images, key) != value:
                raise InputError(
                    f"the image processor in {folder} has {key} {getattr(images, key)}, the model {value}."
                )
        ids = (config.image_token_id, config.vision_start_token_id, config.vision_end_token_id)
        names = [str(tokenizer.convert_ids_to_tokens(i)) for i in ids if i < len(tokenizer)]
        if len(names) < len(ids):
            raise InputError(f"the tokenizer in {folder} lacks the image tokens {ids} that config.json names.")
        return Processor(tokenizer, images, Conversation(tokenizer, names[0], names[1], names[2], settings))

    def pixels(self, image: Image.Image) -> ScreenPixels:
        """See ``VisionLanguageModel``."""
        images = self.processor.image_processor
        check_size(image.size, images.patch_size * images.merge_size)
        try:
            found = images(images=[image], return_tensors="pt")
        except ValueError as error:
            raise InputError(
                f"a screen of {image.size[0]} x {image.size[1]} pixels cannot be read: {error}."
            ) from error
        _, rows, columns = (int(i) for i in found["image_grid_thw"][0])
        rows, columns = rows // images.merge_size, columns // images.merge_size
        window = (0.0, 0.0, float(image.size[0]), float(image.size[1]))
        return ScreenPixels(
            {"pixel_values": found["pixel_values"], "image_grid_thw": found["image_grid_thw"]},
            (1, rows, columns),
            token_boxes((window,), rows, columns, image.size),
        )

    def _vision(self, pixels: ScreenPixels) -> tuple[Tensor, tuple[Tensor, ...]]:
        arguments = {key: value.to(self.device) for key, value in pixels.arguments.items()}
        found = self.model.get_image_features(**arguments, return_dict=True)
        # Transformers 5.4 does not split these by picture.
        deepstack = [layer if isinstance(layer, Tensor) else layer[0] for layer in found.deepstack_features]
        return found.pooler_output[0], tuple(deepstack)

    def _positions(self, before: int, grid: tuple[int, int, int], after: int) -> Tensor:
        """Return M-RoPE positions (time, row, column), shape (3, 1, S).

        Text counts on all three axes alike. The image starts at the next number p, its time stays p, its rows and
        columns count from p; text continues after the larger of the two. A soft prompt counts as text.
        """
        _, rows, columns = grid
        row, column = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        image = torch.stack([torch.zeros_like(row), row, column]).reshape(3, -1) + before
        behind = torch.arange(after) + before + max(rows, columns)
        return torch.cat([torch.arange(before).expand(3, -1), image, behind.expand(3, -1)], dim=1)[:, None]
