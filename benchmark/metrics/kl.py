"""KL: Kullback-Leibler divergence of the simulator's attention from human gaze.

KL = sum over slots of g log((g + eps) / (a + eps)), natural logarithm, eps = 1e-8. It asks what it costs to
take a for g: slots that a person looked at and the simulator did not weigh heavily.

Beware: in the saliency literature the arguments and the place of eps vary; here gaze comes first. Because
eps is in both terms but not in the weight, the sum may lie below 0 by up to 0.4 K eps where g is itself of the size
of eps, and by rounding where a equals g; such a value is 0.
"""

import math

import numpy as np

from benchmark.metrics.block import EPS, Block, Floats
from benchmark.metrics.registry import PAPER, Metric

WORST = math.log((1 + EPS) / EPS)


def kl(block: Block) -> Floats:
    """Return KL per session, shape (n,), in nats."""
    g, a = block.gaze.share, block.attention.share
    divergence: Floats = (g * np.log((g + EPS) / (a + EPS))).sum(axis=0)
    return np.maximum(divergence, 0.0)


METRICS = (
    Metric(
        name="KL",
        family="attention",
        against="gaze",
        needs=("attention",),
        higher_is_better=False,
        range=(0.0, WORST),
        worst=WORST,
        unit="nats",
        citation=f"Kullback and Leibler 1951, On Information and Sufficiency; {PAPER}",
        definition="Divergence of attention a from human gaze g: sum g log((g+eps)/(a+eps)), eps = 1e-8.",
        function=kl,
        unbounded=True,
    ),
)
