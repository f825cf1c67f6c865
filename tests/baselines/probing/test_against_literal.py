"""Every operator against its literal definition under full eager autograd."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

from baselines.probing.registry import create
from baselines.probing.relevance import head_attention, token_relevance


def _load(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


decoders, literal = _load("decoders"), _load("literal")
TOLERANCE = 1e-5
OPERATORS = ("rollout", "attnlrp", "attnlrp-stable", "glimpse", "glimpse-first-order")
PARTS = ("tokens", "slots", "logits", "gradient")
ANSWER = [5, 9]
TARGET = decoders.answers(ANSWER)


def slot_loss(tokens, logits, mask):
    """A loss of three slots and an answer, so that second order and answer gradients meet in the prompt."""
    generator = torch.Generator().manual_seed(0)
    shares = torch.rand(tokens.shape[1], 3, generator=generator).to(tokens)
    slots = (tokens * mask).abs() @ shares
    slots = slots / slots.sum(1, keepdim=True)
    wanted = torch.tensor([0.5, 0.3, 0.2]).to(tokens)
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ANSWER)) - (slots.log() * wanted).sum()
    return loss, slots.detach()


def both_ways(name, operator, padded, answers=None, dtype=torch.float32, seed=3, last=0):
    """Return (tokens, slots, logits, gradient of the embeddings) by the literal definition and by the package.

    With ``last`` the definition is given the matrices of so many last layers and nothing else of the model.
    """
    model = decoders.build(name, dtype)
    arguments = decoders.batch(name, dtype, padded=padded, seed=seed)
    values = arguments.pop("inputs_embeds")
    mask = arguments["attention_mask"]
    answers = answers or [ANSWER, ANSWER]
    results = []
    for way in ("literal", "package"):
        embeds = values.clone().requires_grad_()
        if way == "literal":
            attentions, logits, y = literal.run(model, {"inputs_embeds": embeds, **arguments}, lambda _: answers)
            kinds = getattr(model.get_decoder().config, "layer_types", None) or []
            windows = [4 if kind == "sliding_attention" else None for kind in kinds]
            tokens = literal.relevance(operator, attentions[-last:], y, mask, True, windows[-last:])
        else:
            target = decoders.answers(*answers)
            tokens, logits = token_relevance(
                model,
                create(operator, last_layers=last),
                inputs_embeds=embeds,
                target=target,
                create_graph=True,
                **arguments,
            )
        loss, slots = slot_loss(tokens, logits, mask)
        loss.backward()
        results.append((tokens.detach() * mask, slots, logits.detach(), embeds.grad))
    return results


def relative(expected, found):
    return ((expected - found).norm() / expected.norm()).item()


@pytest.mark.slow
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
@pytest.mark.parametrize("operator", [name for name in OPERATORS if name != "attnlrp"])
@pytest.mark.parametrize("name", decoders.NAMES)
def test_tokens_slots_logits_and_prompt_gradient_equal_the_definition_in_float32(name, operator, padded):
    expected, found = both_ways(name, operator, padded)
    for what, left, right in zip(PARTS, expected, found, strict=True):
        assert relative(left, right) < TOLERANCE, what
    # What is compared is not trivially equal: there is a gradient to be missed.
    assert expected[3].norm() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", decoders.NAMES)
def test_they_equal_the_definition_in_float64_to_nine_digits(name, operator, padded):
    expected, found = both_ways(name, operator, padded, dtype=torch.float64)
    for what, left, right in zip(PARTS, expected, found, strict=True):
        assert relative(left, right) < 1e-9, what


@pytest.mark.parametrize("last", [1, 2, 7])
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", ["qwen3_vl", "window"])
def test_the_last_layers_alone_equal_the_definition_over_these_layers(name, operator, last):
    """Three layers: two are as good as a cut, seven are all."""
    expected, found = both_ways(name, operator, True, dtype=torch.float64, last=last)
    for what, left, right in zip(PARTS, expected, found, strict=True):
        assert relative(left, right) < 1e-9, what
    assert (relative(both_ways(name, operator, True, dtype=torch.float64)[1][0], found[0]) > 1e-3) == (last < 3)


def cancellation(name, padded, seed):
    """Return the smallest |sum P| / sum |P| of a head: the published normaliser divides by the first."""
    model, arguments = decoders.build(name, torch.float64), decoders.batch(name, torch.float64, padded, seed=seed)
    arguments["inputs_embeds"].requires_grad_()
    attentions, _, y = literal.run(model, arguments, lambda _: [ANSWER, ANSWER])
    rows = [a[:, :, -1] for a in attentions]
    products = [row * g[:, :, -1] for row, g in zip(rows, literal.gradients(attentions, y, False), strict=True)]
    return min((p.sum(-1).abs() / p.abs().sum(-1)).min().item() for p in products)


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "left-padded"])
@pytest.mark.parametrize("name", decoders.NAMES)
def test_attnlrp_equals_the_definition_in_float32_where_its_normalisers_do_not_cancel(name, padded):
    """The draw is chosen by the definition alone, in float64, not by how well the package does on it."""
    seed = next(seed for seed in range(1000) if cancellation(name, padded, seed) > 0.1)
    expected, found = both_ways(name, "attnlrp", padded, seed=seed)
    for what, left, right in zip(PARTS, expected, found, strict=True):
        assert relative(left, right) < TOLERANCE, what
    assert expected[3].norm() > 1e-3


@pytest.mark.parametrize("name", decoders.NAMES)
def test_attnlrp_in_float32_is_as_accurate_as_full_eager(name):
    """Its published normaliser divides by sums that nearly cancel, which magnifies rounding on either way."""
    truth, _ = both_ways(name, "attnlrp", True, dtype=torch.float64)
    expected, found = both_ways(name, "attnlrp", True)
    for what, exact, left, right in zip(PARTS, truth, expected, found, strict=True):
        assert relative(exact, right.double()) < TOLERANCE + 3 * relative(exact, left.double()), what


@pytest.mark.parametrize("operator", ["attnlrp-stable", "glimpse"])
def test_second_order_matters_in_what_is_compared(operator):
    """Dropping the second-order part of GLIMPSE, or the answer's part of AttnLRP, is seen at the tolerance used."""
    exact = both_ways("qwen3", operator, padded=True)[1][3]
    other = both_ways("qwen3", "glimpse-first-order" if operator == "glimpse" else "rollout", padded=True)[1][3]
    assert relative(exact, other) > 100 * TOLERANCE


