"""Film posters: picture files cropped to the published shape, and drawn ones for films without a file.

A drawn poster shows the film's first known genre by its colour and by a large motif (a heart, a rocket, ...), its
second one by a small motif in a corner, and title, year and genres in words where there is room for letters. So the
pixels tell what the film is, at sizes at which a word could not be read. Colour, pattern and motif vary a little from
film to film, by a digest of title and year: the same film is always drawn the same.
"""

import colorsys
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image as PilImage
from PIL import ImageDraw as PilDraw
from PIL import ImageOps
from PIL.Image import Image
from PIL.ImageDraw import ImageDraw

from tasks.pictures import decode, fitted, text_font
from tasks.types import ScreenImage

Colour = tuple[int, int, int]
Point = tuple[float, float]

GENRES = ("Action", "Animation", "Comedy", "Crime", "Drama", "Fantasy", "Horror", "Romance", "Sci-Fi", "Thriller")

# The files write some genres in two ways.
_SPELLINGS = {"comedies": "Comedy", "dramas": "Drama", "science fiction": "Sci-Fi", "scifi": "Sci-Fi"}
_SPELLINGS |= {genre.lower(): genre for genre in GENRES}

_OVERSAMPLING = 4  # shapes are drawn this much larger and averaged down: smooth edges
_TEXT_FROM = 44  # poster height in pixels from which a line of text can be read
_TWO_LINES_FROM = 80


class _Look(NamedTuple):
    """How a genre looks: the ground, the motif's colour and a second colour for its details."""

    ground: Colour
    ink: Colour
    detail: Colour


_LOOKS = {
    "Action": _Look((222, 78, 18), (255, 226, 92), (255, 146, 28)),
    "Animation": _Look((24, 176, 226), (255, 255, 255), (226, 64, 120)),
    "Comedy": _Look((252, 206, 24), (58, 40, 16), (252, 206, 24)),
    "Crime": _Look((22, 52, 128), (232, 238, 252), (96, 150, 232)),
    "Drama": _Look((128, 84, 52), (246, 232, 208), (86, 52, 28)),
    "Fantasy": _Look((28, 132, 62), (240, 248, 240), (240, 196, 60)),
    "Horror": _Look((96, 4, 18), (240, 236, 226), (24, 2, 6)),
    "Romance": _Look((248, 142, 186), (208, 14, 66), (255, 224, 236)),
    "Sci-Fi": _Look((92, 42, 178), (232, 236, 248), (255, 120, 60)),
    "Thriller": _Look((150, 160, 168), (22, 26, 32), (204, 24, 32)),
}
_UNKNOWN = _Look((78, 84, 92), (214, 218, 224), (120, 126, 136))


def canonical_genre(name: str) -> str | None:
    """Return the genre as ``GENRES`` writes it (``Comedies`` -> ``Comedy``), or None if it is not one of the ten."""
    return _SPELLINGS.get(name.strip().lower())


