"""Opening pictures, the one place where the suite decodes an image, whatever its format; words on drawn ones."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image as PilImage
from PIL import ImageFont as PilFont
from PIL import ImageOps, UnidentifiedImageError
from PIL.Image import Image
from PIL.ImageFont import FreeTypeFont, ImageFont

from tasks.errors import InputError

_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "MPO")
"""What is decoded: formats of pictures alone. Others are programs (EPS), whose pictures would be run."""

_ORIENTATION = 0x0112  # the tag of EXIF; from 5 on a picture lies on its side

JPEG_QUALITY = 90
JPEG_LIMIT = 65_500  # most pixels to a side
_EVEN = 3
"""Compression leaves this much between the darkest and the brightest value of a channel in a page of one colour."""


def decode(data: bytes, what: str) -> Image:
    """Return an encoded picture as RGB, the way up that it is meant to be seen.

    The first frame of an animation, turned as its EXIF orientation says; 16 bits and floating point scaled to 8 bits;
    transparent parts on white. Messages call the picture ``what``, such as ``the poster p.jpg``. InputError if it is
    not a complete picture.
    """
    with _opened(data, what) as picture:
        picture.load()
        return _on_white(ImageOps.exif_transpose(picture))


def measure(data: bytes, what: str) -> tuple[tuple[int, int], str]:
    """Return width and height of an encoded picture as :func:`decode` would turn it, and its format; no pixel is read.

    InputError if it does not begin as a picture does.
    """
    with _opened(data, what) as picture:
        width, height = picture.size
        # PNG is asked only where the mark is there: to look for it at the end of the file decodes everything.
        turned = (picture.format != "PNG" or "exif" in picture.info) and picture.getexif().get(_ORIENTATION, 1) >= 5
        return (height, width) if turned else (width, height), str(picture.format)


@contextmanager
def _opened(data: bytes, what: str) -> Iterator[Image]:
    """Open a picture of a format that may be decoded; InputError where that or what is done with it fails."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PilImage.DecompressionBombWarning)  # long pages are large
            with PilImage.open(io.BytesIO(data)) as picture:
                if picture.format not in _FORMATS:
                    raise UnidentifiedImageError
                yield picture
    except UnidentifiedImageError as error:
        raise InputError(f"{what} does not open: it is no picture of a known format. Replace the file.") from error
    except (OSError, ValueError, SyntaxError, PilImage.DecompressionBombError) as error:
        raise InputError(f"{what} does not open: {error}. Replace the file.") from error


def _on_white(picture: Image) -> Image:
    """Return a picture of any mode as RGB, what is transparent on white."""
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        picture = _eight_bits(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = PilImage.new("RGBA", picture.size, "white")
    return PilImage.alpha_composite(white, picture).convert("RGB")


def _eight_bits(picture: Image) -> Image:
    """Return a grey picture in 8 bits: integers run to 65535, floating point to 1 or, if a value is larger, to 255."""
    values = np.nan_to_num(np.asarray(picture, dtype=np.float64))
    full = 65535.0
    if picture.mode == "F":
        full = 1.0 if values.max(initial=0.0) <= 1.0 else 255.0
    return PilImage.fromarray(np.clip(np.rint(values * (255.0 / full)), 0, 255).astype(np.uint8))


COLOURS = ("blank", "black", "single-coloured")


def one_colour(picture: Image) -> str:
    """Return which of ``COLOURS`` an RGB picture is that shows one colour alone, or an empty text."""
    ranges = [(float(low), float(high)) for low, high in picture.getextrema()]  # type: ignore[misc]
    if any(high - low > _EVEN for low, high in ranges):
        return ""
    if all(low >= 255 - _EVEN for low, _ in ranges):
        return COLOURS[0]
    return COLOURS[1] if all(high <= _EVEN for _, high in ranges) else COLOURS[2]


def text_font(pixels: float) -> FreeTypeFont | ImageFont:
    """Return Pillow's own scalable font: no system font, so the pixels do not depend on the machine."""
    return PilFont.load_default(size=pixels)


def fitted(text: str, font: FreeTypeFont | ImageFont, width: float) -> str:
    """Return ``text``, shortened with an ellipsis if it would be wider than ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip(" ,.:-") + "…" if text else ""


def fit_factor(size: tuple[int, int], within: tuple[int, int] | None) -> float:
    """Return the factor, at most 1, that makes an image fit in the given width and height."""
    if within is None:
        return 1.0
    return min(1.0, within[0] / size[0], within[1] / size[1])


def encode(image: Image) -> bytes:
    """Return the image as JPEG, or as PNG if it is taller than JPEG allows."""
    buffer = io.BytesIO()
    if max(image.size) > JPEG_LIMIT:
        image.save(buffer, format="PNG", compress_level=6)
    else:
        image.save(buffer, format="JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()
