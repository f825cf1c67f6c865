"""A session as a picture: the screen, with gaze and attention over its slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.simulator import Floats
from tasks.errors import InputError
from tasks.types import Session

if TYPE_CHECKING:
    from PIL.Image import Image
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
