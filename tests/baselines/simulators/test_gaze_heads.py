import json

import numpy as np
import pytest

from baselines.probing.gaze_heads import score_heads
from baselines.simulators import loaded
from baselines.simulators.probed import GazeHeads, GazeHeadsUnlabelled
from benchmark.simulator import Workspace
from tasks.definition import quiet
from tasks.errors import InputError
from tests.baselines.tuning.people import sessions


def test_the_heads_with_the_best_correlation_are_kept_and_written_down(folder, tmp_path):
    train = sessions()
    simulator = GazeHeads(backbone=folder, heads=3)
    simulator.attach(Workspace(tmp_path, tmp_path, lambda line: None, quiet))
    simulator.fit(train, 0)
    written = json.loads((tmp_path / "heads.json").read_text())
    attention = []
    for session in train:
        attention.extend(simulator._head_attention([session]))
    scores = score_heads(attention, [session.gaze for session in train])
    assert [entry["score"] for entry in written] == sorted(scores.ravel(), reverse=True)[:3] or np.allclose(
        [entry["score"] for entry in written], sorted(scores.ravel(), reverse=True)[:3], rtol=1e-4
    )
    assert simulator._probe.heads == tuple((entry["layer"], entry["head"]) for entry in written)
    late = GazeHeads(backbone=folder, heads=2, last_layers=1)
    late.fit(train, 0)
    last = len(scores) - 1
    assert late._probe.heads == tuple((last, int(head)) for head in np.argsort(-scores[last], kind="stable")[:2])


def test_attention_is_the_mean_over_heads_of_raw_attention_on_slots(folder):
    import torch

    from baselines.backbones.interface import collate
    from baselines.probing.relevance import head_attention, overlap_matrix

    simulator = GazeHeads(backbone=folder, heads=2)
    simulator.fit(sessions(), 0)
    [session] = sessions(users=1, each=1, seed=5)
    found = simulator.simulate([session.stimulus()])[0].attention
    inputs = collate([loaded.load(folder).build(session)])
    rows = head_attention(loaded.load(folder).model, **inputs.arguments()).tokens[0]
    mean = torch.stack([rows[layer, head] for layer, head in simulator._probe.heads]).mean(0)[inputs.image_index[0]]
    slots = mean.numpy() @ overlap_matrix(inputs.patch_boxes[0], session.slots)
    np.testing.assert_allclose(found, slots / slots.sum(), rtol=1e-4)


def test_heads_are_found_without_any_gaze_by_questions_that_name_a_slot(folder):
    import dataclasses

    train = sessions()
    simulator = GazeHeadsUnlabelled(backbone=folder, heads=2, screens=3, question="answer {label}")
    simulator.fit(train, 0)
    literal = []
    for session in train[:3]:
        shares = []
        for slot in session.slots:
            asked = dataclasses.replace(
                session, session_id=f"{session.screen} {slot.label}", profile=f"answer {slot.label}"
            )
            shares.append(simulator._head_attention([asked])[0])
        literal.append([shares[k][..., k] for k in range(len(session.slots))])
    mean = np.mean(literal, axis=(0, 1))
    best = sorted(np.ndindex(mean.shape), key=lambda pair: -mean[pair])[:2]
    assert simulator._probe.heads == tuple(best)
    with pytest.raises(InputError, match="names no slot"):
        GazeHeadsUnlabelled(backbone=folder, question="Look there.")
    blind = [dataclasses.replace(s, gaze_ms=s.gaze_ms[::-1], click=0) for s in train]
    again = GazeHeadsUnlabelled(backbone=folder, heads=2, screens=3, question="answer {label}")
    again.fit(blind, 0)
    assert again._probe == simulator._probe and simulator.reads == ()


def test_pushing_its_heads_to_a_slot_is_what_steering_does(folder):
    """With all heads of the model pushed, src sees nothing but that slot's tokens: its own pixels decide."""
    import torch

    simulator = GazeHeads(backbone=folder, heads=8)
    simulator.fit(sessions(), 0)
    shown = [session.stimulus() for session in sessions(users=2, each=1, seed=5)]
    own = simulator.steer(shown, [1, 2])
    before = simulator.simulate(shown)
    assert [p.session_id for p in own] == [s.session_id for s in shown] and all(p.attention is None for p in own)
    for left, right in zip(own, before, strict=True):
        assert left.probabilities.sum() == pytest.approx(1) and not np.allclose(left.probabilities, right.probabilities)
    none_left = simulator.steer(shown, [1, 2], np.random.default_rng(0))  # no other head is left to be drawn
    for left, right in zip(none_left, before, strict=True):
        np.testing.assert_allclose(left.probabilities, right.probabilities, rtol=1e-5)
    half = GazeHeads(backbone=folder, heads=4)
    half.fit(sessions(), 0)
    drawn = [half.steer(shown, [1, 2], np.random.default_rng(seed)) for seed in (0, 0)]
    assert np.array_equal(drawn[0][1].probabilities, drawn[1][1].probabilities)
    assert not np.allclose(drawn[0][1].probabilities, half.steer(shown, [1, 2])[1].probabilities)
    assert torch.is_grad_enabled()
