"""Pocket stand-ins: tiny vision-language models of the real architecture classes, trained on simulated screens.

They let every part of the suite that needs a backbone run, and mean something, on a laptop. They are not the real
models: what is measured with them says nothing about Qwen3-VL or InternVL. ``python -m baselines.pocket_training``
makes the shipped folders below ``weights``; their cards say what they saw.
"""

from pathlib import Path

NAMES = ("pocket-qwen3vl", "pocket-internvl")
WEIGHTS = Path(__file__).parent / "weights"
"""The shipped checkpoint folders, one per name."""
