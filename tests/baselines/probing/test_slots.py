"""Relevance of image tokens shared out to slots."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from baselines.backbones.loading import load_backbone
from baselines.probing.registry import create, names
from baselines.probing.relevance import overlap_matrix, rectifier
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


def test_operators_and_what_they_rectify():
    assert {name: rectifier(name) for name in names()} == {
        "rollout": "none",
        "attnlrp": "abs",
        "attnlrp-stable": "abs",
        "glimpse": "relu",
        "glimpse-first-order": "relu",
        "gaze-heads": "none",
    }
    assert rectifier(create("glimpse")) == "relu" and rectifier(create("gaze-heads", heads=HEADS)) == "none"
    with pytest.raises(InputError, match="str|not registered"):
        rectifier(object())
