"""Accuracy: whether the simulator's answer is the clicked slot.

1 if answer == click, else 0. A session without an answer is judged by the largest click probability, with
the expectation where several are largest.

Beware: an answer always goes before the probabilities, even where the two disagree (a generated letter need
not be the likeliest one). ``ties="last"`` takes the last of the largest probabilities.
"""

import numpy as np

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import PAPER, Metric


def accuracy(block: Block) -> Floats:
    """Return the accuracy per session, shape (n,)."""
    answered = block.answer >= 0
    right: Floats = (block.answer == block.click).astype(np.float64)
    if answered.all():
        return right
    return np.where(answered, right, block.probability_rank.hit(1, block.ties))


METRICS = (
    Metric(
        name="Accuracy",
        family="click",
        against="click",
        needs=("answer", "probabilities"),
        higher_is_better=True,
        range=(0.0, 1.0),
        worst=0.0,
        unit="share of sessions",
        citation=PAPER,
        definition="Answer equals click; without an answer, the chance that the most probable slot does.",
        function=accuracy,
        granularity=1,
        aliases=("acc",),
    ),
)
