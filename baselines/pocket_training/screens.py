"""Screens for training and evaluation: invented films on pages drawn by the project's own renderer.

The films come from the sample's inventor under other seeds, so no film of any sample task is among them. A page is
three carousels of different genres with five films each, drawn freshly from the stock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.pocket_training.architecture import SCREEN
from tasks.recgaze.posters import GENRES
from tasks.recgaze.render import COLUMNS, LETTERS, ROWS, Film, ScreenState, draw_screen, slot_boxes
from tasks.recgaze.sample_films import invent_films
from tasks.types import Slot

Pixels = NDArray[np.uint8]
Integers = NDArray[np.int64]

TRAIN_FILMS, TEST_FILMS = 60_011, 60_012
"""Film seeds; the sample tasks use 3."""
_PAGES = 6  # of the inventor's forty: 900 films, few enough for the renderer to keep their posters


@dataclass(frozen=True, slots=True, eq=False)
class ScreenBatch:
    """Drawn screens: ``pixels`` of shape (n, height, width, 3) and ``genres`` of shape (n, 15), indices in GENRES."""

    pixels: Pixels
    genres: Integers

    def __len__(self) -> int:
        return len(self.genres)


class FilmStock:
    """Films by carousel genre, and pages made of them."""

    def __init__(self, seed: int) -> None:
        self.films: dict[str, list[Film]] = {genre: [] for genre in GENRES}
        for film in invent_films(np.random.default_rng((seed, 0))):
            if film.task <= _PAGES:
                shown = Film(str(film.movie_id), film.title, str(film.year), film.genres, "")
                self.films[film.carousel_genre].append(shown)

    def page(self, rng: np.random.Generator) -> ScreenState:
        """Draw three carousels and five films for each, without repetition."""
        rows = []
        for number in rng.choice(len(GENRES), ROWS, replace=False):
            stock = self.films[GENRES[number]]
            chosen = rng.choice(len(stock), COLUMNS, replace=False)
            rows.append((GENRES[number], tuple(stock[i] for i in chosen)))
        return ScreenState(tuple(rows))

    def screens(self, count: int, rng: np.random.Generator) -> ScreenBatch:
        """Return ``count`` drawn pages."""
        pages = [self.page(rng) for _ in range(count)]
        pixels = np.stack([np.asarray(draw_screen(page, SCREEN), dtype=np.uint8) for page in pages])
        return ScreenBatch(pixels, np.stack([shown_genres(page) for page in pages]))


def shown_genres(page: ScreenState) -> Integers:
    """Return the genre that each slot's poster shows, shape (15,)."""
    return np.array([GENRES.index(film.genres[0]) for _, films in page.rows for film in films], dtype=np.int64)


def slots(numbers: bool = False) -> tuple[Slot, ...]:
    """Return the fifteen slots of a training screen, labelled A..O or 1..15, without texts."""
    labels = [str(k) for k in range(1, ROWS * COLUMNS + 1)] if numbers else list(LETTERS)
    return tuple(Slot(label, "film", "", box) for label, box in zip(labels, slot_boxes(SCREEN), strict=True))
