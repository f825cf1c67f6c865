import numpy as np
import pytest
import torch

from baselines.probing.gaze_heads import GazeHeads
from baselines.probing.registry import create
from baselines.probing.relevance import rectifier, token_relevance
from baselines.tuning.examples import Batch, ExampleStore
from baselines.tuning.prefix_cache import cache_of
from baselines.tuning.reading import answer_loss, read, read_sessions
from tasks.types import Session, Slot
from tests.baselines.backbones import tiny
from tests.baselines.tuning.people import sessions

OPERATORS = ("rollout", "attnlrp", "attnlrp-stable", "glimpse")


def mixed():
    """Sessions of differing slots, screen size and profile length."""
    shown = [
        tiny.session("ABCDEF", seed=1),
        tiny.session("ABCD", width=64, height=48, columns=2, profile="", seed=2),
        tiny.session("ABCDEFGH", columns=4, profile="Top_genre: Drama Comedy Drama", seed=3),
    ]
    return [
        Session(f"s{i}", "u", s.screen, s.image, s.profile, s.slots, np.ones(len(s.slots)), np.zeros(len(s.slots)), i)
        for i, s in enumerate(shown)
    ]


def prompts(backbone, count, tokens=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(count, tokens, backbone.width, generator=generator)


def batch_of(backbone, found, tokens, placement):
    store = ExampleStore(backbone, tokens, placement)
    return Batch.of([store.get(session) for session in found])


def told(candidates, slot, end):
    """The tokens before the first one by which a slot's answer, ended where others go on, is its own; and that one."""
    ended = [[*ids, end] if any(o != ids and o[: len(ids)] == ids for o in candidates) else ids for ids in candidates]
    for depth, token in enumerate(ended[slot]):
        if sum(other[: depth + 1] == ended[slot][: depth + 1] for other in ended) == 1:
            return ended[slot][:depth], token
    raise AssertionError("two answers are the same")


def going_on(backbone, inputs, tokens):
    """Decoder arguments of one session's inputs and some tokens of the answer after them."""
    words = backbone.model.get_input_embeddings()(torch.tensor([tokens], dtype=torch.long))
    last = inputs.position_ids[..., -1:]
    arguments = inputs.arguments() | {
        "inputs_embeds": torch.cat([inputs.inputs_embeds, words], 1),
        "position_ids": torch.cat([inputs.position_ids, last + torch.arange(1, len(tokens) + 1)], -1),
        "attention_mask": torch.ones(1, inputs.inputs_embeds.shape[1] + len(tokens), dtype=torch.bool),
    }
    if inputs.visual_pos_masks is not None:
        arguments["visual_pos_masks"] = torch.nn.functional.pad(inputs.visual_pos_masks, (0, len(tokens)))
    return arguments


def literally(backbone, session, operator, prompt=None, placement="prefix", slot=None):
    """Attention over slots by loops over tokens and slots, and log p; the whole sequence runs, without a batch."""
    inputs = backbone.build(session, prompt, placement)
    candidates = backbone.answer_tokens(session)
    [log_probabilities] = backbone.log_probabilities(inputs, [candidates])
    before, token = told(candidates, int(log_probabilities.argmax()) if slot is None else slot, backbone.end_token)
    before = [] if isinstance(operator, GazeHeads) else before
    arguments = going_on(backbone, inputs, before)
    relevance = token_relevance(backbone.model, operator, **arguments, target=lambda logits: logits[:, token]).tokens[0]
    sums = torch.zeros(len(session.slots))
    for position, box in zip(inputs.image_index[0].tolist(), inputs.patch_boxes[0], strict=True):
        value = float(relevance[position])
        value = {"abs": abs(value), "relu": max(value, 0.0), "none": value}[rectifier(operator)]
        for k, other in enumerate(session.slots):
            w = max(0.0, min(box[2], other.box[2]) - max(box[0], other.box[0]))
            h = max(0.0, min(box[3], other.box[3]) - max(box[1], other.box[1]))
            area = (box[2] - box[0]) * (box[3] - box[1])
            sums[k] += value * w * h / area if area else 0.0
    return sums / sums.sum(), log_probabilities.detach()


def gapped(labels):
    """A session whose slots leave gaps, so that some relevance belongs to no slot."""
    shown = tiny.session(labels)
    slots = tuple(
        Slot(s.label, s.kind, s.text, (s.box[0] + 1, s.box[1] + 2, s.box[2] - 3, s.box[3] - 1)) for s in shown.slots
    )
    return Session("s", "u", "0", shown.image, shown.profile, slots, np.ones(len(slots)), np.ones(len(slots)), 1)


@pytest.mark.parametrize("operator", [*OPERATORS, "gaze-heads"])
@pytest.mark.parametrize("labels", ["ABCDEF", [str(n) for n in range(1, 13)]], ids=["letters", "numbers"])
def test_attention_equals_the_literal_definition(backbone, operator, labels):
    session = gapped(labels)
    operator = create(operator, **({"heads": ((0, 1), (1, 3))} if operator == "gaze-heads" else {}))
    found = read(backbone, batch_of(backbone, [session], 0, "prefix"), None, operator)
    expected, log_probabilities = literally(backbone, session, operator)
    attention = found.attention_of(0, len(labels))
    assert attention.dtype == np.float64 and attention.sum() == pytest.approx(1.0) and (attention >= 0).all()
    np.testing.assert_allclose(attention, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.probabilities_of(0, len(labels)), log_probabilities.exp(), rtol=1e-4)
    for slot in (1, 0, len(labels) - 1):  # of numbers '2', '1', which others begin with, and '12'
        label, _ = literally(backbone, session, operator, slot=slot)
        [(attention, _)] = read_sessions(backbone, [session], operator, [slot])
        np.testing.assert_allclose(attention, label, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("placement", ["prefix", "suffix"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_batch_equals_probing_each_session_by_itself(backbone, operator, placement):
    found, soft = mixed(), prompts(backbone, 3)
    reading = read(backbone, batch_of(backbone, found, 5, placement), soft, create(operator))
    for row, session in enumerate(found):
        k = len(session.slots)
        attention, log_probabilities = literally(backbone, session, operator, soft[row], placement)
        torch.testing.assert_close(reading.attention[row, :k], attention, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(reading.log_probabilities[row, :k], log_probabilities, rtol=1e-4, atol=1e-4)
        assert bool(reading.found[row]) and float(reading.attention[row, k:].abs().sum()) == 0


def gradient(backbone, batch, soft, operator, full):
    """Gradient of a loss on attention and answer; ``full`` runs the whole sequence."""
    import dataclasses

    if full:
        batch = dataclasses.replace(
            batch, examples=tuple(dataclasses.replace(e, prefix_key=None) for e in batch.examples)
        )
    soft = soft.clone().requires_grad_()
    found = read(backbone, batch, soft, operator, [0, 1, 2], create_graph=True)
    loss = answer_loss(backbone, batch, soft, [0, 1, 2], found.logits).sum()
    if operator is not None:
        loss = loss + found.attention.square().sum() * 10
    return loss.detach(), torch.autograd.grad(loss, soft)[0]


@pytest.mark.parametrize(("operator", "last"), [("attnlrp-stable", 0), ("attnlrp-stable", 1), (None, 0)])
def test_kept_keys_and_values_change_neither_the_loss_nor_the_prompts_gradient(backbone, operator, last):
    batch, soft = batch_of(backbone, mixed(), 5, "suffix"), prompts(backbone, 3)
    chosen = None if operator is None else create(operator, last_layers=last)
    before = cache_of(backbone).computed
    kept_loss, kept = gradient(backbone, batch, soft, chosen, full=False)
    assert cache_of(backbone).computed >= before
    full_loss, full = gradient(backbone, batch, soft, chosen, full=True)
    torch.testing.assert_close(kept_loss, full_loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(kept, full, rtol=1e-3, atol=1e-5 * float(full.abs().max()))
    assert float(full.abs().max()) > 0


def test_gaze_heads_read_the_same_from_kept_keys_and_values(backbone):
    import dataclasses

    batch, soft, heads = batch_of(backbone, mixed(), 5, "suffix"), prompts(backbone, 3), GazeHeads(((0, 1), (1, 2)))
    kept = read(backbone, batch, soft, heads)
    whole = dataclasses.replace(batch, examples=tuple(dataclasses.replace(e, prefix_key=None) for e in batch.examples))
    torch.testing.assert_close(kept.attention, read(backbone, whole, soft, heads).attention, rtol=1e-4, atol=1e-6)


def test_a_prefix_is_computed_once_per_screen_and_shared_by_users(folder):
    from baselines.backbones.loading import load_backbone

    own = load_backbone(folder, device="cpu", dtype="float32", features=None)
    found = sessions(users=3, each=4)
    soft = prompts(own, 12)
    for _ in range(2):
        read(own, batch_of(own, found, 5, "suffix"), soft, create("attnlrp"))
    assert cache_of(own).computed == len({session.screen for session in found}) == 4


def test_a_small_cache_forgets_the_oldest_and_gives_the_same(backbone):
    from baselines.tuning.prefix_cache import PrefixCache

    batch = batch_of(backbone, mixed(), 5, "suffix")
    small, large = PrefixCache(limit=1), PrefixCache()
    for example in (*batch.examples, batch.examples[0]):
        first = small.get(backbone.model, example.prefix_key, example.inputs)
        assert torch.equal(first, large.get(backbone.model, example.prefix_key, example.inputs))
    assert (small.computed, large.computed) == (4, 3)


def test_numbers_of_two_digits_are_scored_and_trained_token_by_token(backbone):
    labels = [str(n) for n in range(1, 13)]
    shown = tiny.session(labels, width=64, columns=4, seed=4)
    session = Session("n", "u", "4", shown.image, "", shown.slots, np.ones(12), np.zeros(12), 11)
    batch, soft = batch_of(backbone, [session], 3, "prefix"), prompts(backbone, 1, 3)
    assert not batch.one_pass
    found = read(backbone, batch, soft, create("attnlrp"))
    expected = tiny.token_scores(backbone, [session], [soft[0]])[0]
    np.testing.assert_allclose(found.log_probabilities[0].exp().numpy(), expected, rtol=1e-4)
    one, two = (backbone.processor.tokenizer.encode(digit, add_special_tokens=False)[0] for digit in "12")
    end = backbone.end_token
    for slot, path in ((11, [one, two]), (0, [one, end]), (4, [backbone.answer_tokens(session)[4][0]])):
        assert batch.examples[0].answer_path(slot, end) == path
        inputs = backbone.build(session, soft[0])
        total = 0.0
        for step, token in enumerate(path):
            arguments = going_on(backbone, inputs, path[:step])
            with torch.no_grad():
                hidden = backbone.model.get_decoder()(**arguments, use_cache=False).last_hidden_state[:, -1]
                total -= float(backbone.model.get_output_embeddings()(hidden).log_softmax(-1)[0, token])
        assert float(answer_loss(backbone, batch, soft, [slot], found.logits)) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("placement", ["prefix", "suffix"])
@pytest.mark.parametrize("operator", OPERATORS)
def test_answers_of_the_same_digits_have_attention_of_their_own_whatever_else_is_in_the_batch(
    backbone, operator, placement
):
    labels = [str(n) for n in range(1, 22)]
    shown = tiny.session(labels, width=96, columns=7, seed=4)
    pages = [Session(f"n{i}", "u", "4", shown.image, "", shown.slots, np.ones(21), np.zeros(21), i) for i in range(4)]
    slots = [11, 20, 12, 0]  # '12', '21', '13', and '1', which ends where others go on
    batch, soft = batch_of(backbone, pages, 3, placement), prompts(backbone, 1, 3).expand(4, -1, -1)
    rows = read(backbone, batch, soft, create(operator), slots, probabilities=False).attention
    assert all(float((rows[1] - rows[other]).abs().sum()) > 1e-3 for other in (0, 2, 3))
    for row, slot in enumerate(slots):
        expected, _ = literally(backbone, pages[row], operator, soft[row], placement, slot)
        torch.testing.assert_close(rows[row], expected, rtol=1e-3, atol=1e-5)
    # '12', '13' and '1' branch off at one place, so an operator without a gradient cannot tell them apart.
    assert all(torch.allclose(rows[0], rows[row], atol=1e-6) == (operator == "rollout") for row in (2, 3))


def test_log_loss_of_numbers_is_a_distribution_equal_to_the_chain_rule(backbone):
    labels = [str(n) for n in range(1, 22)]
    shown = tiny.session(labels, width=96, columns=7, seed=4)
    candidates, inputs = backbone.answer_tokens(shown), backbone.build(shown)
    ended = [
        [*ids, backbone.end_token] if ids in [o[:1] for o in candidates if len(o) > 1] else ids for ids in candidates
    ]
    [(_, found)] = read_sessions(backbone, [shown], create("rollout"))
    chained = []
    for path in ended:
        share = 1.0
        for step, token in enumerate(path):
            following = {other[step] for other in ended if other[:step] == path[:step] and len(other) > step}
            hidden = backbone.model.get_decoder()(**going_on(backbone, inputs, path[:step]), use_cache=False)
            logits = backbone.model.get_output_embeddings()(hidden.last_hidden_state[0, -1]).exp()
            share *= float(logits[token] / sum(logits[other] for other in following))
        chained.append(share)
    assert sum(chained) == pytest.approx(1.0, abs=1e-5) and found.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found, chained, rtol=1e-4)


def test_the_label_as_target_changes_the_attention_but_not_the_answer(backbone):
    batch, soft = batch_of(backbone, mixed(), 5, "prefix"), prompts(backbone, 3)
    free = read(backbone, batch, soft, create("attnlrp"))
    best = free.log_probabilities.argmax(1).tolist()
    named = read(backbone, batch, soft, create("attnlrp"), best)
    torch.testing.assert_close(free.attention, named.attention)
    other = read(backbone, batch, soft, create("attnlrp"), [(slot + 1) % 4 for slot in best])
    assert not torch.allclose(free.attention, other.attention, rtol=1e-2)
    torch.testing.assert_close(free.log_probabilities, other.log_probabilities)


def test_rows_without_relevance_are_missing_not_uniform(backbone):
    from baselines.tuning.examples import slot_attention

    batch = batch_of(backbone, mixed(), 5, "prefix")
    inputs = batch.inputs(prompts(backbone, 3))
    relevance = torch.rand(3, inputs.inputs_embeds.shape[1])
    relevance[1] = 0.0
    attention, found = slot_attention(relevance, batch, inputs.image_index, "none")
    assert found.tolist() == [True, False, True] and float(attention[1].sum()) == 0
    assert attention.sum(1)[[0, 2]].tolist() == pytest.approx([1.0, 1.0])
