"""Answers: tokens of labels, the trie, probabilities over slots."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from baselines.backbones import answers
from baselines.backbones.interface import collate
from tasks.errors import InputError
from tests.baselines.backbones import tiny
from tests.baselines.backbones.test_sequences import ids_of

TWELVE = [str(n) for n in range(1, 13)]


def after(backbone, prompt, written):
    """Logits after a prompt (B = 1) and the tokens written so far, from one full pass without a cache."""
    extra = backbone.model.get_input_embeddings()(torch.tensor([written], dtype=torch.long))
    last = prompt.position_ids[..., -1:] + torch.arange(1, len(written) + 1)
    arguments = prompt.arguments() | dict(
        inputs_embeds=torch.cat([prompt.inputs_embeds, extra], 1),
        position_ids=torch.cat([prompt.position_ids, last], -1),
        attention_mask=torch.ones(1, prompt.inputs_embeds.shape[1] + len(written), dtype=torch.bool),
    )
    if prompt.deepstack:
        arguments["visual_pos_masks"] = torch.nn.functional.pad(prompt.visual_pos_masks, (0, len(written)))
    with torch.no_grad():
        hidden = backbone.model.get_decoder()(**arguments, use_cache=False).last_hidden_state
        return backbone.model.lm_head(hidden[0, -1])


def by_words(backbone, session):
    """p over slots, literally: one full pass per prefix of an answer, renormalised to what may follow."""
    tokens = backbone.answer_tokens(session)
    end = backbone.processor.tokenizer.eos_token_id
    prompt = backbone.build(session)

    def follow(written):
        allowed = {ids[len(written)] for ids in tokens if ids[: len(written)] == written and len(ids) > len(written)}
        allowed |= {end} if written in tokens else set()
        logits = after(backbone, prompt, written)
        total = sum(float(torch.exp(logits[i])) for i in allowed)
        return {i: float(torch.exp(logits[i])) / total for i in allowed}

    found = []
    for ids in tokens:
        p = 1.0
        for depth, token in enumerate(ids):
            p *= follow(ids[:depth])[token]
        if any(other[: len(ids)] == ids and other != ids for other in tokens):
            p *= follow(ids)[end]
        found.append(p)
    return np.array(found)


def test_letters_and_numbers_as_tokens(backbone):
    v = tiny.VOCABULARY
    assert backbone.answer_tokens(tiny.session("AC")) == [[v["A"]], [v["C"]]]
    assert backbone.answer_tokens(tiny.session(["1", "12"])) == [[v["1"]], [v["1"], v["2"]]]


def test_branches_by_hand():
    assert answers.branches([[5], [6]]) == {(): [(5,), (6,)]}
    assert answers.branches([[1], [1, 2], [3]]) == {(): [(1,), (3,)], (1,): [(2,), ()]}
    # All begin with 1, which therefore costs nothing; 4 has one continuation, which costs nothing either.
    assert answers.branches([[1, 2], [1, 4, 4]]) == {(1,): [(2,), (4,)]}
    assert answers.single_pass([[5], [6]]) and not answers.single_pass([[1], [1, 2]])


def test_trie_probabilities_by_hand():
    logits = {
        (): torch.log(torch.tensor([0.0, 0.6, 0.1, 0.3]).clamp(min=1e-30)),
        (1,): torch.log(torch.tensor([0.2, 0.1, 0.6, 0.1])),
    }
    [found] = answers.candidate_log_probabilities([logits], [[[1], [1, 2], [3]]], end=0)
    # Root: 1 or 3 with 0.6 : 0.3. Behind 1: end or 2 with 0.2 : 0.6.
    assert found.exp().tolist() == pytest.approx([2 / 3 * 1 / 4, 2 / 3 * 3 / 4, 1 / 3])


@given(st.integers(2, 30), st.integers(0, 2**31))
def test_probabilities_sum_to_one(k, seed):
    candidates = [[int(digit) for digit in str(n)] for n in range(1, k + 1)]
    generator = torch.Generator().manual_seed(seed)
    logits = {
        path: 3 * torch.randn(11, generator=generator, dtype=torch.float64) for path in answers.branches(candidates)
    }
    [found] = answers.candidate_log_probabilities([logits], [candidates], end=10)
    assert float(found.exp().sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("labels", ["ABCDEF", TWELVE, ["10", "11", "12"], ["1", "2", "3", "10", "20", "21", "30"]])
def test_scores_equal_the_literal_definition(backbone, labels):
    session = tiny.session(labels)
    [found] = tiny.token_scores(backbone, [session])
    assert found.dtype == np.float64 and found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found, by_words(backbone, session), rtol=1e-4)


def test_single_tokens_are_the_softmax_over_their_logits(backbone):
    session = tiny.session("ABCDEF")
    with torch.no_grad():
        logits = backbone.logits(backbone.build(session))[0]
    wanted = logits[[ids[0] for ids in backbone.answer_tokens(session)]].softmax(0)
    [found] = tiny.token_scores(backbone, [session])
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5)


def test_a_mixed_batch_equals_its_rows(backbone):
    sessions = [
        tiny.session(TWELVE),
        tiny.session("ABC", seed=1, profile=""),
        tiny.session([str(n) for n in range(8, 31)], seed=2),
    ]
    prompts = [torch.full((2, 32), 0.3), None, torch.full((1, 32), -0.2)]
    together = tiny.token_scores(backbone, sessions, prompts, "suffix")
    for session, prompt, found in zip(sessions, prompts, together, strict=True):
        [alone] = tiny.token_scores(backbone, [session], [prompt], "suffix")
        np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-6)


def passes(backbone, sessions):
    """How many tokens each decoder call reads."""
    lengths = []
    hook = backbone.model.get_decoder().register_forward_pre_hook(
        lambda module, args, kwargs: lengths.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    tiny.token_scores(backbone, sessions)
    hook.remove()
    return lengths


def test_single_tokens_take_one_pass_and_numbers_one_token_more_per_branch(backbone):
    s = ids_of(backbone, tiny.session("AB")).shape[1]
    assert passes(backbone, [tiny.session("AB"), tiny.session("ABCDEF")]) == [s]
    [first, *more] = passes(backbone, [tiny.session(TWELVE)])
    assert more == [1] and first > 1
    # 1 and 2 branch: two calls, however many sessions there are.
    assert passes(backbone, [tiny.session([str(n) for n in range(1, 21)]), tiny.session("AB")])[1:] == [1, 1]


def test_log_probabilities_of_numbers_are_differentiable(backbone):
    session = tiny.session(TWELVE)
    prompt = torch.full((2, 32), 0.1, dtype=torch.float32, requires_grad=True)
    candidates = [backbone.answer_tokens(session)]

    def log_p(values):
        return backbone.log_probabilities(backbone.build(session, values), candidates)[0][11]

    log_p(prompt).backward()
    step = torch.zeros(2, 32)
    step[0, 3] = 1e-2
    with torch.no_grad():
        slope = (log_p(prompt + step) - log_p(prompt - step)) / 2e-2
    assert float(slope) == pytest.approx(float(prompt.grad[0, 3]), rel=2e-2, abs=1e-4)


def test_more_slots_than_candidate_tokens(backbone):
    labels = "ABCDEFGHIJKLMNOP"
    with pytest.raises(
        InputError, match="session u-0 has 16 slots, but .* only 15 of their labels: it has none for 'P'"
    ):
        backbone.answer_tokens(tiny.session(labels))


def test_colliding_labels(backbone):
    with pytest.raises(InputError, match="slots 0 and 2 share the label 'A'"):
        backbone.answer_tokens(tiny.session("ABA"))
    with pytest.raises(InputError, match="labels '1' and ' 1' are the same tokens"):
        answers.answer_tokens(backbone.processor.tokenizer, tiny.session(["1", " 1"]))
    with pytest.raises(InputError, match="has 1 slots"):
        backbone.answer_tokens(tiny.session("A"))


def test_a_number_that_begins_another_needs_an_end_token(backbone):
    backbone.processor.tokenizer.eos_token = None
    with pytest.raises(InputError, match="no end token"):
        tiny.token_scores(backbone, [tiny.session(["1", "12"])])


def test_infinite_logits_are_refused(backbone):
    session = tiny.session("AB")
    inputs = collate([backbone.build(session)])
    inputs.inputs_embeds[0, -1] = torch.nan
    with pytest.raises(InputError, match="logits are not finite"):
        backbone.log_probabilities(inputs, [backbone.answer_tokens(session)])
