"""How every figure looks: column width, readable type, colours for all eyes, and the same file every time."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from benchmark.files.replacing import replace_file
from tasks.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas
    from PIL.Image import Image

    from benchmark.reproduction.figures.base import Figure

WIDTH = 8.4
"""Centimetres: one column of a two-column page."""

TYPE_SIZE = 7.0
"""Points; nothing in a figure is smaller."""

DPI = 300
FORMATS = ("svg", "png", "pdf")

INK = "#222222"
NOTE_INK = "#a00000"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#000000")
"""Okabe and Ito 2008, those with the best contrast on white first."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
"""A second sign in addition to the colour."""

SHARES = "cividis"
"""Colours of shares, even in lightness and the same for colour-blind readers."""

_SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": TYPE_SIZE,
    "axes.titlesize": TYPE_SIZE,
    "axes.labelsize": TYPE_SIZE,
    "xtick.labelsize": TYPE_SIZE,
    "ytick.labelsize": TYPE_SIZE,
    "legend.fontsize": TYPE_SIZE,
    "figure.titlesize": TYPE_SIZE,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.0,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.hashsalt": "gazebench",
    "svg.fonttype": "path",
}

_CM = 1 / 2.54
_GAP = 0.15  # centimetres around the notes


class Picture(Protocol):
    """Values that know how to draw themselves."""

    @property
    def height(self) -> float:
        """Height in centimetres, without the notes below it."""

    def draw(self, canvas: Canvas) -> None:
        """Draw on an empty canvas of this height."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture with what must be said below it; notebooks show it.

    Attributes:
        picture: What is drawn.
        notes: What is simulated or a stand-in.
        width: Centimetres.
    """

    picture: Picture = field(repr=False)
    notes: tuple[str, ...] = ()
    width: float = WIDTH

    def save(self, file: str | Path) -> Path:
        """Write the picture (``.png``, ``.svg``, ``.pdf``) whole or not at all and return the file, else InputError."""
        path = check_name(file)
        form = path.suffix[1:].lower()
        replace_file(path, lambda partial: partial.write_bytes(encode(self, (form,))[form]))
        return path

    def image(self, dpi: int = 200) -> Image:
        """Return the picture in pixels, mode RGB."""
        import numpy as np
        from PIL import Image

        with drawn(self, dpi) as canvas:
            canvas.canvas.draw()
            return Image.fromarray(np.asarray(canvas.canvas.buffer_rgba())).convert("RGB")  # type: ignore[attr-defined]

    def _repr_png_(self) -> bytes:
        return encode(self, ("png",), 200)["png"]


def check_name(file: str | Path) -> Path:
    """Return the path of a picture; InputError if its name ends in none of ``.png``, ``.svg`` and ``.pdf``."""
    path = Path(file)
    if path.suffix.lower()[1:] not in FORMATS:
        raise InputError(f"'{path}' does not name a picture; it must end in .png, .svg or .pdf.")
    return path


def encode(figure: Figure | Drawing, forms: Sequence[str] = FORMATS, dpi: int = DPI) -> dict[str, bytes]:
    """Draw a figure and return it in some formats.

    The bytes depend on the values and on the versions of matplotlib and its fonts alone: no date, no random name.
    """
    with drawn(figure) as canvas:
        nameless = {"svg": {"Date": None}, "png": {"Software": None}, "pdf": {"CreationDate": None}}
        found = {}
        for form in forms:
            file = io.BytesIO()
            canvas.savefig(file, format=form, dpi=dpi, metadata=nameless[form])
            found[form] = file.getvalue()
        return found


@contextlib.contextmanager
def drawn(figure: Figure | Drawing, dpi: float = 100) -> Iterator[Canvas]:
    """Give the drawn figure with its notes below the picture; within the block the settings of figures hold."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    width = figure.width if isinstance(figure, Drawing) else WIDTH
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change the files
        matplotlib.rcParams.update(_SETTINGS)
        lines = wrap(" ".join(figure.notes), (width - 2 * _GAP) * _CM * 72)
        below = len(lines) * TYPE_SIZE * 1.25 / 72 / _CM + _GAP if lines else 0.0
        height = figure.picture.height + below
        canvas = Canvas(figsize=(width * _CM, height * _CM), dpi=dpi, layout="constrained")
        FigureCanvasAgg(canvas)
        engine = canvas.get_layout_engine()
        assert engine is not None
        engine.set(rect=(0, below / height, 1, 1 - below / height))  # type: ignore[call-arg]  # of the constrained one
        figure.picture.draw(canvas)
        if lines:
            where = (_GAP / width, 0.6 * _GAP / height)
            canvas.text(*where, "\n".join(lines), va="bottom", ha="left", color=NOTE_INK, linespacing=1.1)
        _settle(canvas)
        yield canvas


def _settle(canvas: Canvas) -> None:
    """Lay the panels out once and keep them there, rounded: the solver's last digits differ from call to call."""
    engine = canvas.get_layout_engine()
    assert engine is not None
    for _ in range(2):  # labels depend on the size of their panel, which depends on the labels
        engine.execute(canvas)
    canvas.set_layout_engine("none")
    for axes in canvas.axes:
        axes.set_position(tuple(round(value, 5) for value in axes.get_position(original=True).bounds))


def wrap(text: str, width: float) -> list[str]:
    """Break a text into lines no wider than ``width`` points; a longer word is a line of its own."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family="DejaVu Sans", size=TYPE_SIZE)

    def fits(line: str) -> bool:
        return float(text_to_path.get_text_width_height_descent(line, font, ismath=False)[0]) <= width

    lines: list[str] = []
    for word in text.split():
        if lines and fits(f"{lines[-1]} {word}"):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def contrast(shade: Sequence[float]) -> str:
    """Return black or white, whichever reads better on an RGB colour (0..1)."""
    red, green, blue = shade[:3]
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5 else "black"
