"""Organic results of a search result page, found in its screenshot (PROTOCOL section 3, layout ``raw``).

The page has a grammar. An organic result is an address line, below it a title in the link colour and the large font,
below that a snippet; a widget opens with a dark heading in the large font or has no title at all; white gaps part them.
The finder cuts the main column at the white gaps, looks for titles with an address line above them, and cuts again
where a result follows another without a wide gap. What has no title is a widget. Ads are given and masked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tasks.adserp.page_lines import (
    COLUMN_LEFT,
    COLUMN_RIGHT,
    Box,
    Line,
    Page,
    blocks,
    read_page,
    rows_of,
    text_lines,
)

if TYPE_CHECKING:
    from PIL.Image import Image

TITLE_INDENTS = (4, 24)
"""Titles begin at the column's edge (0-2 px), those of a further result of the same site 14-16 px right of it."""
SAME_EDGE = 4
"""Most pixels between the left edges of an address and its title: letters differ in their side bearing."""
ADDRESS_GAP = 18  # most rows between the address line and its title; it is about 10


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows of the main column: a result, or a widget or a part of one.

    Attributes:
        top: First row with ink.
        bottom: Row after the last one with ink.
        organic: It holds a result.
    """

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
