"""Painting over parts of a screen."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.types import ScreenImage, Slot

if TYPE_CHECKING:
    from PIL.Image import Image

Area = tuple[int, int, int, int]  # edges x0, y0, x1, y1 in pixels, the last two excluded

_RING = 3
_STEP = 16


def area_of(box: tuple[float, float, float, float], size: tuple[int, int]) -> Area:
    """Return the pixels of a slot's box, edges included, that lie on a screen of ``size``."""
    (x0, y0, x1, y1), (width, height) = box, size
    left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
    return left, top, max(left, min(width, math.floor(x1) + 1)), max(top, min(height, math.floor(y1) + 1))


def cover(image: Image, areas: Sequence[Area], slots: Sequence[Slot]) -> None:
    """Paint areas over, each in the colour that is most common around it outside the slots, in place.

    Colours are taken before any area is painted; the pictures of slots say nothing of the ground.
    """
    pixels = np.asarray(image)
    ground = np.ones(pixels.shape[:2], dtype=bool)
    for x0, y0, x1, y1 in [*(area_of(slot.box, image.size) for slot in slots), *areas]:
        ground[y0:y1, x0:x1] = False
    colours = [_around(pixels, ground, area) for area in areas]
    for area, colour in zip(areas, colours, strict=True):
        image.paste(colour, area)


def _around(pixels: np.ndarray, ground: np.ndarray, area: Area) -> tuple[int, int, int]:
    """Return the most common colour of the ground around an area: the middle of its cell of similar colours."""
    x0, y0, x1, y1 = area
    for reach in (_RING, 8 * _RING, max(pixels.shape)):
        rows = slice(max(0, y0 - reach), y1 + reach)
        columns = slice(max(0, x0 - reach), x1 + reach)
        found = pixels[rows, columns][ground[rows, columns]]
        if len(found):
            cells, which = np.unique(found // _STEP, axis=0, return_inverse=True)
            common = np.bincount(which.ravel(), minlength=len(cells)).argmax()
            red, green, blue = np.median(found[which.ravel() == common], axis=0).astype(int).tolist()
            return red, green, blue
    return 255, 255, 255


def encoded(image: Image) -> ScreenImage:
    """Return a screen as PNG, which changes no pixel."""
    data = io.BytesIO()
    image.save(data, format="PNG", compress_level=1)
    return ScreenImage(data=data.getvalue())
