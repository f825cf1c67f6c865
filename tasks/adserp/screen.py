"""Screens of AdSERP: the visible part of the page, or all of it, with the slot numbers beside the boxes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.adserp.trial import SCREEN_WIDTH, Box
from tasks.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

JPEG_QUALITY = 90
_FONT_SIZE = 28
_SMALLEST_FONT = 13
_INK = (176, 0, 96)
"""A colour that result pages do not use for text, links, stars or buttons."""


def check_width(image: Image, path: Path | None) -> None:
    """Refuse a screenshot that is not 1280 pixels wide: no box and no point would fit it."""
    if image.width != SCREEN_WIDTH:
        raise InputError(f"{path}: the screenshot is {image.width} pixels wide, expected {SCREEN_WIDTH}.")


def cut(page: Image, top: int, size: tuple[int, int]) -> Image:
    """Return the part of the page that starts ``top`` pixels down, white where the page has ended."""
    from PIL import Image as PilImage

    view = PilImage.new("RGB", size, "white")
    view.paste(page.crop((0, top, min(size[0], page.width), min(top + size[1], page.height))), (0, 0))
    return view


def boxes_in_view(boxes: Sequence[Box], top: int, size: tuple[int, int]) -> list[Box]:
    """Return page-space boxes in the pixels of the view, cut off at its edges."""
    width, height = size

    def clip(value: float, limit: int) -> float:
        return float(min(max(value, 0), limit))

    return [
        (clip(x0, width), clip(y0 - top, height), clip(x1, width), clip(y1 - top, height)) for x0, y0, x1, y1 in boxes
    ]


def fit_factor(size: tuple[int, int], within: tuple[int, int] | None) -> float:
    """Return the factor, at most 1, that makes an image fit in the given width and height."""
    if within is None:
        return 1.0
    return min(1.0, within[0] / size[0], within[1] / size[1])


def draw_numbers(image: Image, boxes: Sequence[Box], labels: Sequence[str], factor: float = 1.0) -> Image:
    """Return the image with each label on a plate to the left of its box and a bar along the box.

    Args:
        image: The screen, already at its final size.
        boxes: K boxes in pixels of the image.
        labels: K labels.
        factor: By how much the screen was made smaller; plates shrink with it down to a legible size.
    """
    from PIL import ImageDraw, ImageFont

    image = image.copy()
    draw = ImageDraw.Draw(image)
    size = max(_SMALLEST_FONT, round(_FONT_SIZE * factor))
    font = ImageFont.load_default(size)
    gap, bar, pad = max(1, round(4 * factor)), max(1, round(4 * factor)), max(1, size // 6)
    placed: list[Box] = []
    for box, label in zip(boxes, labels, strict=True):
        left, top, right, bottom = draw.textbbox((0, 0), label, font=font, stroke_width=0)
        width, height = right - left + 2 * pad, size + pad
        x = max(0.0, box[0] - gap - bar - width)
        y = min(box[1], image.height - height)
        for other in placed:
            if x < other[2] and other[0] < x + width and y < other[3] and other[1] < y + height:
                y = min(other[3] + 1, image.height - height)
        placed.append((x, y, x + width, y + height))
        draw.rectangle((x + width, box[1], x + width + bar - 1, max(box[3] - 1, box[1])), fill=_INK)
        draw.rectangle((x, y, x + width - 1, y + height - 1), fill=_INK)
        middle = (x + (width - (right - left)) / 2 - left, y + (height - (bottom - top)) / 2 - top)
        draw.text(middle, label, font=font, fill="white")
    return image


def encode(image: Image) -> bytes:
    """Return the image as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
