"""NextHit@1: whether the slot that the eyes go to next is the likeliest one, given the path so far.

The mean over a session's n visits: 1 if row k gives no slot more than that of visit k + 1, ``stop`` and the current
slot left out; where several are largest, the chance of it when ties are broken at random.

Beware: a reader of prefixes that knows the process exactly still misses most visits; 1 in every session is a sign that
the path was read. A row with nothing on the other slots is a tie of all of them.
"""

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import Metric


def next_hit(block: Block) -> Floats:
    """Return the share of visits per session, shape (n,)."""
    return block.steps.mean(block.next_rank.hit(1, block.ties))


METRICS = (
    Metric(
        name="NextHit@1",
        family="order",
        against="path",
        needs=("next_visit",),
        higher_is_better=True,
        range=(0.0, 1.0),
        worst=0.0,
        unit="share of visits",
        citation="McSherry and Najork 2008, Computing IR Performance Measures with Tied Scores; ours",
        definition="Given the path so far: share of visits whose slot has the largest probability among the slots "
        "other than the current one, ties by expectation.",
        function=next_hit,
    ),
)
