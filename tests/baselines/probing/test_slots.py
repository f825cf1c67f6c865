"""Relevance of image tokens shared out to slots."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from baselines.backbones import collate, load_backbone
from baselines.probing import create, names, token_relevance
from baselines.probing.slots import overlap_matrix, read_slots, rectifier, slot_attention, slot_shares
from tasks.errors import InputError
from tasks.types import Session, Slot
from tests.baselines.backbones import tiny

torch.set_num_threads(1)
OPERATORS = [name for name in names() if name != "gaze-heads"]
HEADS = ((0, 1), (1, 3))


@pytest.fixture(scope="module", params=tiny.KINDS)
def backbone(request, tmp_path_factory):
    return load_backbone(tiny.save(request.param, tmp_path_factory.mktemp(request.param)), features=None)


def gapped(labels="ABCDEF", **options):
    """A session whose slots leave gaps, so that some relevance belongs to no slot."""
    session = tiny.session(labels, **options)
    slots = tuple(
        Slot(s.label, s.kind, s.text, (s.box[0] + 1, s.box[1] + 2, s.box[2] - 3, s.box[3] - 1)) for s in session.slots
    )
    return Session(
        session.session_id, "u", "0", session.image, session.profile, slots, np.ones(len(slots)), np.ones(len(slots)), 1
    )


# --- overlap ---------------------------------------------------------------------------------------------------


def test_overlap_by_hand():
    patches = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [20, 0, 20, 10], [30, 0, 40, 10.0]])
    slots = np.array([[5, 5, 15, 20], [0, 0, 100, 4.0]])
    wanted = [[0.25, 0.4], [0.25, 0.4], [0, 0], [0, 0.4]]
    assert overlap_matrix(patches, slots).tolist() == wanted
    assert (
        overlap_matrix(patches, [Slot("A", "film", "", (5, 5, 15, 20)), Slot("B", "film", "", (0, 0, 100, 4))]).tolist()
        == wanted
    )


boxes = arrays(np.int64, (4, 4), elements=st.integers(0, 12)).map(
    lambda b: np.concatenate([np.minimum(b[:, :2], b[:, 2:]), np.maximum(b[:, :2], b[:, 2:])], axis=1)
)


@given(boxes, boxes)
def test_overlap_equals_counting_unit_squares(patches, slots):
    def squares(box):
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    found = overlap_matrix(patches.astype(float), slots.astype(float))
    for p, patch in enumerate(patches):
        for k, slot in enumerate(slots):
            area = squares(patch)
            assert found[p, k] == pytest.approx(len(area & squares(slot)) / len(area) if area else 0.0)


@pytest.mark.parametrize(
    ("patches", "slots", "message"),
    [
        (np.zeros((2, 3)), np.zeros((1, 4)), r"patch boxes have shape \(2, 3\)"),
        (np.zeros((2, 4)), [], "slot boxes have shape"),
        (np.zeros((2, 4)), np.array([[0, 0, 1, 1], [5, 0, 1, 1.0]]), "slot 1 has the box"),
        (np.full((1, 4), np.nan), np.zeros((1, 4)), "patch 0 has the box"),
    ],
)
def test_bad_boxes(patches, slots, message):
    with pytest.raises(InputError, match=message):
        overlap_matrix(patches, slots)


# --- shares ----------------------------------------------------------------------------------------------------


def test_shares_by_hand():
    overlap = np.array([[1.0, 0.0], [0.5, 0.25], [0.0, 1.0]])
    relevance = torch.tensor([1.0, 2.0, -3.0])
    assert slot_shares(relevance, overlap, "abs").tolist() == pytest.approx([2 / 5.5, 3.5 / 5.5])
    assert slot_shares(relevance, overlap, "relu").tolist() == pytest.approx([2 / 2.5, 0.5 / 2.5])
    assert slot_shares(-relevance.abs(), overlap, "relu") is None
    assert slot_shares(torch.zeros(3), overlap) is None
    with pytest.raises(InputError, match="negative"):
        slot_shares(relevance, overlap)
    with pytest.raises(InputError, match="not finite"):
        slot_shares(torch.tensor([1.0, torch.nan, 0.0]), overlap, "abs")


def test_operators_and_what_they_rectify():
    assert {name: rectifier(name) for name in names()} == {
        "rollout": "none",
        "attnlrp": "abs",
        "attnlrp-stable": "abs",
        "glimpse": "relu",
        "gaze-heads": "none",
    }
    assert rectifier(create("glimpse")) == "relu" and rectifier(create("gaze-heads", heads=HEADS)) == "none"
    with pytest.raises(InputError, match="str|not registered"):
        rectifier(object())


# --- sessions --------------------------------------------------------------------------------------------------


def literal(backbone, session, operator, slot, prompt=None, placement="prefix"):
    """Attention by loops over tokens and slots."""
    inputs = backbone.build(session, prompt, placement)
    ids = backbone.answer_tokens(session)[slot]
    relevance = token_relevance(backbone.model, operator, **inputs.arguments(), target=ids).tokens[0]
    sums = np.zeros(len(session.slots))
    for position, box in zip(inputs.image_index[0].tolist(), inputs.patch_boxes[0], strict=True):
        value = float(relevance[position])
        value = {"abs": abs(value), "relu": max(value, 0.0), "none": value}[rectifier(operator)]
        for k, s in enumerate(session.slots):
            w = max(0.0, min(box[2], s.box[2]) - max(box[0], s.box[0]))
            h = max(0.0, min(box[3], s.box[3]) - max(box[1], s.box[1]))
            area = (box[2] - box[0]) * (box[3] - box[1])
            sums[k] += value * w * h / area if area else 0.0
    return sums / sums.sum()


@pytest.mark.parametrize("operator", [*OPERATORS, create("gaze-heads", heads=HEADS)], ids=str)
@pytest.mark.parametrize("labels", ["ABCDEF", [str(n) for n in range(1, 13)]], ids=["letters", "numbers"])
def test_slot_attention_equals_the_literal_definition(backbone, operator, labels):
    session = gapped(labels)
    best = int(backbone.token_scores([session])[0].argmax())
    found = slot_attention(backbone, session, operator)
    assert found.dtype == np.float64 and found.sum() == pytest.approx(1.0) and (found >= 0).all()
    np.testing.assert_allclose(found, literal(backbone, session, operator, best), rtol=1e-4, atol=1e-6)


def test_gradient_operators_work_where_gradients_are_off(backbone):
    session = gapped()
    wanted = slot_attention(backbone, session, "attnlrp")
    with torch.no_grad():
        np.testing.assert_array_equal(slot_attention(backbone, session, "attnlrp"), wanted)


def test_label_and_slot_targets(backbone):
    session = gapped()
    label = slot_attention(backbone, session, "attnlrp-stable", "label")
    np.testing.assert_allclose(label, slot_attention(backbone, session, "attnlrp-stable", 1))
    np.testing.assert_allclose(label, literal(backbone, session, "attnlrp-stable", 1), rtol=1e-4, atol=1e-6)
    assert abs(label - slot_attention(backbone, session, "attnlrp-stable", 2)).max() > 1e-3


def test_a_batch_gives_attention_probabilities_and_answer_as_alone(backbone):
    sessions = [gapped(), gapped("AB", columns=2, width=64, height=16, profile="", seed=1)]
    prompts = [torch.full((3, 32), 0.2), None]
    readings = read_slots(backbone, sessions, "attnlrp-stable", prompts=prompts, placement="suffix")
    for session, prompt, reading in zip(sessions, prompts, readings, strict=True):
        alone = slot_attention(backbone, session, "attnlrp-stable", "free", prompt, "suffix")
        np.testing.assert_allclose(reading.attention.numpy(), alone, rtol=2e-3, atol=1e-5)
        [p] = backbone.token_scores([session], [prompt], "suffix")
        np.testing.assert_allclose(reading.log_probabilities.exp().numpy(), p, rtol=1e-3, atol=1e-6)
        assert reading.target == p.argmax()
        assert not reading.attention.requires_grad


def test_one_pass_for_letters(backbone):
    """Attention, probabilities and answer of a session read every token once."""
    session = gapped()
    read = []
    hook = backbone.model.get_decoder().register_forward_pre_hook(
        lambda module, args, kwargs: read.append(kwargs["inputs_embeds"].shape[1]), with_kwargs=True
    )
    slot_attention(backbone, session, "attnlrp-stable")
    hook.remove()
    assert sum(read) == collate([backbone.build(session)]).src + 1


@pytest.mark.parametrize("placement", ["prefix", "suffix"])
def test_training_gradients_reach_the_prompt(backbone, placement):
    session = gapped()
    prompt = torch.full((2, 32), 0.1, requires_grad=True)

    def loss(values):
        options = dict(target="label", prompts=[values], placement=placement, create_graph=True)
        [reading] = read_slots(backbone, [session], "attnlrp-stable", **options)
        return -reading.attention[0].log() - reading.log_probabilities[1]

    loss(prompt).backward()
    step = torch.zeros(2, 32)
    step[1, 5] = 1e-2
    slope = float((loss(prompt + step) - loss(prompt - step)).detach()) / 2e-2
    assert slope == pytest.approx(float(prompt.grad[1, 5]), rel=5e-2, abs=2e-3)


def test_bad_targets(backbone):
    session = gapped()
    with pytest.raises(InputError, match="click, which is hidden"):
        slot_attention(backbone, session.stimulus(), "rollout", "label")
    for target in (6, -1, "best"):
        with pytest.raises(InputError, match="is not 'free', 'label' or a slot 0..5"):
            slot_attention(backbone, session, "rollout", target)
    with pytest.raises(InputError, match="2 prompts and 1 targets were given for 1 sessions"):
        read_slots(backbone, [session], "rollout", prompts=[None, None])
    with pytest.raises(InputError, match="unknown operator 'atnlrp'"):
        slot_attention(backbone, session, "atnlrp")
