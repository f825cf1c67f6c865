"""The main column of a search result page, read from its screenshot as rows, text lines and blocks.

All coordinates are screenshot pixels in page space; the screenshots of AdSERP are 1280 px wide, 0.9 px to the CSS pixel
(PROTOCOL section 3). The constants are the page's style sheet seen through that scale, not fits to single pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
Mask = NDArray[np.bool_]
Pixels = NDArray[np.uint8]

COLUMN_LEFT = 162  # left edge of the main column (PROTOCOL section 3)
COLUMN_RIGHT = 748  # right edge of the main column
TEXT_WIDTH = 498
"""Width of the part of the column that holds text only: thumbnails begin 504 px right of the column's edge."""
HEADER_BOTTOM = 120  # the search box and the rule below it end here on every page
INK = 180
"""A pixel is ink if its darkest channel is below this: all text is, while rules, pills and empty tiles are not."""
BLOCK_GAP = 25
"""Rows without ink that end a block: lines of one result are at most 24 apart, results at least 30, mostly 35."""
AD_MARGIN = 6
"""Ad boxes are tight; descenders and button shadows reach this far out, the next part is 25 px away or more."""
TEXT_HEIGHTS = (7, 24)
"""Heights of one line of text: a line of low letters of the small font, and the largest heading with descenders."""
CORE_SHARE = 0.3
"""Share of a line's fullest row that a row of its core holds: rows of capitals do, those of descenders do not."""
LARGE_CORE = 10
"""Least core (see ``Line.core``) of the 18 px font of titles, 10 to 13; text in the 12.6 px font has 7 to 9."""
LINK_SHARE = 0.6
"""Share of a line's ink that is link-coloured in a title: near 1, blurred strokes aside; 0 in other text."""
FOOTER_MARGIN = 100  # width of the left margin that is white next to everything but the grey footer
FOOTER_GREY = 250  # the footer's background is (242, 242, 242); white after JPEG compression stays above this


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text in the column's text part, from its first row with ink, ``top``, to the row after its last.

    Attributes:
        left: Distance of its first ink from the column's left edge, px.
        core: Number of rows with at least ``CORE_SHARE`` of the fullest row's ink, about the height of low letters:
            it tells font sizes apart where the height, which depends on capitals and descenders, does not.
        link: The ink is link-coloured.
    """

    top: int
    bottom: int
    left: int
    core: int
    link: bool

    @property
    def large(self) -> bool:
        """Whether the line is set in the size of titles and headings."""
        return self.core >= LARGE_CORE


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """The main column of a screenshot, between header and footer and with the ads blanked.

    Attributes:
        rgb: The column's pixels, shape (H, 586, 3); ads are white.
        ink: Which pixels of the column are ink, shape (H, 586); False in header, footer and ads.
        ads: Which rows of the column belong to an ad, shape (H,).
    """

    rgb: Pixels
    ink: Mask
    ads: Mask


def runs(mask: Mask) -> list[tuple[int, int]]:
    """Return the ``[start, stop)`` intervals in which a 1-D mask is True, in order."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], mask, [False])).astype(np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def rows_of(mask: Mask) -> Mask:
    """Return which rows of a 2-D mask hold a True."""
    return np.asarray(mask.any(axis=1), dtype=np.bool_)


def footer_top(dark: Pixels) -> int:
    """Return the row at which the grey footer begins, or the page's height.

    ``dark`` holds the darkest channel of every pixel of the page, shape (H, W).
    """
    rows = np.flatnonzero(dark[:, :FOOTER_MARGIN].mean(axis=1) >= FOOTER_GREY)
    return int(rows[-1]) + 1 if rows.size else 0


def read_page(rgb: Pixels, ads: Sequence[Box]) -> Page:
    """Cut the main column out of a screenshot, shape (H, W, 3), and blank the ads in it."""
    dark = np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    end = footer_top(dark)
    in_ad = np.zeros(len(rgb), dtype=np.bool_)
    for x0, y0, x1, y1 in ads:
        if x0 < COLUMN_RIGHT and x1 > COLUMN_LEFT:
            in_ad[max(0, int(y0) - AD_MARGIN) : max(0, int(y1) + 1 + AD_MARGIN)] = True
    column = rgb[:, COLUMN_LEFT:COLUMN_RIGHT].copy()
    column[in_ad] = 255
    ink = dark[:, COLUMN_LEFT:COLUMN_RIGHT] < INK
    ink[in_ad] = False
    ink[:HEADER_BOTTOM] = False
    ink[end:] = False
    return Page(column, ink, in_ad)


def link_coloured(rgb: Pixels) -> Mask:
    """Return which pixels, shape (..., 3), have the colour of a link, (26, 13, 171), or of a visited one, blurred."""
    red, green, blue = (rgb[..., channel].astype(np.int16) for channel in range(3))
    return np.asarray((blue - red > 50) & (blue - green > 50) & (red < 150) & (green < 150), dtype=np.bool_)


def text_lines(page: Page) -> list[Line]:
    """Return the lines of text in the column's text part, top to bottom; pictures there yield none."""
    ink = page.ink[:, :TEXT_WIDTH]
    per_row = ink.sum(axis=1)
    lines = []
    for top, bottom in runs(per_row > 0):
        if not TEXT_HEIGHTS[0] <= bottom - top <= TEXT_HEIGHTS[1]:
            continue
        counts = per_row[top:bottom]
        core = int((counts >= CORE_SHARE * counts.max()).sum())
        left = int(np.argmax(ink[top:bottom].any(axis=0)))
        links = link_coloured(page.rgb[top:bottom, :TEXT_WIDTH]) & ink[top:bottom]
        lines.append(Line(top, bottom, left, core, bool(links.sum() > LINK_SHARE * counts.sum())))
    return lines


def blocks(page: Page) -> list[tuple[int, int]]:
    """Return the ``[top, bottom)`` rows of the column's blocks: ink with no gap of ``BLOCK_GAP`` rows or more.

    Ads, being blanked, always separate blocks.
    """
    found: list[tuple[int, int]] = []
    for top, bottom in runs(rows_of(page.ink)):
        if found and top - found[-1][1] < BLOCK_GAP and not page.ads[found[-1][1] : top].any():
            found[-1] = (found[-1][0], bottom)
        else:
            found.append((top, bottom))
    return found
