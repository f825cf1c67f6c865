"""The pocket models: configurations of the real architecture classes, a few hundred times narrower and shallower."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from baselines.pocket_training.vocabulary import MARKERS
from tasks.errors import unknown_name

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SCREEN = (480, 288)
"""Width and height of the screens the stand-ins are trained on: a slot's cell is 96 x 96 pixels."""
SQUARE = 480
"""Side of the letterboxed picture that the InternVL stand-in sees."""
PATCH, MERGE = 24, 2
"""A patch is 24 pixels, an image token 2 x 2 patches: four image tokens per slot, none shared by two."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths and depths of the text decoder and of the vision tower.

    Attributes:
        groups: Key and value heads.
        vocabulary: Rows of the embedding, a multiple of 64.
    """

    width: int = 128
    layers: int = 4
    heads: int = 4
    groups: int = 2
    feedforward: int = 384
    vision_width: int = 96
    vision_layers: int = 2
    vision_heads: int = 4
    vision_feedforward: int = 256
    vocabulary: int = 320


SHAPES = {"pocket-qwen3vl": Shape(), "pocket-internvl": Shape(vision_feedforward=896)}
"""Of the shipped stand-ins. InternVL's tower has no merger and no deepstack: it gets wider layers instead."""


def new_model(name: str, tokenizer: PreTrainedTokenizerFast, shape: Shape | None = None) -> Any:
    """Return an untrained stand-in in float32, of its own shape if none is given.

    Its weights come from torch's global generator.

    Raises:
        InputError: There is no stand-in of this name.
    """
    import torch
    from transformers import InternVLForConditionalGeneration, Qwen3VLForConditionalGeneration

    if name not in MARKERS:
        raise unknown_name("pocket stand-in", name, MARKERS)
    shape = shape or SHAPES[name]
    if name == "pocket-qwen3vl":
        model = Qwen3VLForConditionalGeneration(_qwen3vl(tokenizer, shape))
    else:
        model = InternVLForConditionalGeneration(_internvl(tokenizer, shape))
    # Wider than usual: image embeddings start on the scale of the words, and small models learn faster from it.
    torch.nn.init.normal_(model.get_input_embeddings().weight, 0.0, 0.15)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def _text(tokenizer: PreTrainedTokenizerFast, shape: Shape) -> dict[str, Any]:
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.feedforward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.groups,
        "head_dim": shape.width // shape.heads,
        "max_position_embeddings": 4096,
        "pad_token_id": tokenizer.pad_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": True,
        "initializer_range": 0.06,
    }


def _qwen3vl(tokenizer: PreTrainedTokenizerFast, shape: Shape) -> Any:
    from transformers import Qwen3VLConfig

    markers = MARKERS["pocket-qwen3vl"]
    half = shape.width // shape.heads // 2
    space = half * 5 // 16
    return Qwen3VLConfig(
        text_config={
            **_text(tokenizer, shape),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [half - 2 * space, space, space],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": shape.vision_layers,
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_feedforward,
            "num_heads": shape.vision_heads,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "temporal_patch_size": 2,
            "out_hidden_size": shape.width,
            "num_position_embeddings": 24 * 24,
            "deepstack_visual_indexes": [0],
            "initializer_range": 0.05,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(markers.image),
        video_token_id=tokenizer.convert_tokens_to_ids(markers.video),
        vision_start_token_id=tokenizer.convert_tokens_to_ids(markers.start),
        vision_end_token_id=tokenizer.convert_tokens_to_ids(markers.end),
        tie_word_embeddings=True,
    )


def _internvl(tokenizer: PreTrainedTokenizerFast, shape: Shape) -> Any:
    from transformers import InternVLConfig

    markers = MARKERS["pocket-internvl"]
    return InternVLConfig(
        text_config={
            "model_type": "qwen3",
            **_text(tokenizer, shape),
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
        vision_config={
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_feedforward,
            "num_hidden_layers": shape.vision_layers,
            "num_attention_heads": shape.vision_heads,
            "image_size": [SQUARE, SQUARE],
            "patch_size": [PATCH, PATCH],
            "attention_bias": True,
            "layer_scale_init_value": 1.0,
            "initializer_range": 0.05,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(markers.image),
        image_seq_length=(SQUARE // PATCH // MERGE) ** 2,
        downsample_ratio=1.0 / MERGE,
        tie_word_embeddings=True,
    )
