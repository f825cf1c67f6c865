"""Screens of snacks: pictures at their places, or tiles with the snacks' names, with number and name below each."""

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image as PilImage
from PIL import ImageDraw
from PIL.Image import Image, Resampling

from tasks.pictures import decode, fit_factor, fitted, text_font
from tasks.types import Box, ScreenImage, Slot

SCREEN = (1280, 1024)
"""Width and height of the screen that positions are given on, pixels."""
SIZE = (640, 512)
"""Largest screen that is drawn unless another is asked for, pixels."""
_ITEM = (204.8, 133.12)


def even_boxes(columns: int, rows: int) -> list[Box]:
    """Return places for a grid, evenly spread, in reading order; up to 6 x 6 fit without touching."""
    (w, h), across, down = _ITEM, *((SCREEN[i] - n * _ITEM[i]) / (n + 1) for i, n in enumerate((columns, rows)))
    corners = [(across + c * (w + across), down + r * (h + down)) for r in range(rows) for c in range(columns)]
    return [(x, y, x + w, y + h) for x, y in corners]


def slots_of(
    names: Sequence[str], ratings: Sequence[float], boxes: Sequence[Box], size: tuple[int, int]
) -> tuple[Slot, ...]:
    """Return the slots on a screen that fits into ``size``, edges in whole pixels; a rating of NaN is none."""
    factor, slots = fit_factor(SCREEN, size), []
    for number, (name, rating, box) in enumerate(zip(names, ratings, boxes, strict=True), start=1):
        x0, y0, x1, y1 = (float(round(factor * edge)) for edge in box)
        known = None if math.isnan(rating) else rating
        slots.append(Slot(str(number), "snack", name, (x0, y0, x1 - 1, y1 - 1), known))
    return tuple(slots)


def draw_screen(slots: Sequence[Slot], pictures: Mapping[str, Path], size: tuple[int, int]) -> Image:
    """Draw a screen that fits into ``size``; a slot whose text names no picture gets a tile with the text.

    InputError if a picture does not open.
    """
    factor = fit_factor(SCREEN, size)
    screen = PilImage.new("RGB", (round(SCREEN[0] * factor), round(SCREEN[1] * factor)), "white")
    draw = ImageDraw.Draw(screen)
    for slot in slots:
        x0, y0, x1, y1 = (round(edge) for edge in slot.box)
        path, area = pictures.get(slot.text), (x1 - x0 + 1, y1 - y0 + 1)
        screen.paste(tile(slot.text, area) if path is None else open_picture(path, area), (x0, y0))
        _, top, right, bottom = _plate(screen.size, slot)
        font = text_font(0.8 * (bottom - top))
        name = fitted(slot.text, font, x1 - right - 3)
        draw.text((right + 3, (top + bottom) / 2), name, (90, 90, 90), font=font, anchor="lm")
    draw_numbers(screen, slots)
    return screen


def number_areas(size: tuple[int, int], slots: Sequence[Slot]) -> list[tuple[int, int, int, int]]:
    """Return the plates that :func:`draw_numbers` draws, with the rim that JPEG blurs; edges x1 and y1 excluded."""
    return [(max(0, x0 - 1), y0, x1 + 2, min(size[1], y1 + 1)) for x0, y0, x1, y1 in (_plate(size, s) for s in slots)]


def draw_numbers(screen: Image, slots: Sequence[Slot]) -> None:
    """Draw each slot's label on a plate below its left corner, in place."""
    draw = ImageDraw.Draw(screen)
    for slot in slots:
        x0, y0, x1, y1 = _plate(screen.size, slot)
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=(176, 0, 96))
        middle, font = ((x0 + x1) / 2, (y0 + y1) / 2), text_font(0.85 * (y1 - y0))
        draw.text(middle, slot.label, "white", font=font, anchor="mm")


def _plate(size: tuple[int, int], slot: Slot) -> tuple[int, int, int, int]:
    """Return where a slot's label is drawn, equally large for all labels; edges x1 and y1 excluded."""
    height = max(12, round(28 * size[1] / SCREEN[1]))
    left, top = round(slot.box[0]), min(round(slot.box[3]) + 2, size[1] - height)
    return left, top, left + round(1.3 * height), top + height


@functools.lru_cache(maxsize=512)
def open_picture(path: Path, size: tuple[int, int]) -> Image:
    """Return a picture file as RGB, stretched to ``size``; InputError if it does not open."""
    return decode(ScreenImage(path=path).encoded(), f"the picture {path}").resize(size, Resampling.LANCZOS)


def tile(name: str, size: tuple[int, int]) -> Image:
    """Draw a tile with a snack's name, one word to a line, on a colour of its own."""
    hue = 360 * hashlib.sha256(name.encode()).digest()[0] // 256
    image = PilImage.new("RGB", size, f"hsv({hue},35%,95%)")
    words = name.replace("-", " ").split() or ["?"]
    step = size[1] / (len(words) + 1)
    font = text_font(min(0.9 * step, 1.6 * size[0] / max(map(len, words))))
    for line, word in enumerate(words, start=1):
        at, text = (size[0] / 2, line * step), fitted(word, font, size[0] - 4)
        ImageDraw.Draw(image).text(at, text, (40, 30, 30), font=font, anchor="mm")
    return image
