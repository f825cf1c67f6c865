from __future__ import annotations

import pytest
import torch

from tests.baselines.backbones import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Architecture -> folder of a tiny random checkpoint."""
    return {kind: tiny.save(kind, tmp_path_factory.mktemp(kind)) for kind in tiny.KINDS}


@pytest.fixture(params=tiny.KINDS)
def kind(request):
    return request.param


@pytest.fixture
def folder(kind, checkpoints):
    return checkpoints[kind]


@pytest.fixture
def backbone(folder):
    from baselines.backbones.loading import load_backbone

    return load_backbone(folder, device="cpu", features=None)
