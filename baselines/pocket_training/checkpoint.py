"""Writes a stand-in as a checkpoint folder that plain ``from_pretrained`` and ``load_backbone`` read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from baselines.backbones.settings import FILE, Settings
from baselines.pocket_training.architecture import MERGE, PATCH, SCREEN, SQUARE


def settings(name: str) -> Settings:
    """Return how sessions are put to a stand-in.

    Few words, so that a sequence stays short; the profile comes before the image, so that image tokens know it.
    """
    return Settings(
        letters="Pick one letter.",
        numbers="Pick one number.",
        order="profile-first",
        fit="letterbox",
        notice=f"{name} is a pocket stand-in that this project trained on simulated screens, not a published model",
    )


def write_checkpoint(model: Any, tokenizer: Any, name: str, out: Path) -> None:
    """Write weights in bfloat16, configuration, tokenizer, image settings and the wording of the question.

    The model's weights are rounded to bfloat16 and stay so; the folder is made if it is missing.
    """
    import torch

    out.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)  # written for its owner alone
    tokenizer.save_pretrained(out)
    image_settings(name).save_pretrained(out)
    words = dataclasses.asdict(settings(name))
    (out / FILE).write_text(json.dumps(words, indent=2) + "\n", encoding="utf-8")


def image_settings(name: str) -> Any:
    """Return the image processor: every screen becomes about as many image tokens as a training screen."""
    plain = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    if name == "pocket-qwen3vl":
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

        area = SCREEN[0] * SCREEN[1]
        size = {"shortest_edge": area, "longest_edge": area}
        return Qwen2VLImageProcessorPil(patch_size=PATCH, merge_size=MERGE, temporal_patch_size=2, size=size, **plain)
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil

    square = {"height": SQUARE, "width": SQUARE}
    return GotOcr2ImageProcessorPil(size=square, crop_to_patches=False, min_patches=1, max_patches=1, **plain)
