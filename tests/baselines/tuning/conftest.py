"""A tiny random backbone of the real classes."""

from __future__ import annotations

import pytest
import torch

from tests.baselines.backbones import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A random Qwen3-VL checkpoint that is asked about the profile after the image."""
    return tiny.save("qwen3_vl", tmp_path_factory.mktemp("tuning"))


@pytest.fixture(scope="session")
def backbone(folder):
    from baselines.backbones.loading import load_backbone

    return load_backbone(folder, device="cpu", dtype="float32", features=None)
