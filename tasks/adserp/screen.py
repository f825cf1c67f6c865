"""Screens of AdSERP: the visible part of the page, or all of it, with the slot numbers next to the boxes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont
from PIL.Image import Image

from tasks.adserp.trial import SCREEN_WIDTH
from tasks.errors import InputError
from tasks.types import Box, Slot

_FONT_SIZE = 28
_SMALLEST_FONT = 13
_GAP, _BAR = 4, 4
_RIM = 3  # pixels around a number that carry its colour once the screen has been through JPEG
_INK = (176, 0, 96)  # A colour that result pages do not use for text, links, stars or buttons


def check_width(image: Image, path: Path | None) -> None:
    """Refuse a screenshot that is not 1280 pixels wide: no box and no point would fit it."""
    if image.width != SCREEN_WIDTH:
        raise InputError(f"{path}: the screenshot is {image.width} pixels wide, expected {SCREEN_WIDTH}.")


def cut(page: Image, top: int, size: tuple[int, int]) -> Image:
    """Return the part of the page that starts ``top`` pixels down, white where the page has ended."""
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


@dataclass(frozen=True, slots=True)
class _Number:
    """A label next to a box, in pixels: its plate and its bar (edges as Pillow takes them), and where the text goes."""

    plate: Box
    bar: Box
    text: tuple[float, float]


def _scaled(pixels: int, factor: float) -> int:
    return max(1, round(pixels * factor))


def _numbers(
    size: tuple[int, int], boxes: Sequence[Box], labels: Sequence[str], factor: float
) -> tuple[ImageFont.FreeTypeFont | ImageFont.ImageFont, list[_Number]]:
    """Return the font, and where labels go: each on a plate to the left of its box, below any plate in its way."""
    points = max(_SMALLEST_FONT, round(_FONT_SIZE * factor))
    font = ImageFont.load_default(points)
    gap, bar, pad = _scaled(_GAP, factor), _scaled(_BAR, factor), max(1, points // 6)
    placed: list[Box] = []
    found = []
    for box, label in zip(boxes, labels, strict=True):
        left, top, right, bottom = font.getbbox(label)
        width, height = right - left + 2 * pad, points + pad
        x = max(0.0, box[0] - gap - bar - width)
        y = min(box[1], size[1] - height)
        for other in placed:
            if x < other[2] and other[0] < x + width and y < other[3] and other[1] < y + height:
                y = min(other[3] + 1, size[1] - height)
        placed.append((x, y, x + width, y + height))
        found.append(
            _Number(
                plate=(x, y, x + width - 1, y + height - 1),
                bar=(x + width, box[1], x + width + bar - 1, max(box[3] - 1, box[1])),
                text=(x + (width - (right - left)) / 2 - left, y + (height - (bottom - top)) / 2 - top),
            )
        )
    return font, found


def draw_numbers(image: Image, boxes: Sequence[Box], labels: Sequence[str], factor: float = 1.0) -> Image:
    """Return the image with each label on a plate to the left of its box and a bar along the box.

    The image is at its final size already; plates shrink by ``factor``, as the screen did, down to a legible size.
    """
    image = image.copy()
    draw = ImageDraw.Draw(image)
    font, numbers = _numbers(image.size, boxes, labels, factor)
    for label, number in zip(labels, numbers, strict=True):
        draw.rectangle(number.bar, fill=_INK)
        draw.rectangle(number.plate, fill=_INK)
        draw.text(number.text, label, font=font, fill="white")
    return image


def number_areas(size: tuple[int, int], slots: Sequence[Slot]) -> list[tuple[int, int, int, int]]:
    """Return the areas of the slots' numbers, plates and bars, on a screen of this size, with the rim that JPEG blurs.

    Boxes (x0, y0, x1, y1) are in pixels within the screen, ``x1`` and ``y1`` excluded.
    """
    (width, height), factor = size, size[0] / SCREEN_WIDTH
    boxes, labels = [slot.box for slot in slots], [slot.label for slot in slots]
    rim = min(_RIM, _scaled(_GAP, factor))  # not into the box next to it
    found = []
    for number in _numbers(size, boxes, labels, factor)[1]:
        for x0, y0, x1, y1 in (number.plate, number.bar):
            left, top = max(0, math.floor(x0) - rim), max(0, math.floor(y0) - rim)
            found.append((left, top, min(width, math.ceil(x1) + 1 + rim), min(height, math.ceil(y1) + 1 + rim)))
    return found
