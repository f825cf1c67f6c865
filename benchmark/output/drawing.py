"""A session as a picture: the screen in grey under gaze and attention per slot, or under the path of the eyes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.output import figure_style as style
from benchmark.output.figure_style import Drawing
from benchmark.simulator import Floats
from tasks.errors import InputError
from tasks.types import Session, Visit, visits

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from PIL.Image import Image

GAZE, ATTENTION, CLICKS = "#e66101", "#5e3c99", "#0072b2"
"""They stay apart for colour-blind readers; the click of a session is an outline, not a hue."""
WIDE = 17.0
"""Centimetres of a picture with several panels in a row: both columns of a page."""
STRONGEST, FAINT = 0.75, 0.05
"""Opacity of the largest share of a picture; the share that its legend shows next to that one."""
NAMED = 3
"""So many of a panel's largest shares have a number, and every one of ``FAINT`` and more."""

_LEGEND, _WORDS, _GAP = 0.75, 0.42, 0.15
"""Centimetres: of the legend, in two lines where a picture is narrow; of a line of words; between panels."""
_LETTER = 0.15
"""Centimetres of a letter of a panel's title."""
_ACCENT = "#c8005a"
_SCREEN_DPI = 200
_TALL = 1.5
"""Height over width from which on all panels are in one row."""

Box = tuple[float, float, float, float]


def opacity(share: float, top: float) -> float:
    """Return how opaque a share is in a picture whose largest is ``top``: the root of both, so that 5 % is visible."""
    return STRONGEST * math.sqrt(max(0.0, share) / top) if top > 0 else 0.0


def numbered(shares: Floats) -> list[int]:
    """Return the slots whose shares are written as numbers."""
    largest = np.argsort(-shares, kind="stable")[:NAMED].tolist()
    return [slot for slot, share in enumerate(shares) if share >= FAINT or (slot in largest and share >= 0.005)]


def place_number(grey: NDArray[np.uint8], box: Box, width: float, height: float) -> tuple[float, float]:
    """Return the middle of a number of some size at the emptiest place in a slot, or just above or below it.

    All in pixels of the screen, ``grey``, shape (rows, columns), 0..255.
    """
    rows, columns = grey.shape
    x0, y0, x1, y1 = max(0.0, box[0]), max(0.0, box[1]), min(float(columns), box[2]), min(float(rows), box[3])
    across = np.linspace(x1 - width / 2, x0 + width / 2, 9) if x1 - x0 > width else [(x0 + x1) / 2]
    down = np.linspace(y0 + height / 2, y1 - height / 2, 5) if y1 - y0 > height else [(y0 + y1) / 2]
    places = [(float(x), float(y)) for y in (*down, y1 + height / 2, y0 - height / 2) for x in across]

    def ink(place: tuple[float, float]) -> float:
        left, above = place[0] - width / 2, place[1] - height / 2
        outside = 0 if y0 <= place[1] <= y1 else 20
        part = grey[max(0, int(above)) : math.ceil(above + height), max(0, int(left)) : math.ceil(left + width)]
        inside = 0 <= above and above + height <= rows and part.size
        return float(part.std()) // 4 + outside if inside else math.inf

    return min(places, key=ink)


