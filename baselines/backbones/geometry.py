"""Where image tokens are on the screen, in pixels of the original image.

Resizing is per axis and linear, so a token's area maps back exactly: no rounding enters the boxes.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tasks.types import Box, Floats


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a screen becomes square pictures.

    Attributes:
        canvas: Width and height of the resized picture before it is cut, pixels.
        paste: Left and top corner of the resized screen on the canvas, pixels.
        resized: Width and height of the resized screen, pixels.
        cells: Columns and rows of tiles.
        whole: A view of the whole screen, stretched to one square, follows the tiles.
        windows: Per picture, in the order the model gets them, the screen area it covers, ``(x0, y0, x1, y1)`` in
            screen pixels; it reaches beyond the screen where the picture has bars.
    """

    canvas: tuple[int, int]
    paste: tuple[int, int]
    resized: tuple[int, int]
    cells: tuple[int, int]
    whole: bool
    windows: tuple[Box, ...]


def token_boxes(windows: tuple[Box, ...], rows: int, columns: int, size: tuple[int, int]) -> Floats:
    """Return the screen area of every token, picture after picture, each row by row from the top left.

    A picture covers the area of its window with ``rows`` x ``columns`` tokens. The boxes, shape (pictures rows columns,
    4), are clipped to the screen's ``size`` (width, height); a token outside the screen has an empty box.
    """
    found = []
    for x0, y0, x1, y1 in windows:
        xs = np.clip(x0 + (x1 - x0) * np.arange(columns + 1) / columns, 0.0, size[0])
        ys = np.clip(y0 + (y1 - y0) * np.arange(rows + 1) / rows, 0.0, size[1])
        left, top = np.meshgrid(xs[:-1], ys[:-1])
        right, bottom = np.meshgrid(xs[1:], ys[1:])
        found.append(np.stack([left, top, right, bottom], axis=-1).reshape(-1, 4))
    return np.concatenate(found).astype(np.float64)


def tiling(size: tuple[int, int], side: int, cells: tuple[int, int], fit: Literal["tile", "letterbox"]) -> Tiling:
    """Plan the square pictures, ``side`` pixels wide, of a screen of ``size`` (width, height).

    ``tile`` stretches the screen onto ``cells`` (columns, rows) of tiles and adds a whole view if there are several;
    ``letterbox`` keeps its proportions, centred in one square with bars.
    """
    width, height = size
    if fit == "letterbox":
        scale = min(side / width, side / height)
        resized = (max(1, round(width * scale)), max(1, round(height * scale)))
        paste = ((side - resized[0]) // 2, (side - resized[1]) // 2)
        # Screen pixels per canvas pixel, per axis: rounding the resized side changes the scale, not the mapping.
        sx, sy = width / resized[0], height / resized[1]
        window = (-paste[0] * sx, -paste[1] * sy, (side - paste[0]) * sx, (side - paste[1]) * sy)
        return Tiling((side, side), paste, resized, (1, 1), False, (window,))
    columns, rows = cells
    windows = [
        (c * width / columns, r * height / rows, (c + 1) * width / columns, (r + 1) * height / rows)
        for r in range(rows)
        for c in range(columns)
    ]
    whole = len(windows) > 1
    if whole:
        windows.append((0.0, 0.0, float(width), float(height)))
    canvas = (columns * side, rows * side)
    return Tiling(canvas, (0, 0), canvas, cells, whole, tuple(windows))


def as_one_grid(boxes: Floats, grid: tuple[int, int, int], size: tuple[int, int]) -> Floats:
    """Return where published code takes the tokens of several tiles to be: one grid over the screen, row by row.

    The tokens come tile by tile, and that code exchanges the numbers of tiles across and down, so that only a single
    tile is where it is. ``boxes``, shape (n rows columns, 4), are the tokens of the n tiles of ``grid``.
    """
    n, rows, columns = grid
    if n == 1:
        return boxes
    across = round(size[0] / (columns * float(boxes[0, 2] - boxes[0, 0])))
    whole = (0.0, 0.0, float(size[0]), float(size[1]))
    return token_boxes((whole,), rows * across, columns * (n // across), size)
