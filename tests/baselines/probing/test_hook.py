"""The attention hook: causality on every path, nothing left over, several threads, what cannot be probed."""

from __future__ import annotations

import importlib.util
import threading
from pathlib import Path

import pytest
import torch

from baselines.probing.hook import HOOKED, Decoder, RowProbe, SequenceProbe, hooked
from baselines.probing.inputs import DecoderInputs
from baselines.probing.registry import create
from baselines.probing.relevance import token_relevance
from tasks.errors import InputError


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


decoders = _load("decoders")
OPERATORS = {
    "rollout": lambda: create("rollout"),
    "attnlrp": lambda: create("attnlrp"),
    "glimpse": lambda: create("glimpse"),
    "constant": lambda: create("glimpse-first-order"),
    "gaze-heads": lambda: create("gaze-heads", heads=((0, 1), (2, 3))),
}


def hidden_states(model, arguments, path):
    """Return the decoder's last hidden states on one of the attention paths."""
    decoder = Decoder.of(model)
    probe = None if path == "none" else SequenceProbe(path == "observed", outputs=path == "fast")
    with hooked(decoder.module):
        return decoder.run(arguments, probe, use_cache=False).last_hidden_state.detach()


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
@pytest.mark.parametrize("path", ["fast", "observed", "none"])
@pytest.mark.parametrize("name", decoders.NAMES)
def test_a_later_token_changes_nothing_earlier(name, path, padded):
    model, arguments = decoders.build(name), decoders.batch(name, padded=padded)
    before = hidden_states(model, arguments, path)
    changed = dict(arguments, inputs_embeds=arguments["inputs_embeds"].clone())
    changed["inputs_embeds"][:, 11] += 1.0
    after = hidden_states(model, changed, path)
    assert torch.equal(before[:, 4:11], after[:, 4:11])
    assert not torch.allclose(before[:, 11:], after[:, 11:])


@pytest.mark.parametrize("name", [name for name in decoders.NAMES if name != "window"])
def test_the_answer_row_sees_every_real_token_and_no_padding(name):
    from baselines.probing.answer_token import answer_rows

    rows, _ = answer_rows(Decoder.of(decoders.build(name)), DecoderInputs.check(**decoders.batch(name)), False, False)
    for row in rows:
        assert (row[0, :, :4] == 0).all() and (row[0, :, 4:] > 0).all() and (row[1] > 0).all()
        assert torch.allclose(row.sum(-1), torch.ones(2, 4))


def test_the_answer_row_of_a_sliding_window_sees_the_window():
    from baselines.probing.answer_token import answer_rows

    model, arguments = decoders.build("window"), decoders.batch("window")
    rows, _ = answer_rows(Decoder.of(model), DecoderInputs.check(**arguments), False, False)
    assert (rows[0][1] > 0).all()
    for row in rows[1:]:
        assert (row[..., :-4] == 0).all() and (row[..., -4:] > 0).all()


@pytest.mark.parametrize("name", decoders.NAMES)
def test_the_prefix_of_an_answer_row_is_causal(name, monkeypatch):
    """Keys and values given to src: those before a changed token stay, to the bit."""
    from baselines.probing import answer_token

    model, arguments = decoders.build(name), decoders.batch(name)
    changed = dict(arguments, inputs_embeds=arguments["inputs_embeds"].clone())
    changed["inputs_embeds"][:, 10] += 1.0
    kept = []

    class Keeping(RowProbe):
        def __init__(self, prefix, *more):
            kept.append(prefix)
            super().__init__(prefix, *more)

    monkeypatch.setattr(answer_token, "RowProbe", Keeping)
    for batch in (arguments, changed):
        answer_token.answer_rows(Decoder.of(model), DecoderInputs.check(**batch), False, False)
    for before, after in zip(*kept, strict=True):
        for left, right in zip(before, after, strict=True):
            assert torch.equal(left[:, :, 4:10], right[:, :, 4:10])
            assert not torch.allclose(left[:, :, 10:], right[:, :, 10:])


def test_layers_before_the_last_ones_run_as_without_a_probe(monkeypatch):
    """No attention of theirs is kept, differentiated twice or computed explicitly, and their activations stay."""
    from baselines.probing import hook, silu

    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    observed, smooth = [], []
    attention, activation = hook.observed_attention, silu.double_silu
    monkeypatch.setattr(hook, "observed_attention", lambda *a: observed.append(1) or attention(*a))
    monkeypatch.setattr(silu, "double_silu", lambda x: smooth.append(1) or activation(x))
    arguments["inputs_embeds"].requires_grad_()
    token_relevance(model, create("glimpse", last_layers=1), create_graph=True, **arguments)
    assert (len(observed), len(smooth)) == (1, 1)
    decoder, probe = Decoder.of(model).last(2), SequenceProbe(outputs=True)
    layers, _ = decoder.run_sequence(DecoderInputs.check(**arguments), probe)
    assert len(layers) == 2 and all(layer.output.requires_grad for layer in layers)


