import math

import pytest
import torch

from baselines.tuning.prompt import PromptBank
from baselines.tuning.settings import TuningSettings


def bank(users=("a", "b", "c"), bases=3, personal=True):
    basis = torch.arange(bases * 2 * 4, dtype=torch.float32).reshape(bases, 2, 4)
    return PromptBank(basis, users, personal)


def test_users_start_at_the_mean_of_the_bases():
    prompts = bank()(["a", "c"])
    assert prompts.shape == (2, 2, 4)
    torch.testing.assert_close(prompts[0], bank().basis.mean(0))
    assert bank().mixing_entropy() == pytest.approx(math.log(3))


def test_the_prompt_is_the_mixture_by_softmax_of_the_logits():
    found = bank()
    with torch.no_grad():
        found.user_logits[1] = torch.tensor([0.0, math.log(2.0), math.log(5.0)])
    expected = (1 * found.basis[0] + 2 * found.basis[1] + 5 * found.basis[2]) / 8
    torch.testing.assert_close(found(["b"])[0], expected)


def test_a_new_user_gets_the_mean_coefficients_not_the_mean_logits():
    found = bank()
    with torch.no_grad():
        found.user_logits.copy_(torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    coefficients = found.coefficients(["a", "new", "b", "c"])
    torch.testing.assert_close(coefficients[1], coefficients[[0, 2, 3]].mean(0))
    assert not torch.allclose(coefficients[1], torch.softmax(found.user_logits.mean(0), 0))
    assert not found.knows("new")


def test_a_shared_prompt_is_the_same_for_all_and_has_no_user_parameters():
    found = bank(personal=False)
    assert [name for name, _ in found.named_parameters()] == ["basis"]
    torch.testing.assert_close(found.logits_of(["a", "x"]), torch.ones(2, 3))
    torch.testing.assert_close(found(["a", "x"])[1], found.basis.mean(0))


def test_gradients_reach_a_users_own_logits_only():
    found = bank()
    found(["b", "b"]).square().sum().backward()
    assert found.user_logits.grad[1].abs().sum() > 0
    assert found.user_logits.grad[[0, 2]].abs().sum() == 0


def test_bases_come_from_the_seed_and_the_scale_of_the_words():
    words = torch.full((50, 4), 0.5) * torch.tensor([-1.0, 1.0] * 2)
    settings = TuningSettings(bases=8, tokens=400, init_scale=2.0)
    first, again, other = (PromptBank.drawn(words, ["a"], seed, settings) for seed in (1, 1, 2))
    assert torch.equal(first.basis, again.basis) and not torch.equal(first.basis, other.basis)
    assert float(first.basis.detach().std()) == pytest.approx(2 * float(words.std()), rel=0.05)
    small = PromptBank.drawn(words, ["a"], 1, TuningSettings(bases=8, tokens=400, init_sd=0.01), torch.bfloat16)
    assert float(small.basis.detach().float().std()) == pytest.approx(0.01, rel=0.05)
    assert (small.basis.dtype, small.user_logits.dtype) == (torch.bfloat16, torch.float32)
    assert small(["a", "new"]).dtype == torch.bfloat16
