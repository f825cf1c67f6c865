"""From relevance over image tokens to attention over slots (PROTOCOL section 6).

A token covers an area of the screen; its relevance is shared out to the slots by the fraction of that area which lies
in each slot's box. The fraction outside every slot belongs to no slot. The K sums are normalised to sum 1; if their sum
is 0 the attention is missing.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from baselines.probing.registry import info, names
from tasks.errors import InputError
from tasks.types import Slot

if TYPE_CHECKING:
    from baselines.probing.operator import Operator

Floats = NDArray[np.float64]


def overlap_matrix(patch_boxes: Floats, slots: Sequence[Slot] | Floats) -> Floats:
    """Return which fraction of each patch lies in each slot, shape (P, K).

    Patches have boxes ``(x0, y0, x1, y1)``, shape (P, 4); an empty box overlaps nothing. Slots may be given as boxes,
    shape (K, 4), in the same pixels. Where slots overlap each other, both count it.

    Raises:
        InputError: Shapes that do not fit, or a box that is not finite or whose corners are swapped.
    """
    boxes = np.array([slot.box for slot in slots] if isinstance(slots, Sequence) else slots, dtype=np.float64)
    patches = np.asarray(patch_boxes, dtype=np.float64)
    for what, found in (("patch", patches), ("slot", boxes)):
        if found.ndim != 2 or found.shape[1] != 4:
            raise InputError(f"the {what} boxes have shape {found.shape}, expected (number, 4).")
        bad = ~(np.isfinite(found).all(1) & (found[:, 2] >= found[:, 0]) & (found[:, 3] >= found[:, 1]))
        if bad.any():
            index = int(bad.argmax())
            raise InputError(
                f"{what} {index} has the box {found[index].tolist()}; "
                "it must be finite, left before right, top before bottom."
            )
    low = np.maximum(patches[:, None, :2], boxes[None, :, :2])
    high = np.minimum(patches[:, None, 2:], boxes[None, :, 2:])
    shared = np.clip(high - low, 0.0, None).prod(-1)
    area = (patches[:, 2:] - patches[:, :2]).prod(-1, keepdims=True)
    fractions: Floats = np.divide(shared, area, out=np.zeros_like(shared), where=area > 0)
    return fractions


def rectifier(operator: str | Operator) -> Literal["none", "abs", "relu"]:
    """Return what a registered operator, or an instance of its class, applies to image tokens.

    Raises:
        InputError: The operator is not registered.
    """
    if isinstance(operator, str):
        return info(operator).rectify
    for name in names():
        module, _, attribute = info(name).factory.partition(":")
        if isinstance(operator, getattr(importlib.import_module(module), attribute)):
            return info(name).rectify
    raise InputError(f"the operator {type(operator).__name__} is not registered; give its rectify.")
