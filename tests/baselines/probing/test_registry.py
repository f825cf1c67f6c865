"""The registry, and inputs that cannot be used."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from baselines.probing import registry as probing
from baselines.probing.relevance import token_relevance
from tasks.errors import InputError

_spec = importlib.util.spec_from_file_location("decoders", Path(__file__).with_name("decoders.py"))
decoders = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(decoders)


def test_every_operator_is_described_and_can_be_built():
    assert probing.names() == ("rollout", "attnlrp", "attnlrp-stable", "glimpse", "glimpse-first-order", "gaze-heads")
    for name in probing.names():
        entry = probing.info(name)
        assert entry.name == name and entry.equation and entry.source and entry.title
        assert hasattr(probing.create(name, **({"heads": ((0, 0),)} if name == "gaze-heads" else {})), "relevance")
    needing = {name for name in probing.names() if probing.info(name).needs_gradient}
    assert needing == {"attnlrp", "attnlrp-stable", "glimpse", "glimpse-first-order"}
    assert probing.create("attnlrp-stable").damping == 0.25 and probing.create("attnlrp").damping == 0


def test_what_needs_no_gradient_does_not_depend_on_the_target():
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    for name in probing.names():
        operator = probing.create(name, **({"heads": ((0, 0),)} if name == "gaze-heads" else {}))
        targets = (decoders.answers([token]) for token in (3, 4))
        first, second = (token_relevance(model, operator, target=t, **arguments).tokens for t in targets)
        assert torch.equal(first, second) != probing.info(name).needs_gradient


def test_mistyped_and_incomplete_operators_are_named():
    with pytest.raises(InputError, match="Did you mean 'glimpse'"):
        probing.create("glimse")
    with pytest.raises(InputError, match="heads"):
        probing.create("gaze-heads")
    with pytest.raises(InputError, match="dampin"):
        probing.create("attnlrp", dampin=1)


def test_the_number_of_layers_reaches_the_operator_and_enters_the_identity_only_when_set():
    from baselines import registry
    from benchmark.trials.catalogue import full_settings

    for name in ("backbone", "random-prompt", "fixate", "fixate-suffix", "gaze-heads"):
        factory = registry.entry(name).factory
        assert full_settings(registry.build(name, {"last_layers": 2}), factory)["last_layers"] == 2
        assert "last_layers" not in full_settings(registry.build(name, {}), factory)
        with pytest.raises(InputError, match="last_layers is -1"):
            registry.build(name, {"last_layers": -1})
    backbone = registry.build("backbone", {"last_layers": 2, "operator": "rollout"})
    backbone.fit([], 0)
    assert backbone._probe == probing.create("rollout", last_layers=2)


def test_listing_operators_needs_no_torch():
    code = "import sys; from baselines.probing import registry; registry.names(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs_embeds": torch.zeros(2, 1, 32)}, "at least 2 tokens"),
        ({"inputs_embeds": torch.zeros(13, 32)}, "inputs_embeds has shape"),
        ({"attention_mask": torch.ones(2, 12)}, "attention_mask has shape"),
        ({"attention_mask": torch.arange(26).reshape(2, 13) % 13 < 9}, "pad on the left"),
        ({"attention_mask": torch.arange(26).reshape(2, 13) % 13 != 3}, "pad on the left"),
        ({"position_ids": torch.zeros(2, 12, dtype=torch.long)}, "position_ids has shape"),
        ({"visual_pos_masks": torch.ones(2, 13, dtype=torch.bool)}, "the last position is an image token"),
        ({"visual_pos_masks": None}, "without visual_pos_masks"),
    ],
)
def test_inputs_that_do_not_fit_are_named(change, message):
    model, arguments = decoders.build("qwen3_vl"), decoders.batch("qwen3_vl")
    with pytest.raises(InputError, match=message):
        token_relevance(model, "rollout", **{**arguments, **change})


def test_missing_positions_and_mask_are_those_of_plain_text():
    model, arguments = decoders.build("llama"), decoders.batch("llama")
    given = token_relevance(model, "rollout", **arguments)
    del arguments["position_ids"]
    assert torch.equal(given.tokens, token_relevance(model, "rollout", **arguments).tokens)
    whole = decoders.batch("llama", padded=False)
    expected = token_relevance(model, "glimpse", **whole)
    found = token_relevance(model, "glimpse", inputs_embeds=whole["inputs_embeds"])
    assert torch.equal(expected.tokens, found.tokens)


def test_a_model_without_output_layer_is_named():
    model = decoders.build("qwen3")
    with pytest.raises(InputError, match="no language-model head"):
        token_relevance(model.model, "rollout", **decoders.batch("qwen3"))
