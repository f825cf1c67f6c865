"""Fictional result pages for the simulated sample: what is on them, where it is, and how it is drawn.

A page has the measures of the recorded ones (1280 pixels wide, results from x = 162 to 748), results whose
titles show how well they answer the query, and text or product ads that are marked as such. Engine, shops and
products are invented.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont
from PIL.Image import Image
from PIL.ImageDraw import ImageDraw as Draw

from tasks.adserp.trial import SCREEN_WIDTH
from tasks.types import Box

LEFT, RIGHT = 162, 748
_TITLE = (26, 13, 171)
_TEXT = (77, 81, 86)
_BRANDS = ("Orvane", "Tullik", "Brennor", "Savari", "Quillo", "Nordal", "Pexam", "Ilvere", "Kastwell", "Mirando")
_NOUNS = (
    "balance beam", "tea kettle", "bike pump", "desk lamp", "rain jacket", "oil filter", "yoga mat", "hand mixer",
    "door lock", "fuel pump", "wall clock", "tool box", "snow shovel", "fish tank", "bread knife", "camp stove",
)  # fmt: skip
_SHOPS = ("Halvmart", "Cornershelf", "Depotella", "Trovaro", "Unibasar", "Kistenhof", "Fairlager", "Omnivend")
_SNIPPETS = (
    "Free returns within thirty days and delivery in two to four working days.",
    "Compare prices, read what others say and find the version that suits you.",
    "In stock and ready to ship, with spare parts and a two-year guarantee.",
    "Everything you need to know before you buy, tested by our editors.",
    "Shop the full range online or pick your order up at a store near you.",
    "Sizes, weights and materials at a glance, with photos from customers.",
)


@dataclass(frozen=True, slots=True)
class Item:
    """A result or an ad: ``relevance`` (0..1) says how well it answers the query, and the title shows it."""

    kind: str
    box: Box
    title: str
    relevance: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A result page; ``items`` in slot order, ``widgets`` are boxes of parts that are not slots."""

    name: str
    query: str
    height: int
    items: tuple[Item, ...]
    widgets: tuple[Box, ...]


