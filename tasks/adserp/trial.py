"""One AdSERP trial in plain typed values, whichever layout it was read from.

All coordinates are screenshot pixels in page space: the origin is the top left corner of the full-page
screenshot, which is 1280 pixels wide, and scrolling changes nothing (PROTOCOL section 3). All times are
milliseconds since the page was loaded, that is, since the first mouse event.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from PIL.Image import Image

from tasks.errors import clean
from tasks.types import Box, Floats, ScreenImage

SCREEN_WIDTH = 1280
VIEWPORT_HEIGHT = 1023
"""Window height times scale, 1137 * 1280 / 1422, in whole pixels; the replay layout does not state it."""

_EQUAL_PX = 1.0  # boxes whose edges are less than this apart are equal
_MOST = 0.5

AD_KINDS = ("dd_top", "native_ad", "dd_right")
SLOT_KINDS = ("dd_top", "native_ad", "organic_result", "dd_right")


@dataclass(frozen=True, slots=True)
class Area:
    """A result or an advertisement: one of ``SLOT_KINDS``, its box, edges included, and its text where known."""

    kind: str
    box: Box
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Timed points: pointer positions, clicks, or scroll positions (x is then 0).

    All have the shape (n,); ``t`` is in milliseconds since the load, ascending.
    """

    t: Floats
    x: Floats
    y: Floats

    def __len__(self) -> int:
        return len(self.t)

    def until(self, end: float) -> "Points":
        """Return the points with ``t <= end``."""
        keep = self.t <= end
        return Points(self.t[keep], self.x[keep], self.y[keep])


@dataclass(frozen=True, slots=True, eq=False)
class Fixations:
    """Fixations; ``end`` is the END of each, which is what the published timestamp means.

    All have the shape (n,); ``end`` is in milliseconds since the load, and so is ``duration``, which is not negative.
    """

    end: Floats
    x: Floats
    y: Floats
    duration: Floats

    def __len__(self) -> int:
        return len(self.end)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One user on one result page.

    Attributes:
        trial_id: As published, such as ``p004-b2-t9``.
        areas: Organic results and ads in slot order (``page_order``); widgets are left out.
        cursor: Pointer positions: the mousemove and click events.
        scrolls: Scroll events; ``y`` is the top of the viewport.
        viewport: Width and height of the visible part of the page.
        buttons: When the mouse button went down, and when up, milliseconds since the load; None in the replay layout.
        page: The full page decoded, where reading had to decode it anyway.
        source: The file that a message about this trial names.
        notes: What was left out in reading, such as repeated mouse rows.
    """

    trial_id: str
    query: str
    areas: tuple[Area, ...]
    fixations: Fixations
    cursor: Points
    scrolls: Points
    clicks: Points
    viewport: tuple[int, int]
    screenshot: ScreenImage
    source: Path
    buttons: tuple[Floats, Floats] | None = None
    page: Image | None = None
    notes: tuple[str, ...] = ()

    @property
    def user(self) -> str:
        """The participant, the part of the trial id before the first hyphen."""
        return self.trial_id.split("-", 1)[0]


def named(
    boxes_of: Mapping[str, tuple[Sequence[Box], Sequence[str | None]]], height: float = math.inf
) -> tuple[list[Area], tuple[str, ...]]:
    """Return the areas of some kinds, and in words what was left out.

    Equal boxes of one kind are one area; a box
    without area on the page is not one. ``boxes_of`` is kind -> boxes and their titles (none, or as many).
    """
    areas: list[Area] = []
    notes: list[str] = []
    for kind, (boxes, titles) in boxes_of.items():
        kept: dict[Box, str | None] = {}
        for number, box in enumerate(boxes):
            if any(max(abs(a - b) for a, b in zip(box, other, strict=True)) < _EQUAL_PX for other in kept):
                notes.append("repeated boxes, left out")
            elif min(box[2], SCREEN_WIDTH) <= max(box[0], 0) or min(box[3], height) <= max(box[1], 0):
                notes.append("boxes without area on the page, left out")
            else:
                if _share_on_page(box, height) < _MOST:
                    notes.append("boxes mostly off the page, kept")
                kept[box] = titles[number] if titles else None
        areas += [Area(kind, box, title or "") for box, title in kept.items()]
    return areas, tuple(dict.fromkeys(notes))


def _share_on_page(box: Box, height: float) -> float:
    """Return how much of a box's area is on the page; the box has some there."""
    across = (min(box[2], SCREEN_WIDTH) - max(box[0], 0)) / (box[2] - box[0])
    return across * (min(box[3], height) - max(box[1], 0)) / (box[3] - box[1])


def page_order(areas: Iterable[Area]) -> tuple[Area, ...]:
    """Return the areas in slot order: top to bottom, left to right where level, the right-hand ads last."""
    return tuple(sorted(areas, key=lambda area: (area.kind == "dd_right", area.box[1], area.box[0])))


def search_query(url: str, task: str) -> str:
    """Return the query in words, from the trial's URL or else from its task; empty if neither holds one.

    ``...page.php?q=buy-airex-balance-beam#cns=1`` and ``batch_40_trial_8 | buy-airex-balance-beam`` both
    give ``buy airex balance beam``.
    """
    asked = parse_qs(urlsplit(url.strip()).query).get("q", [""])[0]
    return " ".join(clean(asked or task.rpartition("|")[2]).replace("-", " ").split())
