"""Double-backward building blocks against torch's own numerical and eager derivatives."""

from __future__ import annotations

import gc
import importlib.util
from pathlib import Path

import pytest
import torch

from baselines.probing.observed_attention import Seen, observed_attention
from baselines.probing.registry import create
from baselines.probing.relevance import token_relevance
from baselines.probing.silu import double_silu, recomputed_silu

_spec = importlib.util.spec_from_file_location("decoders", Path(__file__).with_name("decoders.py"))
decoders = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(decoders)


def tensors(*shapes):
    generator = torch.Generator().manual_seed(4)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def masks(kind, batch, length):
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    if kind == "plain":
        return None, causal.expand(batch, 1, -1, -1)
    mask = causal.expand(batch, 1, -1, -1).clone()
    if kind == "padded":
        mask[0, :, :, :2] = False
    else:
        mask &= ~torch.ones(length, length, dtype=torch.bool).tril(-3)
    return mask, mask


def eager(query, key, value, mask, scale):
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    weights = (query @ key.transpose(-1, -2) * scale).masked_fill(~mask, -1e300).softmax(-1)
    return (weights.masked_fill(~mask, 0.0) @ value).transpose(1, 2)


@pytest.mark.parametrize("kind", ["plain", "padded", "window"])
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_attention_and_both_its_derivatives_equal_eager(groups, kind):
    inputs = tensors((2, 4, 6, 3), (2, groups, 6, 3), (2, groups, 6, 3))
    mask, full = masks(kind, 2, 6)
    seed, cotangents = tensors((2, 6, 4, 3))[0].detach(), [t.detach() for t in tensors(*[t.shape for t in inputs])]
    if kind == "padded":
        seed[0, :2] = 0
        cotangents[0][0, :, :2] = 0
    results = []
    for run in (lambda *a: observed_attention(*a, Seen(mask, 0.4), False)[0], lambda *a: eager(*a, full, 0.4)):
        output = run(*inputs)
        first = torch.autograd.grad(output.tanh(), inputs, seed, create_graph=True)
        second = torch.autograd.grad(sum((a * b).sum() for a, b in zip(first, cotangents, strict=True)), inputs)
        rows = output if kind != "padded" else output * full.any(-1).transpose(1, 2)[..., None]
        results.append([rows, *first, *second])
    for left, right in zip(*results, strict=True):
        assert torch.allclose(left, right, rtol=1e-9, atol=1e-12)


def test_attention_passes_the_numerical_check_of_both_orders():
    inputs = tensors((1, 2, 4, 2), (1, 1, 4, 2), (1, 1, 4, 2))
    assert torch.autograd.gradcheck(lambda *a: observed_attention(*a, Seen(None, 0.7), False)[0], inputs)
    assert torch.autograd.gradgradcheck(lambda *a: observed_attention(*a, Seen(None, 0.7), False)[0], inputs)


def test_silu_passes_the_numerical_check_of_both_orders():
    inputs = tensors((3, 5))
    assert torch.equal(double_silu(inputs[0]), torch.nn.functional.silu(inputs[0]))
    assert torch.autograd.gradcheck(double_silu, inputs)
    assert torch.autograd.gradgradcheck(double_silu, inputs)


class Gated(torch.nn.Module):
    """Products of an activation; its memory is freed after each, and taken by the next tensor of its shape."""

    def __init__(self):
        super().__init__()
        self.act_fn = torch.nn.SiLU()

    def forward(self, x):
        for _ in range(4):
            x = self.act_fn(x * 0.9) * (x + 0.1)
        return x


def test_recomputed_silu_gives_the_same_gradient_and_keeps_no_activation(monkeypatch):
    gated, (x,) = Gated(), tensors((64, 64))
    expected = torch.autograd.grad(gated(x).sum(), x)[0]
    calls = []
    silu = torch.nn.functional.silu
    monkeypatch.setattr(torch.nn.functional, "silu", lambda t: calls.append(1) or silu(t))
    with recomputed_silu(gated):
        output = gated(x)
    assert len(calls) == 4
    assert torch.equal(torch.autograd.grad(output.sum(), x)[0], expected)
    assert len(calls) == 8
    assert "forward" not in gated.act_fn.__dict__


@pytest.mark.slow
@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("operator", ["rollout", "attnlrp", "glimpse", "glimpse-first-order"])
def test_nothing_outlives_a_step(operator, backward, small_heap):
    """Tensors that hold each other alive through their graph would fill the memory in the course of an epoch."""
    model, arguments = decoders.build("qwen3"), decoders.batch("qwen3")
    built = create(operator)

    def step():
        embeds = arguments["inputs_embeds"].clone().requires_grad_()
        tokens, logits = token_relevance(model, built, create_graph=True, **dict(arguments, inputs_embeds=embeds))
        if backward:
            (tokens.square().sum() + logits.square().sum()).backward()

    def alive():
        gc.collect()
        return sum(type(thing) is torch.Tensor for thing in gc.get_objects())

    step()
    before = alive()
    step()
    step()
    assert alive() == before


def test_no_layer_keeps_a_matrix_of_all_pairs():
    """What training keeps between forward and backward grows with S, not with S x S."""
    model = decoders.build("llama")

    def kept(operator, length):
        sizes = {}

        def pack(tensor):
            sizes[tensor.untyped_storage().data_ptr()] = (tensor.untyped_storage().nbytes(), tensor)
            return tensor

        embeds = torch.randn(1, length, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            result = token_relevance(model, operator, inputs_embeds=embeds, create_graph=True)
        del result
        return sum(size for size, _ in sizes.values())

    for operator in (create("rollout", recompute=False), create("attnlrp"), create("glimpse")):
        assert kept(operator, 120) < 2.2 * kept(operator, 60)
