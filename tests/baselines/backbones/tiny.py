"""Tiny random checkpoints of the real classes, saved as ordinary folders, and sessions to put to them."""

from __future__ import annotations

import io
import json

import numpy as np
import torch
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from baselines.backbones.interface import collate
from tasks.types import ScreenImage, Slot, Stimulus

KINDS = ("qwen3_vl", "internvl")
SPECIAL = ["<pad>", "<unk>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"]
SPECIAL += ["<|video_pad|>", "<img>", "</img>", "<IMG_CONTEXT>"]
WORDS = (
    "user assistant act as this look at the film page and answer with exactly one letter Top_genre Drama Comedy".split()
)
WORDS += list("ABCDEFGHIJKLMNO") + list("0123456789") + [":", ",", "."]
VOCABULARY = {word: i for i, word in enumerate(SPECIAL + WORDS)}
TEXT = dict(
    vocab_size=64,
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    max_position_embeddings=512,
    initializer_range=0.2,
    pad_token_id=0,
)


def tokenizer(template=None):
    words = Tokenizer(models.WordLevel(VOCABULARY, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)]
    )
    words.add_special_tokens(SPECIAL)
    found = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", unk_token="<unk>", eos_token="<|im_end|>"
    )
    found.chat_template = template
    return found


def qwen3_vl():
    rope = dict(rope_type="default", rope_theta=10000.0, mrope_section=[2, 1, 1], mrope_interleaved=True)
    vision = dict(
        depth=2,
        hidden_size=16,
        intermediate_size=24,
        num_heads=2,
        out_hidden_size=32,
        deepstack_visual_indexes=[0],
        patch_size=4,
        num_position_embeddings=64,
        initializer_range=0.2,
    )
    config = transformers.Qwen3VLConfig(
        text_config=dict(TEXT, rope_parameters=rope),
        vision_config=vision,
        image_token_id=VOCABULARY["<|image_pad|>"],
        video_token_id=VOCABULARY["<|video_pad|>"],
        vision_start_token_id=VOCABULARY["<|vision_start|>"],
        vision_end_token_id=VOCABULARY["<|vision_end|>"],
    )
    images = Qwen2VLImageProcessorPil(
        patch_size=4,
        merge_size=2,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        size=dict(shortest_edge=64, longest_edge=3072),
    )
    return transformers.Qwen3VLForConditionalGeneration(config), images


def internvl():
    vision = dict(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=[32, 32],
        patch_size=[4, 4],
        initializer_range=0.2,
    )
    config = transformers.InternVLConfig(
        vision_config=vision,
        text_config=dict(TEXT, model_type="qwen3"),
        image_token_id=VOCABULARY["<IMG_CONTEXT>"],
        tie_word_embeddings=False,
    )
    images = GotOcr2ImageProcessorPil(
        size=dict(height=32, width=32), image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.25], max_patches=6
    )
    return transformers.InternVLForConditionalGeneration(config), images


def save(kind, folder, template=None, **settings):
    """Write a random checkpoint of ``kind`` into ``folder``, without mixing of image patches in the vision tower."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model, images = qwen3_vl() if kind == "qwen3_vl" else internvl()
    model.eval().save_pretrained(folder)
    images.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    if settings:
        (folder / "gazebench.json").write_text(json.dumps(settings))
    return folder


def local(backbone):
    """Switch off attention in the vision tower, so that a token shows its own patches only."""
    with torch.no_grad():
        if backbone.model.config.model_type == "qwen3_vl":
            for block in backbone.model.model.visual.blocks:
                block.attn.proj.weight.zero_()
                block.attn.proj.bias.zero_()
        else:
            for layer in backbone.model.model.vision_tower.encoder.layer:
                layer.lambda_1.zero_()
    return backbone


def encoded(pixels):
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, format="PNG")
    return ScreenImage(data=data.getvalue())


def noise(width=48, height=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def session(labels="ABCDEF", width=48, height=32, columns=3, profile="Top_genre: Drama", seed=0, image="noise"):
    """Return a stimulus whose slots tile the screen, ``columns`` to a row."""
    labels = list(labels)
    rows = -(-len(labels) // columns)
    w, h = width / columns, height / rows
    slots = tuple(
        Slot(
            label,
            "film",
            f"Film {label}",
            (k % columns * w, k // columns * h, (k % columns + 1) * w, (k // columns + 1) * h),
            float((3 * k + seed) % 7),
        )
        for k, label in enumerate(labels)
    )
    screen = encoded(noise(width, height, seed)) if image == "noise" else image
    return Stimulus(f"u-{seed}", "u", str(seed), screen, profile, slots)


def token_scores(backbone, sessions, prompts=None, placement="prefix"):
    """Return per session the click probabilities over its slots, straight from the backbone's own answers."""
    with torch.no_grad():
        rows = zip(sessions, prompts or [None] * len(sessions), strict=True)
        inputs = collate([backbone.build(session, prompt, placement) for session, prompt in rows])
        found = backbone.log_probabilities(inputs, [backbone.answer_tokens(session) for session in sessions])
    shares = [np.exp(row.double().cpu().numpy()) for row in found]
    return [share / share.sum() for share in shares]
