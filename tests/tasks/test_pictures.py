from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.errors import InputError
from tasks.pictures import decode, measure, one_colour

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)
CASES = Path(__file__).parents[2] / ".." / "shared" / "cases"


def encoded(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    data = io.BytesIO()
    picture.save(data, format=kind, **options)
    return data.getvalue()


def corners(data: bytes) -> list[tuple[int, ...]]:
    """Left and right pixel of the first row."""
    picture = decode(data, "the picture")
    assert picture.mode == "RGB"
    return [picture.getpixel((0, 0)), picture.getpixel((picture.width - 1, 0))]


def two(mode: str, left: object, right: object) -> Image.Image:
    picture = Image.new(mode, (2, 1))
    picture.putpixel((0, 0), left)
    picture.putpixel((1, 0), right)
    return picture


@pytest.mark.parametrize(("dtype", "kind"), [(np.uint16, "PNG"), (np.int32, "TIFF")])
def test_sixteen_bits_keep_their_greys(dtype, kind):
    data = encoded(Image.fromarray(np.array([[0, 257 * 100]], dtype=dtype)), kind)
    assert corners(data) == [(0, 0, 0), (100, 100, 100)]


def test_floating_point():
    for full in (1.0, 255.0):
        picture = Image.fromarray(np.array([[0.0, full]], dtype=np.float32))
        assert corners(encoded(picture, "TIFF")) == [(0, 0, 0), WHITE]


def test_what_is_transparent_is_white():
    assert corners(encoded(two("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)))) == [RED, WHITE]
    assert corners(encoded(two("LA", (0, 255), (0, 0)))) == [(0, 0, 0), WHITE]
    assert corners(encoded(two("RGBA", (0, 0, 0, 128), (0, 0, 0, 0))))[0] == (127, 127, 127)
    palette = Image.new("P", (2, 1))
    palette.putpalette([*RED, *GREEN])
    palette.putpixel((1, 0), 1)
    assert corners(encoded(palette)) == [RED, GREEN]
    assert corners(encoded(palette, transparency=1)) == [RED, WHITE]
    assert corners(encoded(two("RGB", RED, GREEN), transparency=GREEN)) == [RED, WHITE]


def test_the_exif_orientation_turns_the_picture():
    picture = Image.new("RGB", (40, 20), "white")
    picture.paste((0, 0, 0), (0, 0, 20, 20))  # dark on the left
    for orientation, place in ((1, (5, 10)), (3, (35, 10)), (6, (10, 5)), (8, (10, 35))):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = encoded(picture, "JPEG", exif=exif, quality=95)
        turned = decode(data, "it")
        assert turned.size == ((40, 20) if orientation in (1, 3) else (20, 40))
        assert measure(data, "it") == (turned.size, "JPEG")
        assert measure(encoded(picture, exif=exif), "it") == (decode(encoded(picture, exif=exif), "it").size, "PNG")
        assert max(turned.getpixel(place)) < 40


def test_cmyk_and_the_first_frame_of_an_animation():
    assert np.allclose(decode(encoded(Image.new("CMYK", (8, 8)), "JPEG"), "it"), 255, atol=3)
    frames = [Image.new("RGB", (2, 1), colour) for colour in (RED, GREEN)]
    assert corners(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [RED, RED]


@pytest.mark.parametrize("data", [b"", b"not a picture", encoded(Image.new("RGB", (50, 50), RED))[:-60]])
def test_what_is_no_picture_is_refused_by_name(data):
    with pytest.raises(InputError, match="the poster p.png does not open: .*Replace the file"):
        decode(data, "the poster p.png")


def test_a_picture_that_would_be_a_program_is_not_run():
    for read in (decode, measure):
        with pytest.raises(InputError, match="it does not open: it is no picture of a known format"):
            read(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "it")


def test_a_long_page_opens_without_a_warning():
    assert decode(encoded(Image.new("L", (1280, 72_000))), "it").size == (1280, 72_000)


def test_pictures_of_one_colour():
    assert one_colour(Image.new("RGB", (9, 9), "white")) == "blank"
    assert one_colour(Image.new("RGB", (9, 9))) == "black"
    assert one_colour(Image.new("RGB", (9, 9), (90, 0, 0))) == "single-coloured"
    assert one_colour(two("RGB", WHITE, (250, 250, 250))) == ""


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_the_cases():
    grey = decode((CASES / "17" / "gray16.png").read_bytes(), "it")
    assert grey.getextrema()[0] == (10, 236)
    assert decode((CASES / "19" / "exif6.jpg").read_bytes(), "it").size == (193, 342)
