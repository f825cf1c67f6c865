"""How much memory was needed, and whether a model is small enough not to care."""

from __future__ import annotations

import sys
from typing import Any

import torch

SMALL = 50_000_000
"""Parameters up to which a model counts as small."""


def small(model: Any) -> bool:
    """Return whether a model is too small for memory and threads to matter."""
    return bool(sum(parameter.numel() for parameter in model.parameters()) <= SMALL)


def peak_memory(device: torch.device) -> float | None:
    """Return the highest memory use so far in bytes, torch's on a GPU, the process's on a CPU; None if unknown."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak if sys.platform == "darwin" else peak * 1024)
