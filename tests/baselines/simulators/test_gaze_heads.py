import json

import numpy as np

from baselines.probing.gaze_heads import score_heads
from baselines.simulators import loaded
from baselines.simulators.probed import GazeHeads
from benchmark.simulator import Workspace
from tasks.definition import quiet
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
