"""The numbers that the paper printed, as a reported table: to stand beside ours, and to be audited.

``fixate.json`` holds tables 1 to 5 of Huang et al. 2026, *Through Their Eyes* (arXiv 2604.09368), as printed, in the
format of docs/audit.md. They are not results of this suite.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from benchmark.audit import Reported, read
from benchmark.audit.reported import Row

FILE = Path(__file__).with_name("fixate.json")

SIMULATORS = {
    "backbone": "Backbone",
    "fixate": "FixATE",
    "random-prompt": "Rand. SP",
    "shared-prompt": "z_u=1",
    "fixate-no-weights": "w/o importance weights",
    "fixate-no-attention": "w/o L_Attn",
    "fixate-no-ntp": "w/o L_NTP",
}
"""Name of a simulator here -> what the paper calls it."""

OPERATORS = {"glimpse": "GLIMPSE", "attnlrp": "AttnLRP", "rollout": "Attention Rollout"}
"""Name of an operator here -> what the paper calls it."""


@cache
def load() -> Reported:
    """Return the paper's tables 1 to 5.

    Returns:
        Its rows carry table, task, backbone, operator and method as the paper names them, and per metric the printed
        mean; in tables 4 and 5 also SD over seeds and stars.
    """
    return read(FILE)


def find(task: str, simulator: str, backbone: str, operator: str) -> Row | None:
    """Return the paper's row for what one of our runs measured, or None if it has none.

    Rows that several tables repeat come from the first.

    Args:
        task: Name of our task.
        simulator: Name of our simulator.
        backbone: Checkpoint; what stands before its last ``/`` does not count.
        operator: Name of our operator.
    """
    method, probed = SIMULATORS.get(simulator), OPERATORS.get(operator)
    if method is None or probed is None:
        return None
    return load().find(task, method, backbone.rpartition("/")[2], probed)


__all__ = ["FILE", "OPERATORS", "SIMULATORS", "find", "load"]
