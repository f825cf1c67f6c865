"""NextSlot: surprise at the slot that the eyes go to next, given the path so far.

The mean over a session's n visits of -log2 max(s, eps), eps = 1e-8. s is the share that row k gives to the slot of
visit k + 1, among the slots other than the current one: ``stop`` and the slot of visit k are taken out and the rest is
renormalised. Where all of a row is on these two, s is 0. Uniform rows score log2(K - 1) after the first visit.

Beware: it is in bits, LogLoss is in nats. The first visit counts too, against all K slots. It says nothing about how
long a visit lasts or when looking ends (Stop).
"""

import math

import numpy as np

from benchmark.metrics.block import EPS, Block, Floats
from benchmark.metrics.registry import Metric

WORST = -math.log2(EPS)


def next_slot(block: Block) -> Floats:
    """Return the mean surprise per session, shape (n,), in bits per visit."""
    # subtracted from 0 so that certainty gives 0 and not -0
    return block.steps.mean(0.0 - np.log2(np.maximum(block.steps.chance, EPS)))


METRICS = (
    Metric(
        name="NextSlot",
        family="order",
        against="path",
        needs=("next_visit",),
        higher_is_better=False,
        range=(0.0, WORST),
        worst=WORST,
        unit="bits per visit",
        citation="Good 1952, Rational Decisions; ours",
        definition="Given the path so far: mean over visits of -log2 max(s, eps), s the share of the slot visited next "
        "among the slots other than the current one, eps = 1e-8.",
        function=next_slot,
        unbounded=True,
    ),
)
