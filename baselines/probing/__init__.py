"""Probing operators: how much the answer at the last position rests on each earlier token (PROTOCOL section 6).

``token_relevance`` works on any transformers decoder with the standard attention interface. Names and
equations are readable without torch; the functions that compute import it when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from baselines.probing.registry import OperatorInfo, create, info, names

if TYPE_CHECKING:
    from baselines.probing.relevance import Operator, Relevance, head_attention, token_relevance
    from baselines.probing.targets import PerSequence

_LAZY = {
    "Operator": "relevance",
    "Relevance": "relevance",
    "head_attention": "relevance",
    "token_relevance": "relevance",
    "PerSequence": "targets",
}

__all__ = [
    "Operator",
    "OperatorInfo",
    "PerSequence",
    "Relevance",
    "create",
    "head_attention",
    "info",
    "names",
    "token_relevance",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
