"""Organic results of a search result page, found in its screenshot (PROTOCOL section 3, layout ``raw``).

The page has a grammar. An organic result is an address line, below it a title in the link colour and the large font,
below that a snippet; a widget opens with a dark heading in the large font or has no title at all; white gaps part them.
The finder cuts the main column at the white gaps, looks for titles with an address line above them, cuts again where a
result follows another without a wide gap, and types what has no title. Ads are given and masked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.adserp.page_lines import (
    AD_MARGIN,
    COLUMN_LEFT,
    COLUMN_RIGHT,
    HEADER_BOTTOM,
    PALE,
    TEXT_WIDTH,
    Box,
    Line,
    Mask,
    Page,
    blocks,
    read_page,
    rows_of,
    runs,
    text_lines,
)

if TYPE_CHECKING:
    from PIL.Image import Image

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


TITLE_INDENTS = (4, 24)
"""Titles begin at the column's edge (0-2 px), those of a further result of the same site 14-16 px right of it."""
SAME_EDGE = 4
"""Most pixels between the left edges of an address and its title: letters differ in their side bearing."""
ADDRESS_GAP = 18  # most rows between the address line and its title; it is about 10
WIDGET_GAPS = (25, 60)
"""Most entirely white rows, pale tiles and rules counting as not white, inside one widget: before a line as large as
a heading (a question is nearly so) and before any other."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the page that is not an ad.

    Attributes:
        kind: ``organic_result`` or ``widget``.
        widget: Type of a widget (``related-questions``, ``image-pack``, ``places``, ``related-searches``,
            ``pagination``, ``knowledge-panel``, ``notice`` or ``other``); empty for an organic result.
        box: ``(x0, y0, x1, y1)``, page-space screenshot pixels; x spans the whole column.
    """

    kind: str
    widget: str
    box: Box


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows ``[top, bottom)`` of the main column, with their text lines, top to bottom.

    Attributes:
        organic: It holds a result.
        paging: It is the paging logo with its numbers.
    """

    top: int
    bottom: int
    lines: tuple[Line, ...]
    organic: bool = False
    paging: bool = False

    @property
    def headed(self) -> bool:
        """Whether the first line is a heading: large and no link."""
        return bool(self.lines) and self.lines[0].large and not self.lines[0].link


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
            first, last = int(rows[0]), int(rows[-1])
            held = tuple(line for line in inside if first <= line.top <= last)
            paging = not organic and is_pagination(page, first, last + 1)
            pieces.append(Piece(first, last + 1, held, organic, paging))
    return pieces


def join_widgets(pieces: Sequence[Piece], page: Page) -> list[Piece]:
    """Join neighbouring pieces without a result into whole widgets.

    A widget ends at a result, an ad, a wide white gap (a narrower one before a heading) and at the paging links.
    """
    white = ~rows_of(page.pale)
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is None or last.organic or piece.organic or last.paging or piece.paging:
            joined.append(piece)
            continue
        between = slice(last.bottom, piece.top)
        gap = max((stop - start for start, stop in runs(white[between])), default=0)
        if gap <= WIDGET_GAPS[0 if piece.headed else 1] and not page.ads[between].any():
            joined[-1] = Piece(last.top, piece.bottom, last.lines + piece.lines)
        else:
            joined.append(piece)
    return joined


def find_page_parts(image: Image, ads: Sequence[Box]) -> list[Part]:
    """Find the organic results and the widgets of a page, top to bottom; ``ads`` are in screenshot pixels.

    Nothing is found if the full-page screenshot is narrower than the main column or holds nothing.
    """
    if image.width < COLUMN_RIGHT:
        return []
    page = read_page(np.asarray(image.convert("RGB")), ads)
    parts = []
    for piece in join_widgets(pieces_of(page), page):
        box = (float(COLUMN_LEFT), float(piece.top), float(COLUMN_RIGHT), float(piece.bottom))
        if piece.organic:
            parts.append(Part("organic_result", "", box))
        else:
            parts.append(Part("widget", widget_type(page, piece.top, piece.bottom, piece.lines), box))
    maps = [(0.0, part.box[1], float(image.width), part.box[3]) for part in parts if part.widget == "places"]
    parts += [Part("widget", "knowledge-panel", box) for box in right_panels(page, [*ads, *maps])]
    return sorted(parts, key=lambda part: (part.box[1], part.box[0]))


def find_organic(image: Image, ads: Sequence[Box]) -> list[Box]:
    """Return the boxes of the organic results, top to bottom (see ``find_page_parts``)."""
    return [part.box for part in find_page_parts(image, ads) if part.kind == "organic_result"]
