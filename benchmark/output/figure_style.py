"""How every figure looks: column width, readable type, colours for all eyes, and the same file every time."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from benchmark.reproduction.figures.base import Figure

WIDTH = 8.4
"""Centimetres: one column of a two-column page."""

TYPE_SIZE = 7.0
"""Points; nothing in a figure is smaller."""

DPI = 300
FORMATS = ("svg", "png")

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


def require_matplotlib() -> None:
    """Refuse to go on without matplotlib, before hours of runs end in no picture; InputError if it is not installed."""
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise InputError("figures need matplotlib: pip install 'gazebench[vlm]', or reproduce the tables alone.")


def encode(figure: Figure) -> dict[str, bytes]:
    """Draw a figure and return it in every format of ``FORMATS``.

    The bytes depend on the values and on the versions of matplotlib and its fonts alone: no date, no random name.
    """
    with drawn(figure) as canvas:
        metadata: Mapping[str, Mapping[str, str | None]] = {"svg": {"Date": None}, "png": {"Software": None}}
        found = {}
        for form in FORMATS:
            file = io.BytesIO()
            canvas.savefig(file, format=form, dpi=DPI, metadata=dict(metadata[form]))
            found[form] = file.getvalue()
        return found


@contextlib.contextmanager
def drawn(figure: Figure) -> Iterator[Canvas]:
    """Give the drawn figure with its notes below the picture; within the block the settings of figures hold."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # a user's matplotlibrc must not change the files
        matplotlib.rcParams.update(_SETTINGS)
        lines = wrap(" ".join(figure.notes), (WIDTH - 2 * _GAP) * _CM * 72)
        below = len(lines) * TYPE_SIZE * 1.25 / 72 / _CM + _GAP if lines else 0.0
        height = figure.picture.height + below
        canvas = Canvas(figsize=(WIDTH * _CM, height * _CM), layout="constrained")
        FigureCanvasAgg(canvas)
        engine = canvas.get_layout_engine()
        assert engine is not None
        engine.set(rect=(0, below / height, 1, 1 - below / height))  # type: ignore[call-arg]  # of the constrained one
        figure.picture.draw(canvas)
        if lines:
            where = (_GAP / WIDTH, 0.6 * _GAP / height)
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
