"""A tiny random backbone of the real classes."""

from __future__ import annotations

import pytest
import torch

from tests.baselines.backbones import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A random Qwen3-VL checkpoint."""
    return str(tiny.save("qwen3_vl", tmp_path_factory.mktemp("vlm")))


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    monkeypatch.setenv("GAZEBENCH_DEVICE", "cpu")