@dataclass(frozen=True, slots=True)
class View:
    """One panel; without shares and path it is the bare screen.

    Attributes:
        title: Above the panel.
        shares: Shape (K,), sum 1.
        colour: Of the shares.
        path: Visits in time order, drawn as numbered circles: the area is the time, dark is early, yellow late.
        area: Name and box of a place to outline with dashes.
        below: Below the panel.
        every: All shares have a number, as no text is on the screen.
    """

    title: str
    shares: Floats | None = None
    colour: str = GAZE
    path: tuple[Visit, ...] = ()
    area: tuple[str, Box] | None = None
    below: str = ""
    every: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels side by side, with the same slots on the same screen; ``click`` is outlined."""

    boxes: tuple[Box, ...]
    click: int | None
    screen: Image
    views: tuple[View, ...]

    @classmethod
    def of(cls, session: Session, screen: Image, views: Sequence[View]) -> Row:
        """Return the panels of a session."""
        return cls(tuple(slot.box for slot in session.slots), session.click, screen, tuple(views))

    @property
    def words(self) -> tuple[float, float]:
        """Centimetres of the lines above and below the panels."""
        above, below = any(view.title for view in self.views), any(view.below for view in self.views)
        return _WORDS * above, _WORDS * below


def views_of(session: Session, attention: Sequence[tuple[str, Floats]]) -> list[View]:
    """Return the bare screen, the human gaze, and a panel per named attention."""
    bare = View(f"screen {session.screen}, user {session.user}")
    found = [View(f"attention: {name}", a / a.sum(), ATTENTION) for name, a in attention]
    return [bare, View("human gaze (share of dwell)", session.gaze), *found]


def path_views(
    session: Session, area: tuple[str, Box] | None = None, drawn: Sequence[tuple[str, Sequence[int]]] = ()
) -> list[View]:
    """Return a panel of a session's visits in order, and one per path that a simulator drew; these have no times.

    InputError if the session holds no visit, or a drawn path is another session's.
    """
    found = visits(session)
    if not found:
        raise InputError(f"session '{session.session_id}' holds no fixations in order; prepare the task again.")
    elsewhere = [f.duration_ms for f in session.fixations if f.slot < 0]
    lost = f"; not drawn: {len(elsewhere)} on no slot, {sum(elsewhere):.0f} ms" if elsewhere else ""
    said = f"{len(found)} visits, the longest {max(v.ms for v in found):.0f} ms{lost}"
    views = [View(f"session {session.session_id}, user {session.user}", path=found, area=area, below=said)]
    for name, slots in drawn:
        if max(slots) >= len(session.slots):
            raise InputError(f"the path that {name} drew for session '{session.session_id}' leaves its slots.")
        path = tuple(Visit(slot, float(number), 1.0) for number, slot in enumerate(slots))
        views.append(View(f"drawn by {name}", path=path, below=f"{len(path)} visits, not given the recorded ones"))
    return views


def draw_session(session: Session, views: Sequence[View], notice: str = "") -> Drawing:
    """Return a picture of views of one session, two or three a row, of tall screens all in one; the notice is below."""
    screen = screen_of(session)
    columns = len(views) if len(views) == 3 or screen.height > _TALL * screen.width else min(2, len(views))
    rows = [Row.of(session, screen, views[i : i + columns]) for i in range(0, len(views), columns)]
    width = WIDE if columns > 1 else 1.5 * style.WIDTH
    return Drawing(Panels(tuple(rows), width), (notice,) if notice else (), width)


def screen_of(session: Session) -> Image:
    """Return the screen of a session; InputError if it carries none."""
    if session.image is None:
        raise InputError(f"session '{session.session_id}' was prepared without images; prepare the task with them.")
    return session.image.open()


@dataclass(frozen=True, slots=True)
class Panels:
    """The picture: rows of panels, all shares on one scale; ``width`` in centimetres."""

    rows: tuple[Row, ...]
    width: float = style.WIDTH

    @property
    def columns(self) -> int:
        """Panels side by side."""
        return max(len(row.views) for row in self.rows)

    @property
    def panel(self) -> float:
        """Width of a panel in centimetres."""
        return self.width / self.columns - _GAP

    @property
    def height(self) -> float:
        """Height in centimetres: every panel has the shape of its screen."""
        return _LEGEND + sum(self._tall(row) + sum(row.words) + _GAP for row in self.rows)

    def _tall(self, row: Row) -> float:
        return self.panel * row.screen.height / row.screen.width

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas; every place is computed here, as no engine finds it faster."""
        canvas.set_layout_engine("none")
        wide, whole = self.panel, 2.54 * canvas.get_figheight()
        below = canvas.add_axes((0.0, 1 - self.height / whole, 1.0, _LEGEND / whole))
        shares = [v.shares for row in self.rows for v in row.views if v.shares is not None]
        top = max((float(s.max()) for s in shares), default=1.0)
        edge = whole
        for row in self.rows:
            grey = row.screen.convert("L")
            levels, faded = np.asarray(grey), _faded(grey, wide)
            edge -= row.words[0] + self._tall(row)
            for j, view in enumerate(row.views):
                left, size = j * (wide + _GAP) + _GAP / 2, (wide / self.width, self._tall(row) / whole)
                axes = canvas.add_axes((left / self.width, edge / whole, *size))
                bare = view.shares is None and not view.path
                _panel(axes, row, view, row.screen if bare else faded, round(wide / _LETTER))
                _tint(axes, row.boxes, view, top, levels, wide)
                _path(axes, row.boxes, view, row.screen.width / wide)
            edge -= row.words[1] + _GAP
        below.set_axis_off()
        below.legend(handles=self._legend(top), loc="center", ncols=3 if self.width < WIDE else 6, columnspacing=1.0)

    def _legend(self, top: float) -> list[Any]:
        """Return what the colours and outlines mean, with the scale of the shares."""
        from matplotlib.lines import Line2D
        from matplotlib.patches import Patch

        views = [view for row in self.rows for view in row.views]
        marks: list[Any] = []
        if any(row.click is not None for row in self.rows):
            marks.append(Patch(fill=False, edgecolor="black", linewidth=1.2, label="clicked"))
        for name, colour in (("gaze", GAZE), ("attention", ATTENTION), ("clicks", CLICKS)):
            if any(view.shares is not None and view.colour == colour for view in views):
                marks += [
                    Patch(color=_on_white(colour, opacity(share, top)), linewidth=0, label=f"{name} {share:.0%}")
                    for share in dict.fromkeys((min(FAINT, top), top))
                ]
        if any(view.path for view in views):
            for label, shade in (("first", _moment(0.0)), ("last", _moment(1.0))):
                marks.append(
                    Line2D([], [], marker="o", linestyle="", markersize=6, color=shade, label=f"{label} visit")
                )
        return marks


def _on_white(colour: str, opaque: float) -> str:
    """Return a colour as it looks over a white screen, whatever the page behind a legend."""
    from matplotlib.colors import to_hex, to_rgb

    red, green, blue = (1 - opaque * (1 - part) for part in to_rgb(colour))
    return to_hex((red, green, blue))


