"""Simulated result pages for training: what a window of a page shows, and where its slots are.

Heights, gaps, kinds and widths are rounded percentiles of the layout of the public AdSERP pages; words, pictures,
prices and all else are invented. No real picture, gaze or click is used.
"""

import functools

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tasks.adserp import screen
from tasks.pictures import text_font
from tasks.recgaze.sample_films import invent_name

WINDOW = (1280, 1023)
KINDS = ("organic_result", "native_ad", "dd_top", "dd_right")
MOST = 9
"""Most slots on a screen."""

_QUANTILES = (0, 10, 25, 50, 75, 90, 100)
_HEIGHTS = {
    "native_ad": (69, 69, 69, 108, 129, 169, 291),
    "organic_result": (52, 81, 81, 99, 126, 227, 505),
    "dd_top": (216, 275, 296, 334, 351, 354, 382),
    "dd_right": (312, 535, 634, 1028, 1276, 1276, 1276),
    "widget": (52, 81, 96, 140, 230, 260, 736),
}
_LEFT, _RIGHT = 162, 748
_BLUE, _GREY, _BLACK, _LINE = (26, 13, 171), (77, 81, 86), (32, 33, 36), (218, 220, 224)
_ADDRESSES = (_BLACK, _BLACK, (0, 102, 33), (90, 95, 100))

Box = tuple[float, float, float, float]
_font = functools.cache(text_font)


def page(rng: np.random.Generator) -> tuple[Image.Image, list[str], list[Box]]:
    """Invent a page, scroll it and draw what its window shows, without numbers: 2 to 9 slots, as the task keeps them.

    Returns:
        The window's picture, and its slots' kinds and boxes in number order.
    """

    def kept(box: Box) -> bool:
        seen = max(0.0, min(box[3] - top, WINDOW[1]) - max(box[1] - top, 0.0)) / (box[3] - box[1])
        return seen >= 0.5 or (seen > 0.1 and rng.random() < 0.02)  # a clicked slot is kept with less than half

    while True:
        blocks = _blocks(rng)
        end = max(int(box[3]) for kind, box in blocks if kind != "dd_right") + 250
        top = 0 if rng.random() < 0.4 else int(rng.integers(50, max(60, min(1500, end - 900))))
        slots = [(kind, box) for kind, box in blocks if kind != "widget" and kept(box)]
        if 2 <= len(slots) <= MOST:
            break
    picture = _drawn(blocks, top, rng)
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.random()))
    return picture, [kind for kind, _ in slots], screen.boxes_in_view([box for _, box in slots], top, WINDOW)


def _blocks(rng: np.random.Generator) -> list[tuple[str, Box]]:
    """Return kinds and boxes of a page's blocks in slot order, pixels of the page; widgets are no slots."""
    found: list[tuple[str, Box]] = []
    y = int(rng.choice([133, 158, 158, 158, 163]))

    def add(kind: str, gap: int) -> None:
        nonlocal y
        height = int(np.interp(100 * rng.random(), _QUANTILES, _HEIGHTS[kind]))
        found.append((kind, (_LEFT, y, _RIGHT - 46 * (kind == "native_ad"), y + height)))
        y += height + gap

    if rng.random() < 0.6:
        add("dd_top", 17)
    for _ in range(int(rng.choice([0, 0, 0, 1, 2, 3, 4]))):
        add("native_ad", 27)
    for _ in range(int(rng.integers(7, 12))):
        if rng.random() < 0.25:
            add("widget", int(rng.integers(28, 40)))
        add("organic_result", int(rng.integers(30, 42)))
    for _ in range(int(rng.choice([0, 1, 2, 3, 3, 3]))):
        add("native_ad", 27)
    if rng.random() < 0.25:
        y = 158 if rng.random() < 0.8 else int(rng.integers(300, 800))
        height = int(np.interp(100 * rng.random(), _QUANTILES, _HEIGHTS["dd_right"]))
        found.append(("dd_right", (802, y, 1023 if rng.random() < 0.8 else 1134, y + height)))
    return found


