"""A session as a picture: the screen, with gaze and attention over its slots, or with paths of the eyes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.output.figure_style import contrast
from benchmark.simulator import Floats
from tasks.errors import InputError
from tasks.types import Session, Visit, visits

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

GAZE_COLOUR = (230, 97, 1)
ATTENTION_COLOUR = (94, 60, 153)
CLICK_COLOUR = (0, 0, 0)
"""Orange and purple stay apart for colour-blind readers; the click is an outline, not a hue."""

PANEL_WIDTH = 640
"""A panel is at least this many pixels wide; smaller screens are enlarged."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One view of the screen: a title above, and K shares of sum 1 (None draws the bare screen) in an RGB colour."""

    title: str
    shares: Floats | None
    colour: tuple[int, int, int]


def panels_of(session: Session, attention: Sequence[tuple[str, Floats]]) -> list[Panel]:
    """Return the bare screen, the human gaze, and one panel per named attention."""
    found = [
        Panel(f"screen {session.screen}, user {session.user}", None, GAZE_COLOUR),
        Panel("human gaze (share of dwell)", session.gaze, GAZE_COLOUR),
    ]
    return found + [Panel(f"attention: {name}", a / a.sum(), ATTENTION_COLOUR) for name, a in attention]


def draw_session(session: Session, panels: Sequence[Panel], notice: str = "") -> Image:
    """Return an RGB picture of panels, two a row, the clicked slot outlined in each, and the notice below them.

    Raises:
        InputError: The session carries no image.
    """
    from PIL import Image as PilImage
    from PIL import ImageDraw
    from PIL.ImageFont import load_default

    if session.image is None:
        raise InputError(f"session '{session.session_id}' was prepared without images; prepare the task with them.")
    screen = session.image.open()
    scale = max(1.0, PANEL_WIDTH / screen.width)
    size = (round(screen.width * scale), round(screen.height * scale))
    screen = screen.resize(size)
    height = max(14, size[0] // 60)
    font = load_default(height)
    title, gap = 2 * height, 12
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    width = columns * size[0] + (columns + 1) * gap
    height = rows * (size[1] + title + gap) + gap + (title if notice else 0)
    sheet = PilImage.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    # One scale for all panels, so that a pale panel is one that spreads its attention.
    top = max((float(np.max(panel.shares)) for panel in panels if panel.shares is not None), default=1.0)
    for index, panel in enumerate(panels):
        x = gap + (index % columns) * (size[0] + gap)
        y = gap + (index // columns) * (size[1] + title + gap)
        draw.text((x, y), panel.title, fill="black", font=font)
        sheet.paste(_panel(screen, session, panel, scale, top, font), (x, y + title))
    if notice:
        draw.text((gap, height - title), notice, fill=(160, 0, 0), font=font)
    return sheet


def _panel(
    screen: Image, session: Session, panel: Panel, scale: float, top: float, font: ImageFont | FreeTypeFont
) -> Image:
    """Return the screen with one overlay; opacity is proportional to the share, full at ``top``."""
    from PIL import Image as PilImage
    from PIL import ImageDraw

    layer = PilImage.new("RGBA", screen.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    boxes = [tuple(round(v * scale) for v in slot.box) for slot in session.slots]
    if panel.shares is not None:
        for box, share in zip(boxes, panel.shares, strict=True):
            draw.rectangle(box, fill=(*panel.colour, round(200 * float(share) / top)))
    x0, y0, x1, y1 = boxes[session.click]
    for out, colour in ((4, (255, 255, 255, 255)), (2, (*CLICK_COLOUR, 255))):
        draw.rectangle((x0 - out, y0 - out, x1 + out, y1 + out), outline=colour, width=out)
    if panel.shares is not None:
        for box, share in zip(boxes, panel.shares, strict=True):
            corner, text = (box[0] + 3, box[1] + 2), f"{float(share):.0%}"
            draw.rectangle(draw.textbbox(corner, text, font=font), fill=(255, 255, 255, 220))
            draw.text(corner, text, fill=(0, 0, 0, 255), font=font)
    return PilImage.alpha_composite(screen.convert("RGBA"), layer).convert("RGB")


WIDTH = 1280
"""The screen is drawn at least this many pixels wide; smaller ones are enlarged."""
COLOURS = ((0, 34, 78), (124, 123, 120), (254, 232, 56))
"""First, middle and last moment: the dark end, the middle and the light end of matplotlib's cividis."""
INK, ACCENT = (30, 30, 30), (200, 0, 90)

Box = tuple[float, float, float, float]


def draw_path(
    session: Session,
    area: tuple[str, Box] | None = None,
    notice: str = "",
    drawn: Sequence[tuple[str, Sequence[int]]] = (),
) -> Image:
    """Draw a session's visits as numbered circles, joined in the order in which they were made, and paths next to it.

    Visits to one slot are spread over its box, in reading order. The area of a circle is proportional to the time of
    the visit, its colour is when it began; fixations on no slot have no place here and are counted below the picture.

    Args:
        session: The session, with its image and its fixations.
        area: Name and box, in pixels of the image, of a place to outline with dashes; None for none.
        notice: A line below the picture, for simulated data.
        drawn: Names and slots of paths that simulators drew: a picture each. They have no times, so their circles are
            of one size, and coloured by number.

    Returns:
        An RGB picture; with ``drawn``, two a row (of tall screens all in one), the recorded one first.

    Raises:
        InputError: The session holds no image or no visit, or a drawn path is another session's.
    """
    from PIL import Image as PilImage

    if session.image is None:
        raise InputError(f"session '{session.session_id}' was prepared without images; prepare the task with them.")
    found = visits(session)
    if not found:
        raise InputError(f"session '{session.session_id}' holds no fixations in order; prepare the task again.")
    elsewhere = [f.duration_ms for f in session.fixations if f.slot < 0]
    lines = [
        f"session {session.session_id}, user {session.user}: {len(found)} visits in order; circle: time on the slot "
        f"({max(v.ms for v in found):.0f} ms the longest), dark: early, yellow: late; black outline: clicked",
        f"not drawn: {len(elsewhere)} fixations on no slot, {sum(elsewhere):.0f} ms",
        *([notice] if notice else []),
    ]
    sheets = [_sheet(session, found, lines, area)]
    for name, slots in drawn:
        if max(slots) >= len(session.slots):
            raise InputError(f"the path that {name} drew for session '{session.session_id}' leaves its slots.")
        path = tuple(Visit(slot, float(number), 1.0) for number, slot in enumerate(slots))
        said = [f"drawn by {name}, which was told nothing of the path: {len(path)} visits", "dark: early, yellow: late"]
        sheets.append(_sheet(session, path, [*said, *([notice] if notice else [])], None))
    if len(sheets) == 1:
        return sheets[0]
    width, height = sheets[0].size
    columns = 2 if height < 1.5 * width else len(sheets)
    whole = PilImage.new("RGB", (columns * width, height * -(-len(sheets) // columns)), "white")
    for index, sheet in enumerate(sheets):
        whole.paste(sheet, (index % columns * width, index // columns * height))
    return whole


def _sheet(session: Session, found: Sequence[Visit], lines: Sequence[str], area: tuple[str, Box] | None) -> Image:
    """Draw one path over the screen, with lines below it; the longest time of a visit makes the largest circle."""
    from PIL import Image as PilImage
    from PIL import ImageDraw
    from PIL.ImageFont import load_default

    assert session.image is not None, "checked before"
    screen = session.image.open()
    scale = max(1.0, WIDTH / screen.width)
    screen = screen.resize((round(screen.width * scale), round(screen.height * scale)))
    unit = screen.width / 100
    font = load_default(1.3 * unit)
    sheet = PilImage.new("RGB", (screen.width, screen.height + round(2 * unit * (len(lines) + 0.5))), "white")
    sheet.paste(PilImage.blend(screen, PilImage.new("RGB", screen.size, "white"), 0.35))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle([v * scale for v in session.slots[session.click].box], outline="black", width=3)
    if area is not None:
        name, box = area
        x0, y0, x1, y1 = (v * scale for v in box)
        _dashed(draw, (x0, y0, x1, y1), unit)
        corner = (x0 + unit / 2, y1 - 2 * unit)
        draw.rectangle(draw.textbbox(corner, name, font=font), fill="white")
        draw.text(corner, name, fill=ACCENT, font=font)
    boxes = [np.array(slot.box) * scale for slot in session.slots]
    times, turn = Counter(v.slot for v in found), Counter[int]()
    places = []
    for visit in found:
        places.append(_place(boxes[visit.slot], turn[visit.slot], times[visit.slot]))
        turn[visit.slot] += 1
    for width, colour in ((5, "white"), (2, INK)):
        draw.line(places, fill=colour, width=width, joint="curve")
    longest, span = max(v.ms for v in found), max(found[-1].start_ms - found[0].start_ms, 1.0)
    largest = 2.4 if len({v.ms for v in found}) > 1 else 1.4
    for number, (visit, (x, y)) in enumerate(zip(found, places, strict=True), start=1):
        radius = unit * max(1.0, largest * math.sqrt(visit.ms / longest))
        moment = (visit.start_ms - found[0].start_ms) / span
        red, green, blue = (round(float(np.interp(moment, (0, 0.5, 1), shade))) for shade in zip(*COLOURS, strict=True))
        circle = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(circle, fill=(red, green, blue), outline="white", width=2)
        ink = contrast((red / 255, green / 255, blue / 255))
        draw.text((x, y), str(number), fill=ink, font=font, anchor="mm")
    for index, line in enumerate(lines):
        draw.text((unit, screen.height + unit * (2 * index + 0.5)), line, fill=INK, font=font)
    return sheet


def _place(box: np.ndarray, index: int, count: int) -> tuple[float, float]:
    """Return where visit ``index`` of ``count`` to a slot is drawn: cells of a grid over the box, in reading order."""
    x0, y0, x1, y1 = box.tolist()
    columns = min(count, max(1, math.ceil(math.sqrt(count * (x1 - x0) / max(y1 - y0, 1.0)))))
    row, column = divmod(index, columns)
    rows = math.ceil(count / columns)
    return x0 + (column + 0.5) * (x1 - x0) / columns, y0 + (row + 0.5) * (y1 - y0) / rows


def _dashed(draw: ImageDraw, box: Box, dash: float) -> None:
    """Draw the outline of a box with dashes."""
    x0, y0, x1, y1 = box
    for a, b in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        start, end = np.array(a), np.array(b)
        pieces = max(1, round(float(np.abs(end - start).sum()) / (2 * dash)))
        for piece in range(pieces):
            ends = (start + (end - start) * (piece + part) / pieces for part in (0.0, 0.5))
            draw.line([tuple(at.tolist()) for at in ends], fill=ACCENT, width=3)
