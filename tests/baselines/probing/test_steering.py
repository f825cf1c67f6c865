"""Steering against full eager attention with the bias in place, and what it finds in a model that is wired by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from baselines.probing.gaze_heads import diagonal_scores, select_heads
from baselines.probing.hook import Decoder
from baselines.probing.inputs import cached
from baselines.probing.relevance import head_attention
from baselines.probing.steering import steered
from baselines.simulators.probed import PUSH

_spec = importlib.util.spec_from_file_location("decoders", Path(__file__).with_name("decoders.py"))
decoders = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(decoders)

HEADS = ((0, 1), (0, 2), (2, 3))


def eagerly(model, arguments, heads, bias, monkeypatch):
    """The model's own eager attention, its scores of row src biased where the definition says."""
    from transformers.models.qwen3 import modeling_qwen3 as qwen3

    def attention(module, query, key, value, mask, scaling, **_):
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        scores = query @ key.transpose(2, 3) * scaling + mask
        for layer, head in heads:
            if layer == module.layer_idx:
                scores[:, head, -1] += bias
        weights = scores.softmax(-1)
        return (weights @ value).transpose(1, 2), weights

    monkeypatch.setattr(qwen3, "eager_attention_forward", attention)
    monkeypatch.setattr(model.config, "_attn_implementation", "eager")
    hidden = model.get_decoder()(**arguments, use_cache=False).last_hidden_state
    monkeypatch.undo()
    return model.lm_head(hidden[:, -1])


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
def test_row_src_of_the_heads_is_biased_and_nothing_else(padded, monkeypatch):
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3", padded=padded)
    bias = torch.linspace(0, 3, arguments["inputs_embeds"].shape[1])
    plain = model.lm_head(model.get_decoder()(**arguments, use_cache=False).last_hidden_state[:, -1])
    expected = eagerly(model, arguments, HEADS, bias, monkeypatch)
    decoder = Decoder.of(model)
    with steered(model, HEADS, bias):
        found = decoder.logits(decoder.run(arguments, use_cache=False).last_hidden_state)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (found - plain).abs().max() > 1e-2
    assert torch.equal(plain, model.lm_head(model.get_decoder()(**arguments, use_cache=False).last_hidden_state[:, -1]))


def test_positions_after_src_are_biased_too_with_and_without_a_cache():
    """Answers of several tokens go on after src, and their tokens look where src does."""
    from transformers import DynamicCache

    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3", padded=False)
    bias = torch.linspace(0, 3, 11)  # two of the thirteen positions come after src
    first = {key: value[:, :11] for key, value in arguments.items()}
    rest = {key: value[:, 11:] if key != "attention_mask" else value for key, value in arguments.items()}
    decoder, cache = model.get_decoder(), DynamicCache()
    given = cached(decoder, cache)
    with steered(model, HEADS, bias):
        whole = decoder(**arguments, use_cache=False).last_hidden_state
        decoder(**first, **given, use_cache=True)
        last = decoder(**rest, **given, use_cache=True).last_hidden_state
    torch.testing.assert_close(whole[:, 11:], last, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[:, 11:], decoder(**arguments, use_cache=False).last_hidden_state[:, 11:], atol=1e-3)


SLOTS, WIRED = 6, (1, 2)


@pytest.fixture(scope="module")
def wired():
    """A Qwen3-VL whose head WIRED looks from a question at the slot it names and writes that slot's code, the answer.

    Of a token's 32 numbers 0-5 are the code of an image token's slot, 6-11 what a question names, 12-17 the answer.
    All other weights are small and random.
    """
    rope = dict(rope_type="default", rope_theta=1e12, mrope_section=[2, 1, 1], mrope_interleaved=True)
    text = dict(decoders.COMMON, head_dim=8, initializer_range=0.02, rope_parameters=rope)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = transformers.Qwen3VLConfig(text_config=text, vision_config=decoders.VISION)
        model = transformers.Qwen3VLForConditionalGeneration(config).eval().requires_grad_(False)
    layer, head = WIRED
    attention, group = model.get_decoder().layers[layer].self_attn, head // 2
    turned = [1, 2, 3, 5, 6, 7]  # pairs of numbers that rotate too slowly for positions to matter
    code = torch.eye(32)[:SLOTS]
    for weight, first in ((attention.q_proj, 8 * head), (attention.k_proj, 8 * group), (attention.v_proj, 8 * group)):
        weight.weight[first : first + 8] = 0
    attention.q_proj.weight[[8 * head + i for i in turned]] = code.roll(6, 1)
    attention.k_proj.weight[[8 * group + i for i in turned]] = code
    attention.v_proj.weight[[8 * group + i for i in turned]] = code
    attention.o_proj.weight[12:18, [8 * head + i for i in turned]] = 10 * torch.eye(SLOTS)
    attention.q_norm.weight[:] = attention.k_norm.weight[:] = 1.5
    model.lm_head.weight[:SLOTS] = code.roll(12, 1)
    return model


def questions(named):
    """Two image tokens per slot, then a question for each of ``named``, None for one that names no slot."""
    embeds = torch.randn(len(named), 2 * SLOTS + 1, 32, generator=torch.Generator().manual_seed(4)) * 0.2
    embeds[:, :-1, :18], embeds[:, -1, :18] = 0, 0
    embeds[:, : 2 * SLOTS, :SLOTS] = torch.eye(SLOTS).repeat_interleave(2, 0)
    for row, slot in enumerate(named):
        if slot is not None:
            embeds[row, -1, 6 + slot] = 1
    return {"inputs_embeds": embeds, "position_ids": torch.arange(2 * SLOTS + 1).expand(3, len(named), -1)}


def answered(model, arguments):
    hidden = model.get_decoder()(**arguments, use_cache=False).last_hidden_state
    return model.lm_head(hidden[:, -1])[:, :SLOTS].argmax(1).tolist()


def test_questions_find_the_one_head_that_is_wired_to_look_where_they_ask(wired):
    rows = head_attention(wired, **questions(range(SLOTS))).tokens[..., : 2 * SLOTS]
    shares = rows.unflatten(-1, (SLOTS, 2)).sum(-1)
    scores = diagonal_scores([(shares / shares.sum(-1, keepdim=True)).numpy()])
    assert select_heads(scores, 1) == (WIRED,) and scores[WIRED] > 0.9
    assert np.delete(scores.ravel(), 4 * WIRED[0] + WIRED[1]).max() < 0.5


def test_pushing_the_wired_head_moves_every_answer_and_other_heads_move_none_that_was_asked_for(wired):
    asked = questions([*range(SLOTS), None])
    assert answered(wired, asked)[:SLOTS] == list(range(SLOTS))
    others = [(layer, head) for layer in range(3) for head in range(4) if (layer, head) != WIRED]
    for slot in range(SLOTS):
        bias = torch.zeros(2 * SLOTS + 1)
        bias[2 * slot : 2 * slot + 2] = PUSH
        with steered(wired, [WIRED], bias):
            assert answered(wired, asked) == [slot] * (SLOTS + 1)
        for head in others:
            with steered(wired, [head], bias):
                assert answered(wired, asked)[:SLOTS] == list(range(SLOTS))