def make_page(name: str, number: int, rng: np.random.Generator) -> Page:
    """Return the ``number``-th page; every number below 160 has a query of its own."""
    brand = _BRANDS[number % len(_BRANDS)]
    noun = _NOUNS[(number // len(_BRANDS) * 5 + number) % len(_NOUNS)]
    model = f"{brand[0]}{100 + 7 * number}"
    items: list[Item] = []
    y = 158

    def place(kind: str, height: int, width: int, title: str, relevance: float, lines: tuple[str, ...] = ()) -> None:
        nonlocal y
        items.append(Item(kind, (LEFT, y, LEFT + width, y + height), title, relevance, lines))
        y += height + 30

    def text_ad() -> None:
        shop = str(rng.choice(_SHOPS))
        title = f"{brand} {noun}s at {shop} - low prices" if rng.random() < 0.6 else f"{shop}: {noun}s on sale today"
        lines = tuple(rng.choice(_SNIPPETS, size=int(rng.integers(1, 3)), replace=False))
        place("native_ad", 62 + 20 * len(lines), 540, title, 0.8 if brand in title else 0.5, lines)

    if rng.random() < 0.4:
        place("dd_top", 230, 587, f"Shop {brand} {noun}s", 0.7)
    for _ in range(int(rng.integers(0, 4))):
        text_ad()
    for _ in range(int(rng.integers(8, 11))):
        shop, fit = str(rng.choice(_SHOPS)), rng.random()
        if fit < 0.35:
            title, relevance = f"{brand} {model} {noun} - {shop}", 1.0
        elif fit < 0.7:
            title, relevance = f"{brand} {noun}s and more | {shop}", 0.6
        else:
            title, relevance = f"The ten best {noun}s compared - {shop}", 0.25
        lines = tuple(rng.choice(_SNIPPETS, size=int(rng.integers(2, 4)), replace=False))
        place("organic_result", 62 + 20 * len(lines), RIGHT - LEFT, title, relevance, lines)
    for _ in range(int(rng.integers(0, 3))):
        text_ad()
    widgets = ((LEFT, y, RIGHT, y + 130), (LEFT, y + 150, RIGHT, y + 200))
    if rng.random() < 0.25:
        box = (802, 158, 1023, 158 + int(rng.integers(2, 5)) * 180)
        items.append(Item("dd_right", box, f"Shop now: {brand} {noun}s", 0.6))
    return Page(name, f"buy {brand} {model} {noun}".lower(), y + 280, tuple(items), widgets)


def draw_page(page: Page) -> Image:
    """Return the drawn page, 1280 pixels wide, as a pure function of its content."""
    image = PilImage.new("RGB", (SCREEN_WIDTH, page.height), "white")
    draw = ImageDraw.Draw(image)
    small, text, title = (ImageFont.load_default(size) for size in (13, 14, 19))

    def write(x: float, y: float, words: str, font: object, fill: object) -> None:
        draw.text((x, y), words, font=font, fill=fill)  # type: ignore[arg-type]

    write(24, 28, "lupina", ImageFont.load_default(30), (20, 120, 90))
    draw.rounded_rectangle((144, 22, 766, 66), radius=22, outline=(200, 200, 200), width=2)
    write(172, 35, page.query, text, (32, 33, 36))
    draw.line((0, 118, SCREEN_WIDTH, 118), fill=(235, 235, 235))
    write(LEFT, 130, "About 83,600 results (simulated page)", small, (112, 117, 122))
    for item in page.items:
        x0, y0, x1, _ = item.box
        if item.kind.startswith("dd_"):
            write(x0, y0 + 4, f"Ads - {item.title}", text, (32, 33, 36))
            _draw_products(draw, item, text)
            continue
        if item.kind == "native_ad":
            for shift in (0, 1):
                write(x0 + shift, y0 + 2, "Ad", small, (0, 0, 0))
        shop = item.title.split(" - ")[-1].split(" | ")[-1].split(":")[0].split(" ")[0].lower()
        write(x0 + 24 * (item.kind == "native_ad"), y0 + 2, f"https://www.{shop}.example", small, (32, 33, 36))
        write(x0, y0 + 24, item.title, title, _TITLE)
        for row, line in enumerate(item.lines):
            write(x0, y0 + 56 + 20 * row, line, text, _TEXT)
    for number, box in enumerate(page.widgets):
        draw.rounded_rectangle(box, radius=18, fill=(241, 243, 244))
        write(box[0] + 24, box[1] + 14, ("Related searches", "1  2  3  4  5   Next")[number], text, _TEXT)
    return image


def _draw_products(draw: Draw, item: Item, font: object) -> None:
    """Draw the cards of a product ad: side by side at the top of the page, two columns at the right."""
    x0, y0, x1, y1 = (int(value) for value in item.box)
    across, down = (4, 1) if item.kind == "dd_top" else (2, (y1 - y0 - 30) // 165)
    width, height = (x1 - x0) // across, (y1 - y0 - 30) // max(down, 1)
    for number in range(across * down):
        x, y = x0 + number % across * width, y0 + 30 + number // across * height
        draw.rounded_rectangle((x + 2, y + 2, x + width - 6, y + height - 6), radius=8, outline=(218, 220, 224))
        shade = (60 + 37 * number % 150, 90 + 53 * number % 140, 160)
        draw.ellipse((x + 24, y + 14, x + width - 28, y + height - 70), fill=shade)
        words = item.title.rpartition(":")[2].replace("Shop ", "").split()
        draw.text((x + 10, y + height - 60), " ".join(words[:2])[:15], font=font, fill=_TITLE)  # type: ignore[arg-type]
        draw.text((x + 10, y + height - 36), f"{19 + 13 * number}.95", font=font, fill=_TEXT)  # type: ignore[arg-type]
