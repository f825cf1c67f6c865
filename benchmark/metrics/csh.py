"""CSH@k: clicked-slot hit, whether the clicked slot is among the k slots with most attention.

1 if it is, 0 if not; where the k-th place is tied, the chance of being among the k when ties are broken at
random. k = 1, 3, 5; with k >= K every session scores 1.

Beware: this judges *attention*, not the answer, and it is called "hit rate" or "success@k" elsewhere. The
reference implementation lets ties fall to the last slot, as ``ties="last"`` does here: constant attention
then looks as if it had chosen.
"""

from functools import partial

from benchmark.metrics.block import Block, Floats
from benchmark.metrics.registry import PAPER, Metric


def csh(block: Block, k: int) -> Floats:
    """Return CSH@k per session, shape (n,)."""
    return block.attention_rank.hit(k, block.ties)


METRICS = tuple(
    Metric(
        name=f"CSH@{k}",
        family="attention",
        against="click",
        needs=("attention",),
        higher_is_better=True,
        range=(0.0, 1.0),
        worst=0.0,
        unit="share of sessions",
        citation=f"{PAPER}; ties: McSherry and Najork 2008, Computing IR Performance Measures with Tied Scores",
        definition=f"Chance that the clicked slot is among the {k} with most attention, ties broken at random.",
        function=partial(csh, k=k),
        granularity=1,
    )
    for k in (1, 3, 5)
)
