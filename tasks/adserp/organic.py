"""Organic results of a search result page, found in its screenshot (PROTOCOL section 3, layout ``raw``).

The page has a grammar. An organic result is an address line, below it a title in the link colour and the large font,
below that a snippet; a widget opens with a dark heading in the large font or has no title at all; white gaps part them.
The finder cuts the main column at the white gaps, looks for titles with an address line above them, and cuts again
where a result follows another without a wide gap. What has no title is a widget. Ads are given and masked out.

All coordinates are screenshot pixels in page space; the screenshots of AdSERP are 1280 px wide, 0.9 px to the CSS pixel
(PROTOCOL section 3). The constants are the page's style sheet seen through that scale, not fits to single pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from tasks.types import Box

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


TITLE_INDENTS = (4, 24)
"""Titles begin at the column's edge (0-2 px), those of a further result of the same site 14-16 px right of it."""
SAME_EDGE = 4
"""Most pixels between the left edges of an address and its title: letters differ in their side bearing."""
ADDRESS_GAP = 18  # most rows between the address line and its title; it is about 10


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of the main column, from the first to after the last with ink: a result, or a widget or part of one."""

    top: int
    bottom: int
    organic: bool


def address_line(lines: Sequence[Line], index: int) -> Line | None:
    """Return the address line of the title ``lines[index]``, or None if that line is not a result's title.

    A title is a large line in the link colour, flush left or indented, directly below a smaller line that begins at
    the same edge and is not a link. The second line of a wrapped title and links in running text are not titles.
    """
    title = lines[index]
    if not (title.link and title.large and title.left <= TITLE_INDENTS[1]) or index == 0:
        return None
    above = lines[index - 1]
    if above.link or above.large or title.top - above.bottom > ADDRESS_GAP:
        return None
    return above if abs(above.left - title.left) <= SAME_EDGE else None


def cut_block(top: int, bottom: int, lines: Sequence[Line]) -> list[tuple[int, int, bool]]:
    """Cut one block where a result begins without a wide gap before it.

    Returns:
        ``(top, bottom, organic)`` of the pieces, top to bottom. An indented title continues the result above it in
        its block. What is above the first address belongs to it unless it holds text (a thumbnail's edge does not).
    """
    starts: list[tuple[int, bool]] = [(top, False)]
    for index, line in enumerate(lines):
        address = address_line(lines, index)
        if address is None or (line.left > TITLE_INDENTS[0] and starts[-1][1]):
            continue
        if index == 1:
            starts = [(top, True)]
        else:
            starts.append((address.top, True))
    ends = [row for row, _ in starts[1:]] + [bottom]
    return [(row, end, organic) for (row, organic), end in zip(starts, ends, strict=True)]


def pieces_of(page: Page) -> list[Piece]:
    """Return the pieces of the main column, top to bottom, each without inkless rows at its ends."""
    lines = text_lines(page)
    inked = rows_of(page.ink)
    pieces = []
    for block_top, block_bottom in blocks(page):
        inside = [line for line in lines if block_top <= line.top < block_bottom]
        for top, bottom, organic in cut_block(block_top, block_bottom, inside):
            rows = np.flatnonzero(inked[top:bottom]) + top
            pieces.append(Piece(int(rows[0]), int(rows[-1]) + 1, organic))
    return pieces


def find_organic(image: Image, ads: Sequence[Box]) -> list[Box]:
    """Return the boxes of a page's organic results, top to bottom; ``ads`` are in screenshot pixels, as they are.

    Nothing is found if the full-page screenshot is narrower than the main column or holds nothing.
    """
    if image.width < COLUMN_RIGHT:
        return []
    pieces = pieces_of(read_page(np.asarray(image.convert("RGB")), ads))
    left, right = float(COLUMN_LEFT), float(COLUMN_RIGHT)
    return [(left, float(piece.top), right, float(piece.bottom)) for piece in pieces if piece.organic]
