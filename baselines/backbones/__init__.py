"""Vision-language models behind one small interface (PROTOCOL sections 6 and 7).

Names are readable without torch; what loads or runs a model imports it when first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from baselines.backbones.registry import BackboneEntry, entry, names

if TYPE_CHECKING:
    from baselines.backbones.batching import in_batches
    from baselines.backbones.checkpoint import BackboneInfo, describe
    from baselines.backbones.interface import Backbone, ModelInput, ScreenFeatures, collate
    from baselines.backbones.loading import load_backbone

_LAZY = {
    "Backbone": "interface",
    "BackboneInfo": "checkpoint",
    "ModelInput": "interface",
    "ScreenFeatures": "interface",
    "collate": "interface",
    "describe": "checkpoint",
    "in_batches": "batching",
    "load_backbone": "loading",
}

__all__ = [
    "Backbone",
    "BackboneEntry",
    "BackboneInfo",
    "ModelInput",
    "ScreenFeatures",
    "collate",
    "describe",
    "entry",
    "in_batches",
    "load_backbone",
    "names",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
