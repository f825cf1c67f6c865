"""The numbers that the paper printed, as a reported table: to print next to ours, and to audit.

``fixate.json`` holds tables 1 to 5 of Huang et al. 2026, *Through Their Eyes* (arXiv 2604.09368), as printed, in the
format of docs/audit.md. They are not results of this suite.
"""

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

BACKBONES = {"qwen3-vl": "Qwen3-VL-4B-Instruct", "internvl3.5": "InternVL3.5-4B-Instruct"}
"""Backbone of the layouts -> the paper's name for it."""


@cache
def load() -> Reported:
    """Return the paper's tables 1 to 5, with its own names and numbers as printed."""
    return read(FILE)


def originals(task: str, backbone: str, operator: str, method: str) -> tuple[Row, ...]:
    """Return the paper's rows, in whichever of its tables, about what a reproduced table measured.

    Backbone and operator are named as in the layouts, the method as in the paper.
    """
    wanted = (task, BACKBONES.get(backbone), OPERATORS.get(operator), method)
    return tuple(row for row in load().rows if row.subject == wanted)


__all__ = ["BACKBONES", "FILE", "OPERATORS", "SIMULATORS", "load", "originals"]