class _Pen:
    """Draws invented words, links and photos on one window."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.image = Image.new("RGB", WINDOW, "white")
        self.draw = ImageDraw.Draw(self.image)
        self.rng = rng
        self.blue = tuple(int(v) for v in np.clip(np.array(_BLUE) + rng.integers(-12, 13, 3), 0, 255))
        self.address = _ADDRESSES[int(rng.integers(len(_ADDRESSES)))]
        self.words = " ".join(invent_name(rng).lower() for _ in range(60))

    def text(self, x: float, y: float, width: float, size: int, fill: tuple[int, ...], bold: bool = False) -> None:
        """Write words, up to ``width`` pixels."""
        if not -30 < y < WINDOW[1] or width < 12:
            return
        start, letters = int(self.rng.integers(len(self.words) // 2)), int(width / (0.54 * size))
        line = self.words[start : start + letters].strip().capitalize()
        for shift in range(1 + bold):
            self.draw.text((x + shift, y), line, fill, font=_font(size))

    def photo(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a few shapes on white or on a colour."""
        if x1 - x0 < 4 or y1 - y0 < 4 or y0 > WINDOW[1] or y1 < 0:
            return
        tile = Image.new("RGB", (int(x1 - x0), int(y1 - y0)), self._colour() if self.rng.random() < 0.4 else "white")
        draw = ImageDraw.Draw(tile)
        for _ in range(int(self.rng.integers(1, 5))):
            x, y, w, h = self.rng.random(4) * (0.6, 0.6, 0.6, 0.6) + (0, 0, 0.2, 0.2)
            shape = (x * tile.width, y * tile.height, (x + w) * tile.width, (y + h) * tile.height)
            (draw.ellipse if self.rng.random() < 0.5 else draw.rectangle)(shape, fill=self._colour())
        self.image.paste(tile, (int(x0), int(y0)))

    def _colour(self) -> tuple[int, ...]:
        return tuple(int(v) for v in self.rng.integers(0, 256, 3))

    def panel(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw a frame."""
        self.draw.rounded_rectangle((x0, y0, x1, max(y1, y0)), radius=8, outline=_LINE)


def _drawn(blocks: list[tuple[str, Box]], top: int, rng: np.random.Generator) -> Image.Image:
    pen = _Pen(rng)
    if top < 130:
        pen.text(24, 24 - top, 90, 21, (20, 120, 90), bold=True)
        pen.panel(144, 20 - top, 766, 66 - top)
        pen.text(172, 34 - top, 220, 15, _BLACK)
        pen.draw.line((0, 118 - top, WINDOW[0], 118 - top), fill=_LINE)
        pen.text(_LEFT, 128 - top, 240, 13, _GREY)
    for kind, (x0, y0, x1, y1) in blocks:
        if y1 - top >= 0 and y0 - top <= WINDOW[1]:
            {"dd_top": _products, "dd_right": _products, "widget": _widget}.get(kind, _result)(
                pen, kind, x0, y0 - top, x1, y1 - top
            )
    if rng.random() < 0.1:  # a panel at the right that is no slot
        y = int(rng.integers(-300, 500))
        pen.panel(820, y, 1180, y + 500)
        pen.photo(830, y + 10, 1170, y + 160)
        for line in range(14):
            pen.text(836, y + 175 + 22 * line, 330, 14, _GREY)
    return pen.image


def _result(pen: _Pen, kind: str, x0: float, y0: float, x1: float, y1: float) -> None:
    """Draw an organic result or an ad that looks like one."""
    rng, ad = pen.rng, kind == "native_ad"
    x, right = x0 + 24 * (not ad and rng.random() < 0.15), x1 - 10
    if not ad and rng.random() < 0.45:
        right = x1 - 110
        pen.photo(x1 - 90, y0 + 20, x1 - 4, min(y0 + 106, y1))
    if ad:
        pen.draw.text((x, y0), "Ad", _BLACK, font=_font(13))
    pen.text(x + 22 * ad, y0, min(right - x, rng.uniform(110, 260)), 13, pen.address)
    pen.text(x, y0 + 20, min(right - x, rng.uniform(220, 580)), 20, pen.blue)
    y = y0 + 50
    while y + 14 <= y1:
        kind_of_line = rng.random()
        if kind_of_line < 0.1:
            for left in range(int(x), int(x) + 70, 14):
                pen.draw.rectangle((left, y + 2, left + 9, y + 11), fill=(251, 188, 4))
            pen.text(x + 80, y, 220, 13, _GREY)
        elif kind_of_line < 0.15 and y1 - y > 60:
            pen.text(x + 24, y + 8, 230, 19, pen.blue)
            y += 22
        else:
            pen.text(x, y, (right - x) * rng.uniform(0.5, 1.0), 14, _GREY)
        y += 20


def _products(pen: _Pen, kind: str, x0: float, y0: float, x1: float, y1: float) -> None:
    """Draw product ads side by side, at the top or in rows at the right."""
    rng = pen.rng
    pen.text(x0, y0 + 3, 220, 15, _BLACK, bold=True)
    across = int(rng.integers(4, 6)) if kind == "dd_top" else max(1, round((x1 - x0) / 111))
    width, height = (x1 - x0) / across, y1 - y0 - 36 if kind == "dd_top" else float(rng.integers(180, 260))
    y = y0 + 34
    while y + 60 < y1:
        bottom, below = min(y + height, y1), min(y + min(0.5 * height, 130), y1)
        for x in x0 + width * np.arange(across):
            pen.panel(x + 2, y, x + width - 4, bottom - 2)
            pen.photo(x + 8, y + 6, x + width - 10, below)
            for n, row in enumerate(np.arange(below + 6, min(bottom - 14, below + 108), 18)):
                pen.text(x + 8, row, width - 18, 13, pen.blue if n < 2 else _BLACK if n == 2 else _GREY, n == 2)
        y += height


def _widget(pen: _Pen, kind: str, x0: float, y0: float, x1: float, y1: float) -> None:
    """Draw what is no slot: related questions, a pack of pictures, or places with a map."""
    rng, style = pen.rng, pen.rng.random()
    pen.text(x0, y0 + 4, 280, 19, _BLACK)
    if style < 0.45:
        for y in np.arange(y0 + 46, y1 - 20, 46):
            pen.draw.line((x0, y - 8, x1, y - 8), fill=_LINE)
            pen.text(x0, y, 360, 15, _BLACK)
    elif style < 0.85:
        x = x0
        while x < x1 - 60:
            width = int(rng.integers(60, 130))
            pen.photo(x, y0 + 40, min(x + width, x1), max(y0 + 44, y1 - 20))
            x += width + 6
    else:
        pen.photo(x0 + 220, y0 + 30, x1 + int(rng.choice([0, 70])), y1)
        for y in np.arange(y0 + 40, y1 - 14, 22):
            pen.text(x0, y, 190, 13, _GREY)
