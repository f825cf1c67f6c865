"""Checkpoints of the published backbones' shapes with random weights: for time and memory, never for results.

Classes and shapes are those of Qwen3-VL-4B-Instruct and InternVL3.5-4B (their config.json); the weights are noise in
bfloat16, and a token is a word, so that texts are about as long as with the published tokenizers. Each folder takes
9 GB and says what it is wherever it is used. The time of a trial of each kind then comes from

    python tests/performance/real_size.py --out FOLDER
    python -m benchmark reproduce main --plan 1 --data DIR --set dtype=bfloat16 --backbone qwen3-vl=FOLDER/qwen3-vl

``--layers`` and ``--width`` make smaller ones.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.baselines.backbones.tiny import VOCABULARY as TOKENS  # noqa: E402
from tests.baselines.backbones.tiny import tokenizer  # noqa: E402

SPREAD = 0.02
"""Standard deviation of the weights."""
VOCABULARY = 151936


def text(layers: int, width: int) -> dict[str, Any]:
    """Return the text decoder of both: Qwen3 with 4 billion parameters."""
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": width,
        "intermediate_size": width * 19 // 5,
        "num_hidden_layers": layers,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
    }


def qwen3_vl(layers: int, width: int) -> tuple[Any, Any, Any]:
    """Return configuration, class and image processor of Qwen3-VL."""
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    config = transformers.Qwen3VLConfig(
        text_config={**text(layers, width), "rope_parameters": rope},
        vision_config={
            "depth": 24,
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_heads": 16,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "out_hidden_size": width,
            "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [5, 11, 17],
        },
        image_token_id=TOKENS["<|image_pad|>"],
        video_token_id=TOKENS["<|video_pad|>"],
        vision_start_token_id=TOKENS["<|vision_start|>"],
        vision_end_token_id=TOKENS["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    size = {"shortest_edge": 256**2, "longest_edge": 4096**2}
    images = Qwen2VLImageProcessorPil(
        patch_size=16, merge_size=2, temporal_patch_size=2, size=size, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return config, transformers.Qwen3VLForConditionalGeneration, images


def internvl(layers: int, width: int) -> tuple[Any, Any, Any]:
    """Return configuration, class and image processor of InternVL3.5: the vision tower of 300 million parameters."""
    config = transformers.InternVLConfig(
        text_config={
            "model_type": "qwen3",
            **text(layers, width),
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        },
        vision_config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "image_size": [448, 448],
            "patch_size": [14, 14],
            "attention_bias": True,
        },
        image_token_id=TOKENS["<IMG_CONTEXT>"],
        image_seq_length=256,
        downsample_ratio=0.5,
        tie_word_embeddings=True,
    )
    images = GotOcr2ImageProcessorPil(
        size={"height": 448, "width": 448},
        crop_to_patches=True,
        min_patches=1,
        max_patches=12,
        image_mean=[0.485, 0.456, 0.406],
        image_std=[0.229, 0.224, 0.225],
    )
    return config, transformers.InternVLForConditionalGeneration, images


KINDS = {"qwen3-vl": qwen3_vl, "internvl3.5": internvl}


def write(name: str, folder: Path, layers: int = 36, width: int = 2560) -> int:
    """Write a checkpoint of random weights; return its number of parameters.

    Args:
        name: ``qwen3-vl`` or ``internvl3.5``.
        folder: Where to; made if it is missing.
        layers: Of the text decoder.
        width: Of the text decoder, a multiple of 5.
    """
    config, kind, images = KINDS[name](layers, width)
    with torch.device("meta"):
        model = kind(config).to(torch.bfloat16)
    model = model.to_empty(device="cpu")
    model.tie_weights()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for path, parameter in model.named_parameters():
            if re.search(r"norm\w*\.weight$|lambda_[12]$", path):
                parameter.fill_(1.0)
            elif path.endswith("bias"):
                parameter.zero_()
            else:
                parameter.normal_(0.0, SPREAD, generator=generator)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    images.save_pretrained(folder)
    count = sum(parameter.numel() for parameter in model.parameters())
    said = f"{name} here has random weights ({count / 1e9:.1f} billion): for time and memory, not a published model"
    (folder / "gazebench.json").write_text(json.dumps({"notice": said}) + "\n")
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", choices=tuple(KINDS), help="one of the two")
    parser.add_argument("--layers", type=int, default=36)
    parser.add_argument("--width", type=int, default=2560, help="of the text decoder, a multiple of 5")
    chosen = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    for name in [chosen.only] if chosen.only else KINDS:
        count = write(name, chosen.out / name, chosen.layers, chosen.width)
        print(f"{chosen.out / name}: {count / 1e9:.2f} billion parameters, random weights")


if __name__ == "__main__":
    main()
