"""LogLoss: surprise at the click under the simulator's click probabilities.

LogLoss = -log max(p[click], eps), natural logarithm, eps = 1e-8. Uniform probabilities score ln K, 2.708 on
15 slots: a simulator above that would do better to know nothing.

Beware: it is the logarithm of a choice among K slots (cross-entropy, negative log-likelihood), not the sum of
K yes-or-no losses that click-through models report under the same name.
"""

import math

import numpy as np

from benchmark.metrics.block import EPS, Block, Floats
from benchmark.metrics.registry import PAPER, Metric

WORST = -math.log(EPS)


def logloss(block: Block) -> Floats:
    """Return the log loss per session, shape (n,), in nats."""
    clicked = block.probabilities.share[block.click, np.arange(block.click.size)]
    # subtracted from 0 so that certainty gives 0 and not -0
    return 0.0 - np.log(np.maximum(clicked, EPS))


METRICS = (
    Metric(
        name="LogLoss",
        family="click",
        against="click",
        needs=("probabilities",),
        higher_is_better=False,
        range=(0.0, WORST),
        worst=WORST,
        unit="nats",
        citation=f"Good 1952, Rational Decisions; {PAPER}",
        definition="-log max(p[click], eps), natural logarithm, eps = 1e-8.",
        function=logloss,
        unbounded=True,
        aliases=("log loss", "log-loss"),
    ),
)
