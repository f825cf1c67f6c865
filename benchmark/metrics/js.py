"""JS: Jensen-Shannon divergence between attention and human gaze.

JS = (KL(g | m) + KL(a | m)) / 2 with m = (g + a) / 2, natural logarithm, no eps: symmetric, 0 when a equals
g, ln 2 when they share no slot.

Beware: this is the squared Jensen-Shannon *distance*; ``scipy.spatial.distance.jensenshannon`` returns its
square root. Others use logarithms of base 2, which makes the upper end 1.
"""

import math

import numpy as np

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import PAPER, Metric

TINY = float(np.finfo(np.float64).tiny)


def _relative_entropy_to_mean(x: Floats, total: Floats) -> Floats:
    # x log(x / m) with m = total / 2; the floor only ever acts where x is 0 or subnormal and the term vanishes
    return x * np.log(np.maximum(2.0 * x / total, TINY))


def js(block: Block) -> Floats:
    """Return JS per session, shape (n,), in nats."""
    g, a = block.gaze.share, block.attention.share
    total = np.maximum(g + a, TINY)
    twice = (_relative_entropy_to_mean(g, total) + _relative_entropy_to_mean(a, total)).sum(axis=0)
    # rounding alone can leave the range by an ulp
    divergence: Floats = np.clip(0.5 * twice, 0.0, math.log(2.0))
    return divergence


METRICS = (
    Metric(
        name="JS",
        family="attention",
        against="gaze",
        needs=("attention",),
        higher_is_better=False,
        range=(0.0, math.log(2.0)),
        worst=math.log(2.0),
        unit="nats",
        citation=f"Lin 1991, Divergence Measures Based on the Shannon Entropy; {PAPER}",
        definition="Squared Jensen-Shannon distance between attention and human gaze, natural logarithm.",
        function=js,
        aliases=("jsd",),
    ),
)