def test_gradients_do_not_reach_padding_or_skip_a_token():
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    for build in OPERATORS.values():
        embeds = arguments["inputs_embeds"].clone().requires_grad_()
        tokens, logits = token_relevance(model, build(), create_graph=True, **dict(arguments, inputs_embeds=embeds))
        (tokens.square().sum() + logits.square().sum()).backward()
        assert (embeds.grad[0, :4] == 0).all()
        assert (embeds.grad[0, 4:].abs().sum(-1) > 0).all() and (embeds.grad[1].abs().sum(-1) > 0).all()


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_the_model_is_left_as_it_was(operator, implementation):
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    decoder = model.get_decoder()
    decoder.config._attn_implementation = implementation
    try:
        state = [(name, sorted(module.__dict__)) for name, module in model.named_modules()]
        embeds = arguments["inputs_embeds"].clone().requires_grad_()
        tokens, _ = token_relevance(
            model, OPERATORS[operator](), create_graph=True, **dict(arguments, inputs_embeds=embeds)
        )
        tokens.square().sum().backward()
        assert decoder.config._attn_implementation == implementation
        assert [(name, sorted(module.__dict__)) for name, module in model.named_modules()] == state
        assert torch.is_grad_enabled()
    finally:
        decoder.config._attn_implementation = "sdpa"


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_model_is_left_as_it_was_after_a_failure(operator, monkeypatch):
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    state = [(name, sorted(module.__dict__)) for name, module in model.named_modules()]
    last = model.get_decoder().layers[-1].mlp
    handle = last.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError("full")))
    try:
        with pytest.raises(MemoryError):
            token_relevance(model, OPERATORS[operator](), create_graph=True, **arguments)
    finally:
        handle.remove()
    assert model.get_decoder().config._attn_implementation == "sdpa"
    assert [(name, sorted(module.__dict__)) for name, module in model.named_modules()] == state
    assert torch.is_grad_enabled()


def test_eager_and_sdpa_models_give_the_same():
    model, arguments = decoders.build("llama"), decoders.batch("llama")
    expected = token_relevance(model, "attnlrp-stable", **arguments).tokens
    model.get_decoder().config._attn_implementation = "eager"
    try:
        found = token_relevance(model, "attnlrp-stable", **arguments).tokens
    finally:
        model.get_decoder().config._attn_implementation = "sdpa"
    assert torch.allclose(expected, found, rtol=1e-5, atol=1e-6)


def test_a_plain_call_while_hooked_is_served_as_sdpa():
    model, arguments = decoders.build("qwen2"), decoders.batch("qwen2")
    decoder = model.get_decoder()
    expected = decoder(**arguments, use_cache=False).last_hidden_state
    with hooked(decoder):
        assert decoder.config._attn_implementation == HOOKED
        found = decoder(**arguments, use_cache=False).last_hidden_state
    assert torch.equal(expected, found)


def test_two_threads_on_one_model_get_what_one_gets():
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    state = [(name, sorted(module.__dict__)) for name, module in model.named_modules()]
    expected, wrong = {}, []
    for name, build in OPERATORS.items():
        embeds = arguments["inputs_embeds"].clone().requires_grad_()
        tokens, logits = token_relevance(model, build(), create_graph=True, **dict(arguments, inputs_embeds=embeds))
        (tokens.square().sum() + logits.square().sum()).backward()
        expected[name] = (token_relevance(model, build(), **arguments).tokens, embeds.grad)

    def work(name):
        for _ in range(5):
            embeds = arguments["inputs_embeds"].clone().requires_grad_()
            inputs = dict(arguments, inputs_embeds=embeds)
            found = token_relevance(model, OPERATORS[name](), **inputs).tokens
            trained, logits = token_relevance(model, OPERATORS[name](), create_graph=True, **inputs)
            (trained.square().sum() + logits.square().sum()).backward()
            if not (torch.equal(found, expected[name][0]) and torch.equal(embeds.grad, expected[name][1])):
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in OPERATORS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert [(name, sorted(module.__dict__)) for name, module in model.named_modules()] == state
    assert model.get_decoder().config._attn_implementation == "sdpa"


def test_attention_dropout_is_refused():
    model = decoders.build("llama")
    attention = model.get_decoder().layers[0].self_attn
    attention.attention_dropout, attention.training = 0.1, True
    try:
        with pytest.raises(InputError, match=r"model\.eval\(\)"):
            token_relevance(model, "rollout", **decoders.batch("llama"))
    finally:
        attention.attention_dropout, attention.training = 0.0, False


def test_a_decoder_that_keeps_its_attention_to_itself_is_refused():
    model = decoders.build("qwen2")
    layer = model.get_decoder().layers[1].self_attn
    layer.forward = lambda hidden_states, **_: (hidden_states, None)
    try:
        for operator in ("rollout", "glimpse", "attnlrp"):
            with pytest.raises(InputError, match="attention interface in every layer"):
                token_relevance(model, operator, **decoders.batch("qwen2"))
    finally:
        del layer.forward


def test_a_mask_that_sees_ahead_is_refused():
    from baselines.probing.blocks import check_causal

    causal, full = torch.ones(1, 1, 3, 3, dtype=torch.bool).tril(), torch.ones(1, 1, 3, 3, dtype=torch.bool)
    check_causal([None, causal])
    with pytest.raises(InputError, match="later"):
        check_causal([causal, full])


def test_weights_that_are_not_finite_are_named():
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    arguments["inputs_embeds"][1, 5, 2] = float("nan")
    for build in OPERATORS.values():
        with pytest.raises(InputError, match="not finite"):
            token_relevance(model, build(), **arguments)
