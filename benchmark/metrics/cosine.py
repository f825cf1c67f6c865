"""Cosine: cosine of the angle between attention and human gaze.

Cosine = a.g / (|a| |g| + eps) with eps = 1e-8, both normalised to sum 1. It is driven by the slots with the
largest values and forgives small misplaced weight that KL punishes.

Beware: nothing is centred, so this is not a correlation (the CC of the saliency literature): two vectors of
non-negative numbers are never below 0, and uniform attention already scores high against spread-out gaze.
Because of eps a perfect a scores a shade below 1.
"""

import numpy as np

from benchmark.metrics.block import EPS, Block, Floats
from benchmark.metrics.registry import PAPER, Metric


def cosine(block: Block) -> Floats:
    """Return the cosine per session, shape (n,)."""
    g, a = block.gaze.share, block.attention.share
    norms = np.sqrt((a * a).sum(axis=0)) * np.sqrt((g * g).sum(axis=0))
    similarity: Floats = (a * g).sum(axis=0) / (norms + EPS)
    return similarity


METRICS = (
    Metric(
        name="Cosine",
        family="attention",
        against="gaze",
        needs=("attention",),
        higher_is_better=True,
        range=(0.0, 1.0),
        worst=0.0,
        unit="cosine",
        citation=PAPER,
        definition="Cosine similarity of attention and human gaze: a.g / (|a||g| + eps), eps = 1e-8.",
        function=cosine,
        aliases=("cos",),
    ),
)