@pytest.mark.parametrize("operator", OPERATORS)
def test_each_sequence_may_have_its_own_answer_of_several_tokens(operator):
    expected, found = both_ways("qwen3", operator, padded=True, answers=[[7], [2, 30, 41]], dtype=torch.float64)
    for left, right in zip(expected, found, strict=True):
        assert relative(left, right) < 1e-9


@pytest.mark.parametrize("name", decoders.NAMES)
def test_rows_and_their_gradients_equal_full_eager(name):
    from baselines.probing.answer_token import answer_rows
    from baselines.probing.hook import Decoder
    from baselines.probing.inputs import DecoderInputs

    model, arguments = decoders.build(name), decoders.batch(name)
    arguments["inputs_embeds"].requires_grad_()
    attentions, _, y = literal.run(model, arguments, lambda _: [ANSWER, ANSWER])
    gradients = literal.gradients(attentions, y, True)
    rows, logits = answer_rows(Decoder.of(model), DecoderInputs.check(**arguments), True, True)
    found = torch.autograd.grad(decoders.answers(ANSWER, ANSWER)(logits).sum(), rows, create_graph=True)
    real = arguments["attention_mask"][:, None]
    for layer, (row, gradient) in enumerate(zip(rows, found, strict=True)):
        assert relative(attentions[layer][:, :, -1], row) < TOLERANCE
        # Definitions multiply by A, which is 0 on padding: gradients there are never read.
        assert relative(gradients[layer][:, :, -1] * real, gradient * real) < TOLERANCE
    left = torch.autograd.grad(sum((g[:, :, -1] * real).square().sum() for g in gradients), arguments["inputs_embeds"])[
        0
    ]
    right = torch.autograd.grad(sum((g * real).square().sum() for g in found), arguments["inputs_embeds"])[0]
    assert relative(left, right) < TOLERANCE


