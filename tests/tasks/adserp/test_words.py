"""Texts of results: what becomes of Tesseract's words, the cache, and the engine itself where it is installed."""

import dataclasses
import io
import json
import os
import sys
from types import SimpleNamespace

import pytest
from PIL import Image, ImageDraw, ImageFont

from tasks.adserp import ADSERP, words
from tasks.adserp.trial import Area
from tasks.adserp.words import Engine, engine, texts_of
from tasks.definition import ReadOptions, quiet
from tasks.errors import InputError
from tasks.types import ScreenImage


def table(*rows):
    """Columns as Tesseract gives them, from (line, text, conf, left, top, height) rows; words are 40 pixels wide."""
    names = ("line_num", "text", "conf", "left", "top", "height")
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    return {**columns, "width": [40] * len(rows), "block_num": [1] * len(rows), "par_num": [1] * len(rows)}


def test_lines_come_title_first_and_words_by_their_middle():
    found = texts_of(
        table(
            (1, "shop.example", 90, 0, 0, 10),
            (2, "Red", 90, 0, 15, 18),
            (2, "kettles", 90, 50, 15, 18),
            (2, "aside", 90, 90, 15, 18),  # its middle is in the second box
            (3, "|", 95, 0, 36, 60),
            (3, "cheap\x07", 90, 50, 36, 10),
            (3, "uncertain", 12, 80, 36, 10),
            (3, "www.it.example", 12, 80, 36, 10),  # addresses are hard to read
            (5, "Large", 90, 0, 60, 40),  # one word is not a title while there are others
            (4, "outside", 90, 0, 400, 10),
            (4, "", -1, 0, 0, 300),
        ),
        [(0, 0, 100, 100), (100, 0, 200, 100), (0, 200, 100, 300)],
    )
    assert found == ["Red kettles | shop.example | cheap www.it.example | Large", "aside", ""]


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """An engine that reads one word and counts how often it is asked."""
    monkeypatch.setenv("GAZEBENCH_CACHE", str(tmp_path / "cache"))
    asked = []

    def read(image, config, timeout, output_type):
        asked.append((image.getpixel((10, 10)), image.getpixel((30, 30))))
        return table((1, "kettle", 90, 0, 5, 10))

    stub = SimpleNamespace(get_tesseract_version=lambda: "9.9", image_to_data=read, Output=SimpleNamespace(DICT="dict"))
    monkeypatch.setitem(sys.modules, "pytesseract", stub)
    return asked


def shown(trial, image, *areas):
    """A trial with areas on a picture."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return dataclasses.replace(trial, areas=areas, page=None, screenshot=ScreenImage(data=buffer.getvalue()))


def test_texts_are_read_once_a_picture_from_the_boxes_alone(fake, make_trial, tmp_path):
    page, box = Image.new("RGB", (60, 60)), (0, 0, 25, 25)
    trial = shown(make_trial([]), page, Area("native_ad", box, ""), Area("dd_top", (0, 26, 25, 28), "known"))
    for _ in range(2):
        assert [area.text for area in Engine("9.9").filled(trial).areas] == ["kettle", "known"]
    assert fake == [(0, 255)]  # inside a box as it was, outside white
    [file] = (tmp_path / "cache" / "texts").iterdir()
    file.write_text("[1")  # a damaged file is read again
    Engine("9.9").filled(trial)
    Engine("10").filled(trial)
    assert len(fake) == 3 and json.loads(file.read_text()) == ["kettle", ""]
    named = shown(make_trial([]), page, Area("native_ad", box, "all known"))
    assert Engine("9.9").filled(named) is named and len(fake) == 3


def test_when_the_engine_is_asked(fake, monkeypatch):
    with engine(None) as found, engine(False) as none:
        assert found == Engine("9.9") and none is None and os.environ["OMP_THREAD_LIMIT"] == "1"
    assert "OMP_THREAD_LIMIT" not in os.environ
    monkeypatch.setattr(words, "_version", lambda: "")
    with engine(None) as found:
        assert found is None
    with pytest.raises(InputError, match="Tesseract is not installed.*pip install pytesseract"), engine(True):
        pass


def test_the_card_says_where_texts_come_from(fake, monkeypatch, replay_folder):
    monkeypatch.setattr(words, "texts_of", lambda read, boxes: ["Kettles", *[""] * (len(boxes) - 1)])
    folder, options = replay_folder(), ReadOptions(images=False)
    read = ADSERP.read(folder, dataclasses.replace(options, texts=None), quiet)
    assert [slot.text for slot in read.sessions[0].slots][0] == "Kettles"
    assert read.notes[-1].startswith("texts in 1 of 4 slots, read from the screenshots by Tesseract 9.9")
    for unread in (options, dataclasses.replace(options, texts=None, check=True)):
        assert ADSERP.read(folder, unread, quiet).notes[-1].startswith("no texts: prepare --texts")


def test_tesseract_reads_a_drawn_title(make_trial, monkeypatch, tmp_path):
    pytest.importorskip("pytesseract")
    if not words._version():
        pytest.skip("Tesseract is not installed")
    monkeypatch.setenv("GAZEBENCH_CACHE", str(tmp_path))
    image = Image.new("RGB", (600, 120), "white")
    draw = ImageDraw.Draw(image)
    draw.text((10, 10), "www.shop.example", "black", ImageFont.load_default(16))
    draw.text((10, 40), "Copper kettles for tea", "black", ImageFont.load_default(28))
    trial = shown(make_trial([]), image, Area("organic_result", (0, 0, 599, 119), ""))
    with engine(True) as found:
        [area] = found.filled(trial).areas
    assert area.text.split(" | ") == ["Copper kettles for tea", "www.shop.example"]
