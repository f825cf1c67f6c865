"""TGO@k: top-gaze overlap, how many of the k most looked-at slots have the most attention.

|top_k(a) and top_k(g)| / min(k, K); where the k-th place is tied in either, the expectation when ties are
broken at random and independently in the two. k = 1, 3, 5; with k >= K every session scores 1.

Beware: slots that were never looked at are all tied at 0, so someone who looked at fewer than k slots has
places filled at random, and even perfect attention then stays below 1. ``ties="last"`` fills them with the last
slots in both, as the reference implementation does.
"""

from functools import partial

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import PAPER, Metric


def tgo(block: Block, k: int) -> Floats:
    """Return TGO@k per session, shape (n,)."""
    # independent tie-breaking: the chance that a slot is in both sets is the product of the two chances
    both = block.attention.top(k, block.ties) * block.gaze.top(k, block.ties)
    overlap: Floats = both.sum(axis=0) / min(k, len(both))
    return overlap


METRICS = tuple(
    Metric(
        name=f"TGO@{k}",
        family="attention",
        against="gaze",
        needs=("attention",),
        higher_is_better=True,
        range=(0.0, 1.0),
        worst=0.0,
        unit="share of slots",
        citation=PAPER,
        definition=f"Expected share of the {k} most looked-at slots among the {k} with most attention.",
        function=partial(tgo, k=k),
        granularity=k,
    )
    for k in (1, 3, 5)
)
