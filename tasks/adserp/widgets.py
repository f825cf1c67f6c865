"""What the parts of a page are that are neither results nor ads: related questions, images, places, paging, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.adserp.page_lines import (
    AD_MARGIN,
    COLUMN_RIGHT,
    HEADER_BOTTOM,
    PALE,
    TEXT_WIDTH,
    Box,
    Line,
    Mask,
    Page,
    rows_of,
    runs,
)

PILL = (241, 243, 244)  # background of the rounded buttons that hold related searches
PILL_BLUR = 2  # compression moves that colour by no more
PILL_AREA = 4000  # fewest pixels of pill background: one button has 280 x 38 less its text
RULE_SHARE = 0.95  # share of the column's width that a rule between two questions covers
RULE_ROWS = 3  # most rows a rule takes after scaling
LEAST_RULES = 2  # rules in a list of related questions: one below each of two or more
PICTURE_ROWS = 50  # fewest rows of a row of pictures or of a map; lines of text and buttons are lower
PICTURE_SHARE = 0.5  # share of a row that pictures cover at least; thumbnails next to text cover a sixth
MARGIN = 60  # the paging logo is centred: this width at the column's left edge is empty
VIVID = 90  # least distance between the largest and the smallest channel of a coloured logo or marker
MAP_REACH = (20, 40)
"""A map of places covers this much left and right of the column's right edge; other pictures end at it."""
MAP_SHARE = 0.7  # share of a row of that strip that a map covers at least; its streets are white
ICON = (18, 26)  # white columns between the icon and the words of the heading of an image pack
NOTICE_HEIGHT = 60
"""A notice (count of results, spelling, removed results) has at most three lines of small text."""
PANEL_LEFT = 770  # left end of the right column, past the shadows and arrow buttons on the main column's edge
PANEL_GAP = 25
"""White rows between a knowledge panel and the next part of the right column; a panel's frame leaves none inside."""
PANEL_HEIGHT = 60  # least height of a part of the right column


def pictures(pale: Mask, share: float = PICTURE_SHARE) -> bool:
    """Whether pictures cover this share of ``PICTURE_ROWS`` rows in a row; ``pale`` marks what is not white, (h, w)."""
    covered = runs(pale.mean(axis=1) >= share)
    return any(bottom - top >= PICTURE_ROWS for top, bottom in covered)


def rules(pale: Mask) -> int:
    """Count the thin lines across the whole column; ``pale`` marks what is not white, (h, w)."""
    return sum(bottom - top <= RULE_ROWS for top, bottom in runs(pale.mean(axis=1) >= RULE_SHARE))


def is_pagination(page: Page, top: int, bottom: int) -> bool:
    """Whether rows ``[top, bottom)`` are the coloured logo over page numbers.

    It has red and yellow ink and leaves the column's left edge free.
    """
    if page.ink[top:bottom, :MARGIN].any():
        return False
    red, green, blue = (page.rgb[top:bottom, :, channel].astype(np.int16) for channel in range(3))
    reddish = (red - green > VIVID) & (red - blue > VIVID)
    yellow = (red - blue > VIVID) & (green - blue > VIVID)
    return bool(reddish.any() and yellow.any())


def has_icon(page: Page, heading: Line) -> bool:
    """Whether a heading opens with an icon, as that of an image pack does."""
    across = rows_of(page.ink[heading.top : heading.bottom].T)
    return bool(across[: ICON[0]].any() and not across[ICON[0] : ICON[1]].any() and across[ICON[1] : TEXT_WIDTH].any())


def widget_type(page: Page, top: int, bottom: int, lines: Sequence[Line]) -> str:
    """Return the type of the widget in rows ``[top, bottom)`` of the main column (see ``organic.Part``)."""
    pale = page.pale[top:bottom]
    if is_pagination(page, top, bottom):
        return "pagination"
    edge = page.dark[top:bottom, COLUMN_RIGHT - MAP_REACH[0] : COLUMN_RIGHT + MAP_REACH[1]]
    if pictures(edge < PALE, MAP_SHARE):
        return "places"
    away = np.abs(page.rgb[top:bottom].astype(np.int16) - np.array(PILL, dtype=np.int16)).max(axis=2)
    if (away <= PILL_BLUR).sum() >= PILL_AREA:
        return "related-searches"
    headings = [line for line in lines if line.large and not line.link]
    if pictures(pale):
        return "image-pack" if headings and has_icon(page, headings[0]) else "other"
    if rules(pale) >= LEAST_RULES:
        return "related-questions"
    return "notice" if not headings and bottom - top <= NOTICE_HEIGHT else "other"


def right_panels(page: Page, taken: Sequence[Box]) -> list[Box]:
    """Return the boxes of what is in the right column, such as the panel about an entity.

    ``taken`` are the boxes of ads and of maps, which reach into the right column.
    """
    pale = page.dark[:, PANEL_LEFT:] < PALE
    pale[:HEADER_BOTTOM] = False
    pale[page.end :] = False
    for _, y0, x1, y1 in taken:
        if x1 > PANEL_LEFT:
            pale[max(0, int(y0) - AD_MARGIN) : max(0, int(y1) + 1 + AD_MARGIN)] = False
    found: list[tuple[int, int]] = []
    for top, bottom in runs(rows_of(pale)):
        if found and top - found[-1][1] < PANEL_GAP:
            found[-1] = (found[-1][0], bottom)
        else:
            found.append((top, bottom))
    boxes: list[Box] = []
    for top, bottom in found:
        if bottom - top >= PANEL_HEIGHT:
            across = np.flatnonzero(pale[top:bottom].any(axis=0)) + PANEL_LEFT
            boxes.append((float(across[0]), float(top), float(across[-1] + 1), float(bottom)))
    return boxes
