"""Stop: surprise at whether looking stops or goes on, given the path so far.

The mean over a session's n + 1 rows of -log2 max(q, eps), eps = 1e-8: q is the row's probability of ``stop`` after the
last visit, and of anything else after the earlier ones.

Beware: most rows go on, so that a simulator which never stops scores log2(1e8) / (n + 1), far from the worst value, and
one that knows the mean length of paths is hard to beat.
"""

import numpy as np

from benchmark.metrics.block import EPS, Block, Floats
from benchmark.metrics.next_slot import WORST
from benchmark.metrics.registry import Metric


def stop(block: Block) -> Floats:
    """Return the mean surprise per session, shape (n,), in bits per row."""
    steps = block.steps
    happened = np.where(steps.last, steps.stop, 1.0 - steps.stop)
    return steps.mean(0.0 - np.log2(np.maximum(happened, EPS)))


METRICS = (
    Metric(
        name="Stop",
        family="order",
        against="path",
        needs=("next_visit",),
        higher_is_better=False,
        range=(0.0, WORST),
        worst=WORST,
        unit="bits per row",
        citation="Good 1952, Rational Decisions; ours",
        definition="Given the path so far: mean over the n + 1 rows of -log2 max(q, eps), q the probability given to "
        "what happened, stop or go on, eps = 1e-8.",
        function=stop,
        unbounded=True,
    ),
)