@pytest.mark.parametrize("operator", OPERATORS)
def test_evaluation_gives_the_same_numbers_without_a_graph(operator):
    model, arguments = decoders.build("qwen3_vl"), decoders.batch("qwen3_vl")
    trained = token_relevance(model, create(operator), target=TARGET, create_graph=True, **arguments)
    arguments["inputs_embeds"].requires_grad_()
    evaluated = token_relevance(model, create(operator), target=TARGET, **arguments)
    assert not evaluated.tokens.requires_grad and not evaluated.logits.requires_grad
    assert relative(trained.tokens.detach(), evaluated.tokens) < TOLERANCE
    assert relative(trained.logits.detach(), evaluated.logits) < TOLERANCE


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_caller_may_have_switched_gradients_off(operator):
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    expected = token_relevance(model, create(operator), target=TARGET, **arguments)
    with torch.no_grad():
        found = token_relevance(model, create(operator), target=TARGET, **arguments)
    assert torch.equal(expected.tokens, found.tokens)


@pytest.mark.parametrize("operator", OPERATORS)
def test_left_padding_changes_nothing(operator):
    """A sequence alone and the same sequence padded next to a longer one."""
    model, arguments = decoders.build("llama"), decoders.batch("llama")
    together = token_relevance(model, create(operator), target=TARGET, **arguments)
    alone = token_relevance(
        model,
        create(operator),
        target=TARGET,
        inputs_embeds=arguments["inputs_embeds"][:1, 4:],
        position_ids=arguments["position_ids"][:1, 4:],
    )
    assert relative(alone.tokens, together.tokens[:1, 4:]) < TOLERANCE
    assert relative(alone.logits, together.logits[:1]) < TOLERANCE
    assert (together.tokens[0, :4] == 0).all()


@pytest.mark.parametrize("operator", OPERATORS)
def test_many_small_blocks_give_what_one_block_gives(operator, monkeypatch):
    from baselines.probing import blocks

    whole = both_ways("internvl", operator, padded=True)[1]
    monkeypatch.setattr(blocks, "_CPU_BYTES", 1)
    monkeypatch.setattr(blocks, "_MIN_ROWS", 2)
    cut = both_ways("internvl", operator, padded=True)[1]
    for left, right in zip(whole, cut, strict=True):
        assert relative(left, right) < TOLERANCE


def test_head_attention_is_row_src_of_every_head():
    model, arguments = decoders.build("qwen2"), decoders.batch("qwen2")
    attentions, logits, _ = literal.run(model, arguments, lambda _: [ANSWER, ANSWER])
    rows, found = head_attention(model, **arguments)
    assert rows.shape == (2, 3, 4, 13)
    assert relative(torch.stack([a[:, :, -1] for a in attentions], 1), rows) < TOLERANCE
    assert relative(logits, found) < TOLERANCE


@pytest.mark.parametrize("operator", ["rollout", "attnlrp-stable", "glimpse"])
def test_half_precision_stays_near_single(operator):
    """bfloat16 keeps 8 bits of the weights and activations; relevance itself is kept in float32."""
    results = []
    for dtype in (torch.float32, torch.bfloat16):
        model, arguments = decoders.build("qwen3_vl", dtype), decoders.batch("qwen3_vl", dtype)
        arguments["inputs_embeds"].requires_grad_()
        tokens, logits = token_relevance(model, operator, target=TARGET, create_graph=True, **arguments)
        assert tokens.dtype == torch.float32
        slot_loss(tokens, logits.float(), arguments["attention_mask"])[0].backward()
        results.append((tokens.detach(), arguments["inputs_embeds"].grad.float()))
    assert relative(results[0][0], results[1][0]) < 0.1
    similarity = torch.nn.functional.cosine_similarity(results[0][1].flatten(), results[1][1].flatten(), 0)
    assert similarity > 0.95


def test_rollout_with_and_without_recomputation_is_the_same():
    model, arguments = decoders.build("qwen3_vl"), decoders.batch("qwen3_vl")
    values = arguments.pop("inputs_embeds")
    gradients = []
    for recompute in (True, False):
        embeds = values.clone().requires_grad_()
        tokens, _ = token_relevance(
            model, create("rollout", recompute=recompute), inputs_embeds=embeds, create_graph=True, **arguments
        )
        tokens.square().sum().backward()
        gradients.append(embeds.grad)
    assert relative(*gradients) < TOLERANCE
