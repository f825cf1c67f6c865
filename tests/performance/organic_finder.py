"""How well the organic finder agrees with the given boxes of the replay layout.

    python tests/performance/organic_finder.py --data DIR [--half all|first|second]

DIR is the replay folder (trials/*.json and png/*.jpg). Boxes are matched one to one at IoU >= 0.5. A widget, what is
neither ad nor result in the main column, counts neither way: it is no false find, and a given box of which it covers
half or more is set aside. Two harder readings of recall follow: "by IoU" sets aside only given boxes that match a
widget one to one at IoU >= 0.5; "nothing aside" counts every given box that is a widget as missed. The clicked slot
agrees if both sets of boxes name the same element, or both none. Below the totals: every trial with a miss, a false
find or another slot.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tasks.adserp.organic import (  # noqa: E402  # noqa: E402
    COLUMN_LEFT,
    COLUMN_RIGHT,
    Page,
    Piece,
    find_organic,
    pieces_of,
    read_page,
    rows_of,
    runs,
    text_lines,
)
from tests.performance import printing  # noqa: E402

Box = tuple[float, float, float, float]
AD_KINDS = ("native_ad", "dd_top", "dd_right")
IOU = 0.5
CLICK_REACH = 10.0
WHITE = 248
"""A pixel is white if no channel is below this: rules, pills and empty tiles are not, compressed white is."""
WIDGET_GAPS = (25, 60)
"""Most white rows inside one widget: before a heading, which is large and no link, and before anything else."""
MARGIN, VIVID = 60, 90
"""The coloured logo over the page numbers is centred; the channels of its red and its yellow are this far apart."""


@dataclass(frozen=True)
class Score:
    """Counts of one trial.

    ``aside`` given boxes lie in widgets, ``aside_by_iou`` of the unmatched ones match a widget one to one;
    ``agrees`` tells whether the clicked slot is the same element.
    """

    trial: str
    given: int
    found: int
    matched: int
    aside: int
    aside_by_iou: int
    agrees: bool
    milliseconds: float
    missed: tuple[Box, ...]
    wrong: tuple[Box, ...]


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def overlap(a: Box, b: Box) -> float:
    return area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))


def iou(a: Box, b: Box) -> float:
    shared = overlap(a, b)
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def match(given: Sequence[Box], found: Sequence[Box]) -> list[tuple[int, int]]:
    """Return the one-to-one pairs (index given, index found) with IoU >= 0.5, as many as possible."""
    if not given or not found:
        return []
    table = np.array([[iou(g, f) for f in found] for g in given])
    gain = np.where(table >= IOU, 1.0 + table, 0.0)
    rows, columns = linear_sum_assignment(-gain)
    return [(int(g), int(f)) for g, f in zip(rows, columns, strict=True) if gain[g, f] > 0]


def clicked(slots: Sequence[Box], x: float, y: float) -> int | None:
    """Return the slot that contains the point, else the nearest edge within 10 px, else None."""
    away = [np.hypot(max(b[0] - x, 0, x - b[2]), max(b[1] - y, 0, y - b[3])) for b in slots]
    best = int(np.argmin(away)) if away else -1
    return best if best >= 0 and away[best] <= CLICK_REACH else None


def page_order(organic: Sequence[Box], ads: dict[str, list[Box]]) -> list[tuple[str, int, Box]]:
    """Return (kind, index in its kind, box) top to bottom, dd_right last."""
    slots = [("organic_result", i, box) for i, box in enumerate(organic)]
    slots += [(kind, i, box) for kind, boxes in ads.items() for i, box in enumerate(boxes)]
    return sorted(slots, key=lambda slot: (slot[0] == "dd_right", slot[2][1], slot[2][0]))


def boxes_of(trial: dict, kind: str) -> list[Box]:
    where = [
        (b["location"]["x"], b["location"]["y"], b["size"]["width"], b["size"]["height"]) for b in trial["bboxes"][kind]
    ]
    return [(x, y, x + w, y + h) for x, y, w, h in where]


def is_pagination(page: Page, top: int, bottom: int) -> bool:
    """Return whether rows ``[top, bottom)`` are the logo over the page numbers, which has red and yellow ink."""
    if page.ink[top:bottom, :MARGIN].any():
        return False
    red, green, blue = (page.rgb[top:bottom, :, channel].astype(np.int16) for channel in range(3))
    reddish = (red - green > VIVID) & (red - blue > VIVID)
    yellow = (red - blue > VIVID) & (green - blue > VIVID)
    return bool(reddish.any() and yellow.any())


def find_widgets(image: Image.Image, ads: Sequence[Box]) -> list[Box]:
    """Return the boxes of the widgets of the main column, top to bottom.

    Neighbouring pieces without a result are one widget, up to a result, an ad, a wide white gap (a narrower one before
    a heading) and the links to further pages.
    """
    if image.width < COLUMN_RIGHT:
        return []
    page = read_page(np.asarray(image.convert("RGB")), ads)
    white = ~rows_of(page.rgb.min(axis=2) < WHITE)
    text = text_lines(page)
    joined: list[tuple[Piece, bool]] = []
    for piece in pieces_of(page):
        paging = not piece.organic and is_pagination(page, piece.top, piece.bottom)
        last, closed = joined[-1] if joined else (piece, True)
        if closed or last.organic or piece.organic or paging:
            joined.append((piece, paging))
            continue
        between = slice(last.bottom, piece.top)
        gap = max((stop - start for start, stop in runs(white[between])), default=0)
        heading = next((line for line in text if piece.top <= line.top < piece.bottom), None)
        headed = heading is not None and heading.large and not heading.link
        if gap <= WIDGET_GAPS[0 if headed else 1] and not page.ads[between].any():
            joined[-1] = (Piece(last.top, piece.bottom, False), False)
        else:
            joined.append((piece, False))
    return [(COLUMN_LEFT, piece.top, COLUMN_RIGHT, piece.bottom) for piece, _ in joined if not piece.organic]


def score_trial(folder: Path, file: Path) -> Score:
    """Find the organic results of one trial and compare them with the given boxes."""
    trial = json.loads(file.read_text())
    given = boxes_of(trial, "organic_result")
    ads = {kind: boxes_of(trial, kind) for kind in AD_KINDS}
    with Image.open(folder / trial["screenshot"]) as opened:
        image = opened.convert("RGB")
    start = time.perf_counter()
    found = find_organic(image, [box for boxes in ads.values() for box in boxes])
    elapsed = time.perf_counter() - start
    widgets = find_widgets(image, [box for boxes in ads.values() for box in boxes])
    pairs = match(given, found)
    hit = {g for g, _ in pairs}
    rest = [i for i in range(len(given)) if i not in hit]
    aside = {i for i in rest if sum(overlap(given[i], w) for w in widgets) >= 0.5 * area(given[i])}
    by_iou = match([given[i] for i in rest], widgets)
    click = next(event for event in trial["cursor"] if event["event"] == "click")
    x, y = click["x"], click["y"] * trial["ratio_x"]
    chosen = []
    for organic in (given, found):
        slots = page_order(organic, ads)
        at = clicked([box for _, _, box in slots], x, y)
        chosen.append(None if at is None else slots[at][:2])
    true, ours = chosen
    if true and ours and true[0] == ours[0] == "organic_result":
        agrees = (true[1], ours[1]) in pairs
    else:
        agrees = true == ours
    return Score(
        trial["trial_id"],
        len(given),
        len(found),
        len(pairs),
        len(aside),
        len(by_iou),
        agrees,
        1000 * elapsed,
        tuple(given[i] for i in rest if i not in aside),
        tuple(f for i, f in enumerate(found) if i not in {j for _, j in pairs}),
    )


def totals(scores: Sequence[Score]) -> dict[str, float]:
    """Return the measures pooled over trials, in the order of the table."""
    given, found, matched, aside, by_iou = (
        sum(getattr(s, n) for s in scores) for n in ("given", "found", "matched", "aside", "aside_by_iou")
    )
    return {
        "trials": len(scores),
        "given": given,
        "aside": aside,
        "found": found,
        "matched": matched,
        "recall": matched / max(1, given - aside),
        "precision": matched / max(1, found),
        "clicked slot": sum(s.agrees for s in scores) / max(1, len(scores)),
        "recall by IoU": matched / max(1, given - by_iou),
        "recall, nothing aside": matched / max(1, given),
        "median ms": float(np.median([s.milliseconds for s in scores])),
        "most ms": max(s.milliseconds for s in scores),
    }


def halves(files: Sequence[Path]) -> dict[str, list[Path]]:
    """Split the trials by user: every other user, in order of name, so that both halves hold both sorts of pages."""
    users = sorted({file.stem.split("-")[0] for file in files})
    first = set(users[::2])
    return {
        "first": [file for file in files if file.stem.split("-")[0] in first],
        "second": [file for file in files if file.stem.split("-")[0] not in first],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="replay folder with trials/ and png/")
    parser.add_argument("--half", choices=("all", "first", "second"), default="all", help="users to measure")
    arguments = parser.parse_args()
    files = sorted((arguments.data / "trials").glob("*.json"))
    if not files:
        parser.error(f"{arguments.data} holds no trials/*.json")
    parts = halves(files)
    names = list(parts) if arguments.half == "all" else [arguments.half]
    scores = {name: [score_trial(arguments.data, file) for file in parts[name]] for name in names}
    everything = [score for name in names for score in scores[name]]
    table = [{"users": f"{name} half", **totals(scores[name])} for name in names]
    if len(names) > 1:
        table.append({"users": "all", **totals(everything)})
    print(printing.table(table))
    print()
    failing = [
        [s.trial, len(s.missed), len(s.wrong), "" if s.agrees else "differs", spans(s.missed), spans(s.wrong)]
        for s in everything
        if s.missed or s.wrong or not s.agrees
    ]
    head = ["failing trial", "missed", "wrong", "click", "missed rows", "wrong rows"]
    print(printing.table(printing.rows(head, failing)))
    return 0


def spans(boxes: Sequence[Box]) -> str:
    """Return the rows of boxes for a table."""
    return " ".join(f"{box[1]:.0f}-{box[3]:.0f}" for box in boxes)


if __name__ == "__main__":
    raise SystemExit(main())