def _faded(grey: Image, wide: float) -> Image:
    """Return a screen in light grey, as fine as a panel of so many centimetres shows it."""
    from PIL.Image import Resampling

    width = min(grey.width, round(wide / 2.54 * _SCREEN_DPI))
    small = grey.resize((width, max(1, round(width * grey.height / grey.width))), Resampling.LANCZOS)
    return small.point([round(120 + 135 * level / 255) for level in range(256)]).convert("RGB")


def _panel(axes: Any, row: Row, view: View, screen: Image, letters: int) -> None:
    """Draw the screen, the click and the words around a panel, a title of so many letters at most."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    width, height = row.screen.size
    smooth = "none" if screen is not row.screen else "antialiased"
    axes.imshow(screen, interpolation=smooth, extent=(0, width, height, 0), aspect="auto")
    if row.click is not None:
        x0, y0, x1, y1 = row.boxes[row.click]
        around: Any = {"path_effects": [withStroke(linewidth=2.8, foreground="white")], "zorder": 3, "linewidth": 1.2}
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor="black", **around))
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    title = view.title
    if len(title) > letters:  # both ends say most: what it is, and whose
        title = f"{title[: letters // 2].rstrip()} … {title[len(title) - letters // 2 + 3 :].lstrip()}"
    axes.set_title(title.replace("$", r"\$"), pad=3)
    if view.below:
        axes.set_xlabel(view.below, labelpad=1.5)
    axes.spines[:].set(visible=True, color="0.7")


def _tint(axes: Any, boxes: Sequence[Box], view: View, top: float, grey: Any, wide: float) -> None:
    """Draw the shares of a panel that is so many centimetres wide, and their numbers."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    if view.shares is None:
        return
    named = range(len(boxes)) if view.every else numbered(view.shares)
    pixels = grey.shape[1] / wide
    for slot, share in enumerate(view.shares.tolist()):
        x0, y0, x1, y1 = boxes[slot]
        tint: Any = {"facecolor": view.colour, "alpha": opacity(share, top), "linewidth": 0}
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **tint))
        if slot in named:
            text = f"{100 * share:.0f}"
            middle = place_number(grey, (x0, y0, x1, y1), (0.17 * len(text) + 0.05) * pixels, 0.28 * pixels)
            written = axes.text(*middle, text, ha="center", va="center", color="black", zorder=4)
            written.set(path_effects=[withStroke(linewidth=1.6, foreground="white")], clip_on=False)


def _path(axes: Any, boxes: Sequence[Box], view: View, cm: float) -> None:
    """Draw the visits of a panel as circles joined in their order; ``cm`` is a centimetre in pixels of the screen."""
    from matplotlib.patches import Circle, Rectangle

    if view.area is not None:
        name, (x0, y0, x1, y1) = view.area
        axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=_ACCENT, linestyle="--"))
        axes.text(x0 + 0.1 * cm, y1 - 0.1 * cm, name, color=_ACCENT, va="bottom", backgroundcolor="white")
    if not view.path:
        return
    times, turn, places = Counter(v.slot for v in view.path), Counter[int](), []
    for visit in view.path:
        places.append(_place(np.array(boxes[visit.slot]), turn[visit.slot], times[visit.slot]))
        turn[visit.slot] += 1
    for width, colour in ((2.6, "white"), (1.0, style.INK)):
        axes.plot(*zip(*places, strict=True), color=colour, linewidth=width, zorder=4)
    longest, span = max(v.ms for v in view.path), max(view.path[-1].start_ms - view.path[0].start_ms, 1.0)
    largest = 0.4 if len({v.ms for v in view.path}) > 1 else 0.22
    for number, (visit, place) in enumerate(zip(view.path, places, strict=True), start=1):
        shade = _moment((visit.start_ms - view.path[0].start_ms) / span)
        radius = cm * max(0.17, largest * math.sqrt(visit.ms / longest))
        axes.add_patch(Circle(place, radius, facecolor=shade, edgecolor="white", linewidth=0.8, zorder=5))
        axes.text(*place, str(number), ha="center", va="center_baseline", color=style.contrast(shade), zorder=6)


def _moment(part: float) -> tuple[float, float, float]:
    """Return the colour of a moment, 0 the first and 1 the last: from the dark to the light end of the shares' map."""
    from matplotlib import colormaps

    red, green, blue, _ = colormaps[style.SHARES](part)
    return red, green, blue


def _place(box: np.ndarray, index: int, count: int) -> tuple[float, float]:
    """Return where visit ``index`` of ``count`` to a slot is drawn: cells of a grid over the box, in reading order."""
    x0, y0, x1, y1 = box.tolist()
    columns = min(count, max(1, math.ceil(math.sqrt(count * (x1 - x0) / max(y1 - y0, 1.0)))))
    row, column = divmod(index, columns)
    rows = math.ceil(count / columns)
    return x0 + (column + 0.5) * (x1 - x0) / columns, y0 + (row + 0.5) * (y1 - y0) / rows
