"""Draws the RecGaze page as the user saw it at the click: three carousels of five films (PROTOCOL section 2).

The page is the published one at its own shape (342 x 193 posters at x = 76, 427, ... of a 1920-wide page, rows 340
apart, the genre above each row), with one addition: a letter A..O below each poster, which an answer names. At compact
sizes the same page would leave no room for letters, so there the fifteen cells share the image evenly.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image as PilImage
from PIL import ImageDraw as PilDraw
from PIL.Image import Image

from tasks.definition import Progress
from tasks.errors import InputError
from tasks.pictures import fitted, text_font
from tasks.recgaze.posters import canonical_genre, draw_poster, open_poster
from tasks.types import Slot

ROWS, COLUMNS = 3, 5
LETTERS = "ABCDEFGHIJKLMNO"
PUBLISHED_SIZE = (1100, 600)

_DRAWING = 1  # goes into every digest: raise it when the same state is drawn differently
_PAGE_WIDTH = 1920
_COLUMN_X = (76, 427, 778, 1129, 1480)
_POSTER = (342, 193)
_ROW_PITCH = 339.5  # 176, 516, 855 in the published AOI file
_TITLE_Y, _POSTER_Y = 106, 176
_COMPACT_BELOW = 800  # image width below which the published margins leave no room for letters
_SMALLEST = (240, 144)
_GROUND = (20, 20, 20)
_WHITE = (255, 255, 255)
_LETTER_OVERSAMPLING = 4
_CACHED_POSTERS = 1024
_POOL_FROM = 40  # fewer screens are drawn sooner than a second process starts


@dataclass(frozen=True, slots=True)
class Film:
    """One film as the screen shows it.

    Attributes:
        poster: Poster file name (``TMDB_poster_path``), or empty.
    """

    movie_id: str
    title: str
    year: str
    genres: tuple[str, ...]
    poster: str


@dataclass(frozen=True, slots=True)
class ScreenState:
    """The fifteen films on view: three rows, each a genre title and five films from left to right."""

    rows: tuple[tuple[str, tuple[Film, ...]], ...]

    def __post_init__(self) -> None:
        if len(self.rows) != ROWS or any(len(films) != COLUMNS for _, films in self.rows):
            raise ValueError(f"a screen has {ROWS} rows of {COLUMNS} films")


@dataclass(frozen=True, slots=True)
class _Row:
    """Where a carousel lies, in pixels: title line, left edges of the posters, their top and size, letter line."""

    title_y: float
    title_height: float
    lefts: tuple[int, ...]
    top: int
    poster: tuple[int, int]
    letter_y: float
    letter_height: float


def slot_boxes(size: tuple[int, int]) -> tuple[tuple[float, float, float, float], ...]:
    """Return the fifteen poster areas of a screen, (x0, y0, x1, y1) in pixels, edges included; slot = row * 5 + column.

    InputError if the size is too small for legible letters.
    """
    return tuple(
        (float(x), float(row.top), float(x + row.poster[0] - 1), float(row.top + row.poster[1] - 1))
        for row in _layout(size)
        for x in row.lefts
    )


def state_digest(state: ScreenState, size: tuple[int, int]) -> str:
    """Return the SHA-256 of what is drawn: films, genres, size and the version of the drawing.

    It does not depend on whether a poster folder is used, so it names a state within one prepared folder.
    """
    rows = [[genre, [[f.movie_id, f.title, f.year, f.genres, f.poster] for f in films]] for genre, films in state.rows]
    text = json.dumps([_DRAWING, size, rows], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def draw_screen(state: ScreenState, size: tuple[int, int], posters: Path | None = None) -> Image:
    """Draw one screen as an RGB image; the same arguments give the same pixels.

    ``size`` is width and height in pixels: (1100, 600) is the published shape, smaller ones such as (480, 288) and
    (320, 192) suit small models. A film without a file in ``posters`` gets a drawn poster. InputError if the size is
    too small, or a poster file does not open.
    """
    screen: Image = PilImage.new("RGB", size, _GROUND)
    draw = PilDraw.Draw(screen)
    for row, (genre, films) in zip(_layout(size), state.rows, strict=True):
        title = canonical_genre(genre) or genre
        font = text_font(row.title_height)
        line = fitted(title, font, size[0] - 2 * row.lefts[0])
        draw.text((row.lefts[0], row.title_y), line, _WHITE, font=font, anchor="lm")
        for x, film in zip(row.lefts, films, strict=True):
            screen.paste(_poster(film, title, row.poster, posters), (x, row.top))
    _draw_letters(screen, LETTERS)
    return screen


def draw_letters(screen: Image, slots: Sequence[Slot]) -> None:
    """Draw the letters of the fifteen slots below the posters of a screen, in place."""
    _draw_letters(screen, [slot.label for slot in slots])


def _draw_letters(screen: Image, letters: Sequence[str]) -> None:
    at = iter(letters)
    for row in _layout(screen.size):
        for x in row.lefts:
            letter = _letter(next(at), row.letter_height)
            corner = (round(x + row.poster[0] / 2 - letter.width / 2), round(row.letter_y - letter.height / 2))
            screen.paste(_WHITE, corner, letter)


def letter_areas(size: tuple[int, int], slots: Sequence[Slot] = ()) -> list[tuple[int, int, int, int]]:
    """Return :func:`slot_boxes` of the letters below the posters, with nothing else; ``x1`` and ``y1`` are excluded."""
    areas = []
    for row in _layout(size):
        bottom = row.top + row.poster[1]
        end = min(size[1], round(2 * row.letter_y - bottom))  # the letter is in the middle of its line
        areas += [(x, bottom, x + row.poster[0], end) for x in row.lefts]
    return areas


def draw_screens(
    states: Mapping[str, ScreenState],
    out: Path,
    size: tuple[int, int],
    posters: Path | None,
    workers: int,
    progress: Progress,
) -> dict[str, Path]:
    """Draw every distinct screen into one PNG file, ``<digest>.png``, whatever the number of workers.

    Returns state digest -> file, in the order of ``states``. InputError if a poster does not open, the size is too
    small, or a file cannot be written.
    """
    _layout(size)
    if posters is not None and not posters.is_dir():
        raise InputError(f"the poster folder {posters} is not a folder.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder {out} for the screens: {error.strerror}.") from error
    # States of one page come one after the other, so that their posters are drawn once and then cached.
    order = sorted(states, key=lambda digest: [film.movie_id for _, films in states[digest].rows for film in films])
    jobs = [(states[digest], out / f"{digest}.png", size, posters) for digest in order]
    for _ in progress(_drawn(jobs, workers), total=len(jobs), desc="screens"):
        pass
    return {digest: out / f"{digest}.png" for digest in states}


_Job = tuple[ScreenState, Path, tuple[int, int], Path | None]


def _drawn(jobs: list[_Job], workers: int) -> Iterator[None]:
    """Draw the jobs and yield after each."""
    done = 0
    if workers > 1 and len(jobs) >= _POOL_FROM:
        import multiprocessing

        # Spawned, not forked: the parent may hold threads of other libraries.
        pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
        try:
            for _ in pool.map(_draw_file, jobs, chunksize=max(1, min(16, len(jobs) // (4 * workers)))):
                done += 1
                yield
        except BrokenProcessPool:
            # No process can be started here (a script read from standard input, little memory): go on without.
            pass
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    for job in jobs[done:]:
        _draw_file(job)
        yield


def _draw_file(job: _Job) -> None:
    """Draw one screen and write its file."""
    state, path, size, posters = job
    screen = draw_screen(state, size, posters)
    try:
        screen.save(path, format="PNG", compress_level=6)
    except OSError as error:
        if path.is_file():
            path.unlink(missing_ok=True)
        raise InputError(f"cannot write the screen {path}: {error.strerror or error}.") from error


@functools.lru_cache(maxsize=64)
def _layout(size: tuple[int, int]) -> tuple[_Row, ...]:
    """Return the three rows of a screen of ``size``."""
    width, height = size
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        raise InputError(
            f"a screen of {width}x{height} pixels is too small for legible letters;"
            f" use at least {_SMALLEST[0]}x{_SMALLEST[1]}."
        )
    if width < _COMPACT_BELOW:
        return _even_layout(width, height)
    return _published_layout(width, height)


def _published_layout(width: int, height: int) -> tuple[_Row, ...]:
    """Scale the published page so that its width fits and the three rows share the height."""
    scale = min(width / _PAGE_WIDTH, height / (ROWS * _ROW_PITCH))
    band = height / ROWS
    left = (width - scale * _PAGE_WIDTH) / 2
    rows = []
    for r in range(ROWS):
        # The published 340 per row: 8 of air, title, poster, and the gap below it, which holds the letter.
        start = r * band + (band - scale * _ROW_PITCH) / 2
        top = round(start + scale * (_POSTER_Y - _TITLE_Y + 8))
        poster = (round(scale * _POSTER[0]), round(scale * _POSTER[1]))
        bottom = top + poster[1]
        end = start + scale * _ROW_PITCH
        rows.append(
            _Row(
                title_y=start + scale * 37,
                title_height=scale * 46,
                lefts=tuple(round(left + scale * x) for x in _COLUMN_X),
                top=top,
                poster=poster,
                letter_y=(bottom + end) / 2,
                letter_height=(end - bottom) * 0.72,
            )
        )
    return tuple(rows)


def _even_layout(width: int, height: int) -> tuple[_Row, ...]:
    """Give each slot the same cell of the image; about a quarter of a cell's height is the letter's."""
    cell_width, band = width / COLUMNS, height / ROWS
    poster_width = min(cell_width * 0.94, band * 0.54 * _POSTER[0] / _POSTER[1])
    poster = (round(poster_width), round(poster_width * _POSTER[1] / _POSTER[0]))
    rest = band - poster[1]
    rows = []
    for r in range(ROWS):
        title_height = rest * 0.42
        top = round(r * band + title_height)
        letter_room = rest - title_height
        rows.append(
            _Row(
                title_y=r * band + title_height * 0.5,
                title_height=title_height * 0.86,
                lefts=tuple(round((c + 0.5) * cell_width - poster[0] / 2) for c in range(COLUMNS)),
                top=top,
                poster=poster,
                letter_y=top + poster[1] + letter_room / 2,
                letter_height=letter_room * 0.8,
            )
        )
    return tuple(rows)


@functools.lru_cache(maxsize=_CACHED_POSTERS)
def _poster(film: Film, row_genre: str, size: tuple[int, int], posters: Path | None) -> Image:
    """Return the film's poster at ``size``: its file if the folder has it, else a drawn one."""
    if posters is not None and film.poster:
        path = posters / PurePosixPath(film.poster).name  # published as "/name.jpg" or as an address
        if path.is_file():
            return open_poster(path, size)
    return draw_poster(film.title, film.year, film.genres or (row_genre,), size)


@functools.lru_cache(maxsize=128)
def _letter(letter: str, height: float) -> Image:
    """Return a capital of about ``height`` pixels as a mask, bold by its outline: the built-in face has no weights."""
    cap_height = 0.72  # of the font size, in the built-in face
    factor = _LETTER_OVERSAMPLING
    font = text_font(factor * height / (cap_height + 0.1))
    stroke = max(1, round(factor * height * 0.05))
    side = round(height * 1.5)
    big = PilImage.new("L", (side * factor, side * factor), 0)
    middle = side * factor / 2
    baseline = middle + factor * height * cap_height / (cap_height + 0.1) / 2
    PilDraw.Draw(big).text((middle, baseline), letter, 255, font=font, anchor="ms", stroke_width=stroke)
    small: Image = big.resize((side, side), PilImage.Resampling.BOX)
    return small
