"""Tiny random decoders of the architectures that probing must work on, and batches for them."""

from __future__ import annotations

import functools

import torch
import transformers

VOCABULARY = 61
COMMON = dict(
    hidden_size=32,
    intermediate_size=48,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    vocab_size=VOCABULARY,
    max_position_embeddings=128,
    initializer_range=0.2,
)
VISION = dict(
    depth=1,
    hidden_size=16,
    intermediate_size=16,
    num_heads=2,
    out_hidden_size=32,
    deepstack_visual_indexes=[0],
    patch_size=4,
)
NAMES = ("qwen3", "llama", "qwen2", "qwen3_vl", "internvl", "window")


@functools.cache
def build(name, dtype=torch.float32):
    """Return a random model in evaluation mode with grouped-query attention; float64 stays float64."""
    text = dict(COMMON)
    if name in ("qwen3", "qwen3_vl", "internvl"):
        text["head_dim"] = 8
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if name == "window":
            window = dict(use_sliding_window=True, sliding_window=4, max_window_layers=1)
            model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**text, **window))
        elif name == "qwen3":
            model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**text))
        elif name == "llama":
            model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**text))
        elif name == "qwen2":
            model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**text))
        elif name == "qwen3_vl":
            rope = dict(rope_type="default", rope_theta=10000.0, mrope_section=[2, 1, 1], mrope_interleaved=True)
            config = transformers.Qwen3VLConfig(text_config=dict(text, rope_parameters=rope), vision_config=VISION)
            model = transformers.Qwen3VLForConditionalGeneration(config)
        else:
            vision = dict(
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                image_size=[8, 8],
                patch_size=[4, 4],
            )
            config = transformers.InternVLConfig(vision_config=vision, text_config=dict(text, model_type="qwen3"))
            model = transformers.InternVLForConditionalGeneration(config)
    model = model.to(dtype).eval().requires_grad_(False)
    if dtype == torch.float64:
        for module in model.get_decoder().modules():
            if type(module).__name__.endswith("RMSNorm"):
                module.forward = functools.partial(_exact_norm, module)
    return model


def _exact_norm(module, hidden):
    """RMSNorm without the cast to float32 that the model classes make."""
    return module.weight * hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + module.variance_epsilon)


def batch(name, dtype=torch.float32, padded=True, size=2, length=13, seed=3):
    """Return decoder arguments; the first sequence is padded by 4 on the left, and Qwen3-VL has deepstack features."""
    generator = torch.Generator().manual_seed(seed)
    pads = [4 if padded and i == 0 else 0 for i in range(size)]
    mask = torch.ones(size, length, dtype=torch.bool)
    for row, pad in enumerate(pads):
        mask[row, :pad] = False
    positions = (mask.long().cumsum(1) - 1).clamp(min=0)
    arguments = dict(
        inputs_embeds=torch.randn(size, length, 32, generator=generator).to(dtype),
        attention_mask=mask,
        position_ids=positions,
    )
    if name == "qwen3_vl":
        visual = torch.zeros(size, length, dtype=torch.bool)
        visual[:, 6:10] = True
        grid = positions.expand(3, -1, -1).clone()
        grid[1, :, 6:10] += torch.tensor([0, 0, 1, 1])
        grid[2, :, 6:10] += torch.tensor([0, 1, 0, 1])
        arguments["position_ids"] = grid
        arguments["visual_pos_masks"] = visual
        arguments["deepstack_visual_embeds"] = [torch.randn(4 * size, 32, generator=generator).to(dtype)]
    return arguments


def answers(*ids):
    """Return a target: the logits of one answer's tokens, summed, an answer per row or one for all rows."""

    def target(logits):
        rows = ids if len(ids) == len(logits) else [ids[0]] * len(logits)
        return torch.stack([row[torch.tensor(own)].sum() for row, own in zip(logits, rows, strict=True)])

    return target
