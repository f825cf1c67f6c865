"""AUC: the share of other slots that the simulator finds less probable than the clicked one.

Counted within one session, over its K - 1 other slots; a slot of equal probability counts one half, in every
ties mode. Uniform probabilities score 0.5.

Beware: this is the area under the ROC curve of each session by itself, averaged over sessions afterwards; an
AUC over all slots of all sessions pooled is a different number.
"""

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import PAPER, Metric


def auc(block: Block) -> Floats:
    """Return the AUC per session, shape (n,)."""
    slots, rank = len(block.probabilities.given), block.probability_rank
    below = slots - rank.above - rank.tied
    return (below + 0.5 * (rank.tied - 1)) / (slots - 1)


METRICS = (
    Metric(
        name="AUC",
        family="click",
        against="click",
        needs=("probabilities",),
        higher_is_better=True,
        range=(0.0, 1.0),
        worst=0.0,
        unit="share of slot pairs",
        citation=f"Hanley and McNeil 1982, The Meaning and Use of the Area under a ROC Curve; {PAPER}",
        definition="Share of the other slots with a probability below the clicked slot's, ties one half.",
        function=auc,
        granularity="pairs",
    ),
)
