"""Steering against full eager attention with the bias in place."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from baselines.probing.hook import Decoder
from baselines.probing.steering import steered

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
    with steered(model, HEADS, bias):
        whole = decoder(**arguments, use_cache=False).last_hidden_state
        decoder(**first, past_key_values=cache, use_cache=True)
        last = decoder(**rest, past_key_values=cache, use_cache=True).last_hidden_state
    torch.testing.assert_close(whole[:, 11:], last, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole[:, 11:], decoder(**arguments, use_cache=False).last_hidden_state[:, 11:], atol=1e-3)