def known_genres(names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that are among the ten genres, canonical, in order, without repetition."""
    found = (canonical_genre(name) for name in names)
    return tuple(dict.fromkeys(genre for genre in found if genre is not None))


def read_poster(path: Path) -> Image:
    """Return a poster file as an RGB image; InputError if it cannot be read or is not an image."""
    return decode(ScreenImage(path=path).encoded(), f"the poster {path}")


def open_poster(path: Path, size: tuple[int, int]) -> Image:
    """Return a poster as :func:`read_poster` does, cropped at its centre to fill ``size`` (width, height)."""
    return ImageOps.fit(read_poster(path), size, PilImage.Resampling.LANCZOS)


def draw_poster(title: str, year: str, genres: Sequence[str], size: tuple[int, int]) -> Image:
    """Draw a poster from words alone, RGB, ``size`` (width, height) in pixels; the same arguments give the same pixels.

    The first of ``genres`` is shown; names outside the ten appear only in words. ``year`` may be empty.
    """
    width, height = size
    known = known_genres(genres)
    look, motif = (_LOOKS[known[0]], _MOTIFS[known[0]]) if known else (_UNKNOWN, _film_reel)
    mark = hashlib.sha256(f"{title}\n{year}".encode()).digest()
    ground = _shifted(look.ground, hue=(mark[0] / 255 - 0.5) * 0.022, value=0.92 + 0.16 * mark[1] / 255)

    big = PilImage.new("RGB", (width * _OVERSAMPLING, height * _OVERSAMPLING), ground)
    draw = PilDraw.Draw(big)
    _pattern(draw, big.size, _shifted(ground, hue=0.0, value=0.88), mark[2])
    strip = _strip_height(height)
    room = (height - strip) * _OVERSAMPLING
    side = 0.46 * room * (0.94 + 0.12 * mark[3] / 255)
    centre = (big.width * (0.34 + 0.14 * mark[4] / 255), room * 0.5)
    motif(_Pen(draw, centre, side, mirrored=mark[5] > 127), look)  # a reel is the same in a mirror
    if len(known) > 1:
        _badge(draw, known[1], centre=(big.width - 0.24 * room, 0.26 * room), radius=0.21 * room)
    poster: Image = big.resize(size, PilImage.Resampling.BOX)
    if strip:
        _caption(poster, title, year, genres, strip)
    return poster


def _strip_height(height: int) -> int:
    """Height in pixels of the caption at the foot of a poster; 0 where no letter could be read."""
    if height < _TEXT_FROM:
        return 0
    return round(height * (0.36 if height >= _TWO_LINES_FROM else 0.23))


def _caption(poster: Image, title: str, year: str, genres: Sequence[str], strip: int) -> None:
    """Write title, year and genres on a dark strip at the foot of the poster."""
    width, height = poster.size
    draw = PilDraw.Draw(poster)
    top = height - strip
    draw.rectangle((0, top, width, height), fill=(46, 46, 50))
    pad = max(2, width // 40)
    if height < _TWO_LINES_FROM:
        font = text_font(strip * 0.8)
        year_width = font.getlength(year) + pad if year else 0.0
        line = fitted(title, font, width - 2 * pad - year_width)
        draw.text((pad, top + strip / 2), line, fill=(255, 255, 255), font=font, anchor="lm")
        draw.text((width - pad, top + strip / 2), year, fill=(190, 190, 190), font=font, anchor="rm")
        return
    font = text_font(strip * 0.42)
    draw.text((pad, top + strip * 0.29), fitted(title, font, width - 2 * pad), (255, 255, 255), font=font, anchor="lm")
    small = text_font(strip * 0.31)
    words = " · ".join(part for part in (year, ", ".join(genres)) if part)
    draw.text((pad, top + strip * 0.74), fitted(words, small, width - 2 * pad), (190, 190, 190), small, anchor="lm")


def _shifted(colour: Colour, hue: float, value: float) -> Colour:
    """Return the colour with its hue (0..1) moved by ``hue`` and its value multiplied by ``value``."""
    h, s, v = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    r, g, b = colorsys.hsv_to_rgb((h + hue) % 1.0, s, min(1.0, v * value))
    return round(r * 255), round(g * 255), round(b * 255)


def _pattern(draw: ImageDraw, size: tuple[int, int], colour: Colour, choice: int) -> None:
    """Cover the ground with one of four quiet patterns, so that two posters of a genre differ."""
    width, height = size
    step = height // 5
    kind = choice % 4
    if kind == 0:  # slanted bars
        for x in range(-height, width, 2 * step):
            draw.polygon([(x, height), (x + step, height), (x + step + height, 0), (x + height, 0)], fill=colour)
    elif kind == 1:  # dots
        for row in range(6):
            for x in range((row % 2) * step // 2, width + step, step):
                draw.ellipse((x - step / 6, row * step - step / 6, x + step / 6, row * step + step / 6), fill=colour)
    elif kind == 2:  # a low horizon
        draw.rectangle((0, height * 0.55, width, height), fill=colour)
    else:  # a disc behind the motif
        draw.ellipse((width / 2 - height / 2, 0, width / 2 + height / 2, height), fill=colour)


class _Pen:
    """Draws in the motif's own coordinates: x to the right and y down, both from -1 to 1."""

    def __init__(self, draw: ImageDraw, centre: Point, side: float, mirrored: bool) -> None:
        self._draw = draw
        self._centre = centre
        self._side = side
        self._flip = -1.0 if mirrored else 1.0

    def _at(self, x: float, y: float) -> Point:
        return self._centre[0] + self._flip * x * self._side, self._centre[1] + y * self._side

    def shape(self, points: Sequence[Point], fill: Colour) -> None:
        self._draw.polygon([self._at(x, y) for x, y in points], fill=fill)

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Colour) -> None:
        cx, cy = self._at(x, y)
        self._draw.ellipse(
            (cx - rx * self._side, cy - ry * self._side, cx + rx * self._side, cy + ry * self._side), fill
        )

    def ring(self, x: float, y: float, r: float, width: float, colour: Colour) -> None:
        cx, cy = self._at(x, y)
        r *= self._side
        self._draw.ellipse((cx - r, cy - r, cx + r, cy + r), outline=colour, width=round(width * self._side))

    def stroke(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        self._draw.line([self._at(x, y) for x, y in points], colour, round(width * self._side), joint="curve")

    def smile(self, x: float, y: float, r: float, width: float, colour: Colour, down: bool = False) -> None:
        cx, cy = self._at(x, y)
        r *= self._side
        start, end = (200, 340) if down else (20, 160)
        self._draw.arc((cx - r, cy - r, cx + r, cy + r), start, end, colour, round(width * self._side))


def _flame(pen: _Pen, look: _Look) -> None:
    """Action: a flame in a flame."""
    outer = [(-0.05, -1.05), (0.3, -0.5), (0.46, -0.72), (0.78, 0.1), (0.7, 0.62), (0.38, 1.0)]
    outer += [(-0.38, 1.0), (-0.74, 0.6), (-0.74, 0.06), (-0.5, -0.36), (-0.34, -0.1), (-0.2, -0.5)]
    pen.shape(outer, look.ink)
    pen.shape(
        [(0.02, -0.28), (0.34, 0.26), (0.3, 0.7), (0.0, 0.98), (-0.3, 0.7), (-0.34, 0.34), (-0.1, 0.14)], look.detail
    )


def _star(pen: _Pen, look: _Look) -> None:
    """Animation: a star with a face."""
    star = [(0.0, -1.08), (0.29, -0.36), (1.03, -0.34), (0.46, 0.14), (0.64, 0.88)]
    star += [(0.0, 0.46), (-0.64, 0.88), (-0.46, 0.14), (-1.03, -0.34), (-0.29, -0.36)]
    pen.shape(star, look.ink)
    pen.oval(-0.19, -0.14, 0.09, 0.14, look.detail)
    pen.oval(0.19, -0.14, 0.09, 0.14, look.detail)
    pen.smile(0.0, 0.06, 0.26, 0.11, look.detail)


def _laughing_mask(pen: _Pen, look: _Look) -> None:
    """Comedy: a laughing mask."""
    pen.oval(0.0, 0.0, 1.0, 0.98, look.ink)
    for side in (-1, 1):
        pen.shape([(side * 0.62, -0.2), (side * 0.38, -0.48), (side * 0.14, -0.2), (side * 0.38, -0.3)], look.detail)
    pen.shape([(-0.68, 0.08), (0.68, 0.08), (0.52, 0.5), (0.22, 0.72), (-0.22, 0.72), (-0.52, 0.5)], look.detail)


def _magnifier(pen: _Pen, look: _Look) -> None:
    """Crime: a magnifying glass."""
    pen.stroke([(0.2, 0.2), (0.92, 0.92)], 0.3, look.ink)
    pen.oval(-0.24, -0.24, 0.72, 0.72, look.detail)
    pen.ring(-0.24, -0.24, 0.78, 0.2, look.ink)
    pen.stroke([(-0.58, -0.3), (-0.42, -0.52), (-0.2, -0.6)], 0.1, look.ink)


def _drop(pen: _Pen, look: _Look) -> None:
    """Drama: a tear."""
    pen.oval(0.0, 0.34, 0.66, 0.66, look.ink)
    pen.shape([(0.0, -1.08), (0.58, 0.02), (0.62, 0.34), (-0.62, 0.34), (-0.58, 0.02)], look.ink)
    pen.smile(0.0, 0.72, 0.36, 0.13, look.detail, down=True)


def _sword(pen: _Pen, look: _Look) -> None:
    """Fantasy: an upright sword."""
    pen.shape([(0.0, -1.08), (0.17, -0.84), (0.17, 0.4), (-0.17, 0.4), (-0.17, -0.84)], look.ink)
    pen.shape([(-0.72, 0.3), (0.72, 0.3), (0.72, 0.54), (-0.72, 0.54)], look.detail)
    pen.shape([(-0.12, 0.5), (0.12, 0.5), (0.12, 0.9), (-0.12, 0.9)], look.detail)
    pen.oval(0.0, 0.96, 0.2, 0.16, look.detail)


def _skull(pen: _Pen, look: _Look) -> None:
    """Horror: a skull."""
    pen.oval(0.0, -0.22, 0.84, 0.78, look.ink)
    pen.shape([(-0.48, 0.2), (0.48, 0.2), (0.42, 0.96), (-0.42, 0.96)], look.ink)
    pen.oval(-0.36, -0.14, 0.24, 0.27, look.detail)
    pen.oval(0.36, -0.14, 0.24, 0.27, look.detail)
    pen.shape([(0.0, 0.14), (0.13, 0.4), (-0.13, 0.4)], look.detail)
    for x in (-0.2, 0.0, 0.2):
        pen.stroke([(x, 0.62), (x, 0.96)], 0.08, look.detail)


def _heart(pen: _Pen, look: _Look) -> None:
    """Romance: a heart."""
    pen.oval(-0.46, -0.36, 0.52, 0.52, look.ink)
    pen.oval(0.46, -0.36, 0.52, 0.52, look.ink)
    pen.shape([(-0.94, -0.14), (0.0, -0.36), (0.94, -0.14), (0.0, 1.0)], look.ink)
    pen.oval(-0.52, -0.5, 0.16, 0.16, look.detail)


def _rocket(pen: _Pen, look: _Look) -> None:
    """Sci-Fi: a rocket."""
    pen.shape([(-0.28, 0.5), (0.28, 0.5), (0.0, 1.12)], look.detail)
    pen.shape([(-0.36, 0.0), (-0.8, 0.66), (-0.3, 0.56)], look.detail)
    pen.shape([(0.36, 0.0), (0.8, 0.66), (0.3, 0.56)], look.detail)
    pen.oval(0.0, -0.22, 0.42, 0.86, look.ink)
    pen.shape([(-0.4, -0.1), (0.4, -0.1), (0.32, 0.62), (-0.32, 0.62)], look.ink)
    pen.oval(0.0, -0.32, 0.2, 0.2, look.detail)


def _knife(pen: _Pen, look: _Look) -> None:
    """Thriller: a slanted knife and its drop of blood."""
    pen.shape([(-0.98, 0.52), (-0.66, 0.86), (-0.08, 0.34), (-0.4, 0.02)], look.detail)
    pen.shape([(-0.4, 0.02), (0.96, -0.98), (0.78, -0.36), (-0.08, 0.34)], look.ink)
    pen.oval(0.66, 0.62, 0.2, 0.2, look.detail)
    pen.shape([(0.66, 0.14), (0.84, 0.56), (0.48, 0.56)], look.detail)


def _film_reel(pen: _Pen, look: _Look) -> None:
    """A film of none of the ten genres: a reel."""
    pen.oval(0.0, 0.0, 1.0, 1.0, look.ink)
    for x, y in ((0.0, -0.55), (0.52, -0.17), (0.32, 0.45), (-0.32, 0.45), (-0.52, -0.17)):
        pen.oval(x, y, 0.24, 0.24, look.detail)


_MOTIFS: dict[str, Callable[[_Pen, _Look], None]] = {
    "Action": _flame,
    "Animation": _star,
    "Comedy": _laughing_mask,
    "Crime": _magnifier,
    "Drama": _drop,
    "Fantasy": _sword,
    "Horror": _skull,
    "Romance": _heart,
    "Sci-Fi": _rocket,
    "Thriller": _knife,
}


def _badge(draw: ImageDraw, genre: str, centre: Point, radius: float) -> None:
    """Show a second genre: its motif on a disc of its colour with a white rim."""
    look = _LOOKS[genre]
    x, y = centre
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=look.ground, outline=(255, 255, 255), width=6)
    _MOTIFS[genre](_Pen(draw, centre, radius * 0.6, mirrored=False), look)
