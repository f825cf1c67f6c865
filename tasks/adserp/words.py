"""Texts of results, read from the screenshot by Tesseract, an option (package ``tesseract-ocr``, extra ``ocr``).

A page is read once, whatever task it is for: everything outside the boxes is painted white, every word belongs to the
first box that contains its middle, and the texts are kept in the cache, by the picture, the boxes and the engine.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from tasks.adserp.trial import Trial
from tasks.errors import InputError, clean
from tasks.storage import cache_root, write_errors

INSTALL = "install the package tesseract-ocr of your system and pip install pytesseract"

SURE = 30.0
"""Words that the engine is less sure of, of 100, are left out, except addresses: most are parts of pictures."""

_HOW = "--psm 6"  # one block of lines; on result pages as good as finding blocks, and faster
_VERSION = 1  # of how texts are made from what the engine says
_WORD = re.compile(r"[^\W\d_]{3,}")
_ADDRESS = re.compile(r"[\w-]{2,}\.[a-z]{2,}")
_MARKS = re.compile(r"[^\w&€$£-]+")  # what frames of pictures are read as
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Engine:
    """Tesseract, as it is installed here."""

    version: str

    def filled(self, trial: Trial) -> Trial:
        """Return the trial with a text for every area that has none; empty where nothing can be read.

        InputError if the screenshot does not open, the engine fails on it, or the cache cannot be written.
        """
        if all(area.text for area in trial.areas):
            return trial
        boxes = [area.box for area in trial.areas]
        key = json.dumps([trial.screenshot.digest(), boxes, self.version, _HOW, _VERSION])
        path = cache_root() / "texts" / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
        texts = _kept(path, len(boxes))
        if texts is None:
            texts = texts_of(self._words(trial), boxes)
            _keep(path, texts)
        areas = [replace(area, text=area.text or text) for area, text in zip(trial.areas, texts, strict=True)]
        return replace(trial, areas=tuple(areas))

    def _words(self, trial: Trial) -> Mapping[str, Sequence[Any]]:
        """Return the words of the boxes' pixels, as columns of Tesseract's table."""
        import pytesseract

        page = (trial.page or trial.screenshot.open()).convert("L")
        seen = Image.new("L", page.size, 255)
        for area in trial.areas:
            x0, y0, x1, y1 = map(int, area.box)
            box = (max(x0, 0), max(y0, 0), min(x1 + 1, page.width), min(y1 + 1, page.height))
            seen.paste(page.crop(box), box[:2])
        try:
            found: Mapping[str, Sequence[Any]] = pytesseract.image_to_data(
                seen, config=_HOW, timeout=_SECONDS, output_type=pytesseract.Output.DICT
            )
        except (RuntimeError, OSError) as error:
            raise InputError(
                f"{trial.source}: Tesseract fails on the screenshot: {clean(str(error))[:200]}. Use --no-texts."
            ) from error
        return found


@contextlib.contextmanager
def engine(wanted: bool | None) -> Iterator[Engine | None]:
    """Give the engine, or None where texts are not wanted (False), or not insisted on (None) and it is not installed.

    InputError if texts are wanted and it is not installed.
    """
    version = "" if wanted is False else _version()
    if wanted and not version:
        raise InputError(f"Tesseract is not installed, so there are no texts: {INSTALL}, or use --no-texts.")
    before = os.environ.get("OMP_THREAD_LIMIT")
    # Screens are read side by side; several threads each would wait for each other.
    os.environ["OMP_THREAD_LIMIT"] = "1"
    try:
        yield Engine(version) if version else None
    finally:
        del os.environ["OMP_THREAD_LIMIT"]
        if before is not None:
            os.environ["OMP_THREAD_LIMIT"] = before


def _version() -> str:
    """Return the installed engine's version, empty if there is none."""
    try:
        import pytesseract

        return str(pytesseract.get_tesseract_version())
    except (ImportError, OSError, SystemExit):
        return ""


def texts_of(words: Mapping[str, Sequence[Any]], boxes: Sequence[tuple[float, float, float, float]]) -> list[str]:
    """Return the text of each box: its lines, the title first, joined by ``|``; empty without a readable word.

    The title is the line of the largest letters among those of two words or more. ``words`` are columns of equal
    length: ``text``, ``conf`` (0 to 100), ``left``, ``top``, ``width``, ``height`` (pixels), and a line's numbers,
    ``block_num``, ``par_num``, ``line_num``.
    """
    lines: list[dict[tuple[int, ...], list[tuple[str, int]]]] = [{} for _ in boxes]
    for i, raw in enumerate(words["text"]):
        text = clean(str(raw)).strip()
        if not text or _MARKS.fullmatch(text) or (float(words["conf"][i]) < SURE and not _ADDRESS.search(text)):
            continue
        x, y = (words[a][i] + words[b][i] / 2 for a, b in (("left", "width"), ("top", "height")))
        slot = next((k for k, box in enumerate(boxes) if box[0] <= x <= box[2] and box[1] <= y <= box[3]), None)
        if slot is not None:
            line = tuple(int(words[name][i]) for name in ("block_num", "par_num", "line_num"))
            lines[slot].setdefault(line, []).append((text, int(words["height"][i])))
    return [_joined(list(found.values())) for found in lines]


def _joined(lines: list[list[tuple[str, int]]]) -> str:
    """Return lines of (word, height) as one text."""
    sizes = [[height for word, height in line if _WORD.search(word)] for line in lines]
    if not any(sizes):
        return ""
    title = max(range(len(lines)), key=lambda i: (min(len(sizes[i]), 2), statistics.median(sizes[i] or [0])))
    ordered = [lines[title], *lines[:title], *lines[title + 1 :]]
    return " | ".join(" ".join(word for word, _ in line) for line in ordered)


def _kept(path: Path, count: int) -> list[str] | None:
    """Return the texts that the cache holds, None if it does not or the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, list) and len(found) == count and all(isinstance(text, str) for text in found)
    return found if whole else None


def _keep(path: Path, texts: Sequence[str]) -> None:
    """Write texts to the cache, whole or not at all."""
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{secrets.token_hex(4)}.partial")
        partial.write_text(json.dumps(texts), encoding="utf-8")
        partial.replace(path)
