"""How well texts of results are read from screenshots, at what cost, and a sheet of slots to look at.

python tests/performance/slot_words.py --data REPLAY --sample 12 --out sheet.png
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[2]))

from tasks.adserp.replay import read_replay, replay_files  # noqa: E402
from tasks.adserp.words import engine  # noqa: E402
from tasks.errors import InputError  # noqa: E402
from tests.performance.printing import script  # noqa: E402


def children() -> float:
    """Return the processor seconds of the processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the replay layout")
    parser.add_argument("--trials", type=int, help="only so many, spread over the folder")
    parser.add_argument("--sample", type=int, default=12, help="slots on the sheet")
    parser.add_argument("--out", type=Path, default=Path("slot_words.png"))
    chosen = parser.parse_args()
    files = replay_files(chosen.data)
    if not files:
        raise InputError(f"{chosen.data} holds no trials of the replay layout. Give a folder with trials/*.json.")
    files = files[:: max(1, len(files) // chosen.trials)] if chosen.trials else files
    slots, seconds, screens = [], [], []
    with tempfile.TemporaryDirectory() as cache, engine(True) as reading:
        os.environ["GAZEBENCH_CACHE"] = cache  # nothing is taken from an earlier reading
        for file in files:
            trial = read_replay(file, chosen.data)
            page, before = trial.screenshot.open(), children()
            filled = reading.filled(dataclasses.replace(trial, page=page))
            seconds.append(children() - before)
            screens.append(page.height / 1023)
            slots += [(page.crop(tuple(map(int, area.box))), area.kind, area.text) for area in filled.areas]
    some = [text for _, _, text in slots if text]
    titled = [text for text in some if len(re.findall(r"[^\W\d_]{3,}", text.split(" | ")[0])) >= 2]
    print(f"{len(files)} pages of {np.mean(screens):.1f} screens on average, {len(slots)} slots, {reading}")
    print(
        f"text in {len(some) / len(slots):.1%} of slots; a title of two words or more in {len(titled) / len(slots):.1%}"
    )
    one = sum(seconds) / sum(screens)
    print(f"processor seconds: a page {np.mean(seconds):.2f}, at most {max(seconds):.2f}; a screen {one:.2f}")
    chosen_slots = np.random.default_rng(0).choice(len(slots), chosen.sample, replace=False)
    _sheet([slots[i] for i in chosen_slots], chosen.out)


def _sheet(slots: list[tuple[Image.Image, str, str]], out: Path) -> None:
    """Draw slots with what was read in them next to them."""
    heights = [min(max(picture.height // 2, 60), 260) + 10 for picture, _, _ in slots]
    sheet, y, font = Image.new("RGB", (1100, sum(heights)), "white"), 0, ImageFont.load_default(13)
    draw = ImageDraw.Draw(sheet)
    for (picture, kind, text), height in zip(slots, heights, strict=True):
        small = picture.resize((picture.width // 2, picture.height // 2))
        sheet.paste(small.crop((0, 0, min(400, small.width), min(height - 10, small.height))), (0, y))
        wrapped = re.sub(r"(.{1,95})(?:\s|$)", r"\1\n", f"[{kind}] {text}")
        draw.multiline_text((410, y), "\n".join(wrapped.split("\n")[: height // 16]), "black", font)
        y += height
    sheet.save(out)


if __name__ == "__main__":
    script(main)
