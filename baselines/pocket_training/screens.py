"""Screens for training and evaluation, drawn by the project's own renderers, and what their slots are to people.

- Films: three carousels of different genres with five films each. The films come from the sample's inventor under
  other seeds, so no film of any sample task is among them.
- Result pages: windows of simulated pages (``result_pages``), numbered and scaled as sessions are.
- Snacks: grids of 3 x 3 to 6 x 6 of the sample's invented snacks, and rows of 2 to 6 snacks without names.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from baselines.pocket_training.architecture import LETTERS, PAGE_WORDS, SCREEN
from baselines.pocket_training.population import Integers
from baselines.pocket_training.result_pages import KINDS, MOST, WINDOW, page
from baselines.simulators import examination
from tasks.adserp.screen import draw_numbers
from tasks.pictures import encode
from tasks.recgaze.posters import GENRES
from tasks.recgaze.render import COLUMNS, ROWS, Film, ScreenState, draw_screen, slot_boxes
from tasks.recgaze.sample_films import invent_films, invent_name
from tasks.snacks import screen as snack_screen
from tasks.snacks.layouts import ratings_told
from tasks.snacks.sample import SNACKS
from tasks.types import Floats, Slot

Pixels = NDArray[np.uint8]

TRAIN_FILMS, TEST_FILMS = 60_011, 60_012
"""Film seeds; the sample tasks use 3."""
_PAGES = 6  # of the inventor's forty: 900 films, few enough for the renderer to keep their posters
GRIDS = {9: 0.36, 16: 0.36, 25: 0.08, 36: 0.04, 3: 0.08, 2: 0.02, 4: 0.02, 5: 0.02, 6: 0.02}
"""Number of snacks on a screen -> share of such screens; six and fewer stand in a row."""
ROW_SNACKS = "ABCDEF"

_NUMBERS = tuple(str(k + 1) for k in range(36))
LABELS = {"carousel": tuple(LETTERS), "page": _NUMBERS[:MOST], "grid": _NUMBERS}
"""Kind of screen -> the answers, by slot."""
WORDS = {"carousel": GENRES, "page": PAGE_WORDS, "grid": (*SNACKS, *ROW_SNACKS)}
"""Kind of screen -> what its slots can show, in words."""


class Shown(NamedTuple):
    """One drawn screen: boxes, areas (a box with its mark) and words by slot, in the picture's pixels."""

    picture: Image.Image
    boxes: Floats
    areas: Floats
    words: list[int]
    scrolled: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Screens:
    """Screens of one kind, n of them with up to K slots each.

    Attributes:
        pixels: Shape (n, height, width, 3).
        boxes: In those pixels, shape (n, K, 4), zeros where there is no slot; ``areas`` have the slots' marks as well.
        words: What slots show, index in ``WORDS``, shape (n, K), -1 where there is no slot.
        scrolled: Of pages, shape (n,).
    """

    pixels: Pixels
    boxes: Floats
    areas: Floats
    words: Integers
    scrolled: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def there(self) -> NDArray[np.bool_]:
        """Where there is a slot, shape (n, K)."""
        found: NDArray[np.bool_] = self.words >= 0
        return found

    def take(self, index: Integers) -> "Screens":
        """Return the screens at ``index``, as wide as the fullest of them."""
        most = int(self.there[index].sum(1).max())
        boxes, areas, words = self.boxes[index, :most], self.areas[index, :most], self.words[index, :most]
        return Screens(self.pixels[index], boxes, areas, words, self.scrolled[index])


def draw(
    kind: str, count: int, rng: np.random.Generator, fit: Callable[[Image.Image], Image.Image], films: int = TRAIN_FILMS
) -> Screens:
    """Draw ``count`` screens of a kind; ``fit`` scales a picture as the stand-in's processor does."""
    stock = FilmStock(films) if kind == "carousel" else None
    most = len(LABELS[kind])
    found = []
    for number in range(count):
        shown = stock.shown(rng) if stock else _page(rng) if kind == "page" else _grid(_size(number, count), rng)
        picture = fit(shown.picture)
        scale = np.array([picture.width / shown.picture.width, picture.height / shown.picture.height] * 2)
        empty = [(0, most - len(shown.words)), (0, 0)]
        boxes, areas = (np.pad(box * scale, empty) for box in (shown.boxes, shown.areas))
        words = np.pad(shown.words, empty[0], constant_values=-1)
        found.append((np.asarray(picture, dtype=np.uint8), boxes, areas, words, shown.scrolled))
    return Screens(*(np.stack(column) for column in zip(*found, strict=True)))


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

    def shown(self, rng: np.random.Generator) -> Shown:
        """Return a drawn page."""
        state = self.page(rng)
        row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
        cell = np.stack([column, row, column + 1, row + 1], 1) * (np.array([*SCREEN, *SCREEN]) / (5, 3, 5, 3))
        genres = [GENRES.index(film.genres[0]) for _, films in state.rows for film in films]
        return Shown(draw_screen(state, SCREEN), np.array(slot_boxes(SCREEN)), cell, genres)


def slots() -> tuple[Slot, ...]:
    """Return the fifteen slots of a page of films, without texts."""
    return tuple(Slot(label, "film", "", box) for label, box in zip(LETTERS, slot_boxes(SCREEN), strict=True))


def _page(rng: np.random.Generator) -> Shown:
    """Draw a window in its own pixels or half as large, its numbers and the compression as the task has them."""
    picture, kinds, found = page(rng)
    half = 0.5 if rng.random() < 0.4 else 1.0
    size = (round(WINDOW[0] * half), round(WINDOW[1] * half))
    boxes = np.array(found) * (np.array([*size, *size]) / (*WINDOW, *WINDOW))
    if half < 1:
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    picture = draw_numbers(picture, [tuple(box) for box in boxes.tolist()], LABELS["page"][: len(boxes)], half)
    scrolled = bool(np.min(boxes[:, 1]) < examination.SCROLLED * size[1])
    areas = np.maximum(boxes - (48 * half, 0, 0, 0), 0)
    return Shown(_compressed(picture), boxes, areas, [KINDS.index(kind) for kind in kinds], scrolled)


def _size(number: int, count: int) -> int:
    """Return how many snacks the screen with this number shows: each size has its share of the screens."""
    limits = np.cumsum(list(GRIDS.values()))
    return list(GRIDS)[int(np.searchsorted(limits, (number + 0.5) / count))]


def _grid(k: int, rng: np.random.Generator) -> Shown:
    side = 1 if k <= len(ROW_SNACKS) else round(k**0.5)
    if side > 1:
        words = rng.choice(len(SNACKS), k, replace=False).tolist()
        names = [SNACKS[word] for word in words]
    else:
        words = [len(SNACKS) + n for n in range(k)]
        names = [f"snack {c}" for c in ROW_SNACKS[:k]]
    places = snack_screen.even_boxes(k // side, side)
    shown = snack_screen.slots_of(names, [0.0] * k, places, snack_screen.SIZE)
    picture = _compressed(snack_screen.draw_screen(shown, {}, snack_screen.SIZE))
    boxes = np.array([slot.box for slot in shown])
    return Shown(picture, boxes, boxes + (0, 0, 0, 18), words)


def _compressed(picture: Image.Image) -> Image.Image:
    """Return a picture as it comes back from the file that a session keeps."""
    return Image.open(io.BytesIO(encode(picture))).convert("RGB")


class Wanted(NamedTuple):
    """What the people of a batch want.

    Attributes:
        texts: The profiles, equally long in tokens.
        features: What each slot is to a person, shape (n, K, F), in the order of ``architecture.TRAITS``.
        liked: Index in ``GROUNDING`` by slot, shape (n, K); None where taste plays no part.
        named: The slots in the order in which the text rates them, shape (n, K); None where it does not.
    """

    texts: list[str]
    features: Floats
    liked: Integers | None = None
    named: Integers | None = None


_TOP, _LIKED = 1.3, 0.9


def want(kind: str, screens: Screens, rng: np.random.Generator) -> Wanted:
    """Invent what somebody wants on each of the screens, which have as many slots each where ratings are named."""
    return {"carousel": _films_wanted, "page": _search, "grid": _snacks_wanted}[kind](screens, rng)


def _films_wanted(screens: Screens, rng: np.random.Generator) -> Wanted:
    """Invent profiles of one to five genres; every second top genre is one that the screen shows."""
    n, preferred = len(screens), int(rng.integers(1, 6))
    liked, tops = np.zeros((n, len(GENRES)), dtype=bool), np.zeros(n, dtype=np.int64)
    for i in range(n):
        tops[i] = rng.choice(screens.words[i]) if i % 2 == 0 else rng.integers(len(GENRES))
        liked[i, rng.permutation([g for g in range(len(GENRES)) if g != tops[i]])[: preferred - 1]] = True
        liked[i, tops[i]] = True
    top, named = screens.words == tops[:, None], np.take_along_axis(liked, screens.words, axis=1)
    place = np.concatenate([np.repeat(np.eye(ROWS), COLUMNS, 0), np.tile(np.eye(COLUMNS), (ROWS, 1))], axis=1)
    taste = (_TOP * top + _LIKED * named)[..., None]
    features = np.concatenate([np.broadcast_to(place, (n, *place.shape)), taste], axis=2)
    texts = [
        profile_text(GENRES[t], [GENRES[g] for g in np.flatnonzero(row)]) for t, row in zip(tops, liked, strict=True)
    ]
    return Wanted(texts, features, 2 - named.astype(np.int64) - top)


def profile_text(top: str, preferred: Sequence[str]) -> str:
    """Return a profile in the words of task recgaze."""
    return f"Top_genre: {top}, Preferred_genres: {', '.join(preferred)}"


def _search(screens: Screens, rng: np.random.Generator) -> Wanted:
    """Invent one search query of two to five words for all; it changes nothing."""
    words = [invent_name(rng).lower() for _ in range(int(rng.integers(2, 6)))]
    return Wanted([f"Search query: {' '.join(words)}"] * len(screens), page_features(screens))


def page_features(screens: Screens) -> Floats:
    """Return what the examination prior looks at, shape (n, K, 6), for weights as it guesses them."""
    height, width = screens.pixels.shape[1:3]
    x0, y0, x1, y1 = np.moveaxis(screens.boxes, -1, 0) / np.array([width, height, width, height])[:, None, None]
    scrolled = screens.scrolled[:, None]
    rank = -np.arange(y0.shape[1]) * np.where(scrolled, examination.RANK_SCROLLED / examination.RANK, 1.0)
    near = -(((y0 + y1) / 2 - examination.MIDDLE) ** 2) / (2 * examination.SPREAD**2)
    near *= np.where(scrolled, 1.0, examination.PLACE_UNSCROLLED / examination.PLACE)
    kinds = [screens.words == kind for kind in (1, 2, 3)]
    area = np.log(np.maximum((x1 - x0) * (y1 - y0), examination.SMALLEST))
    found: Floats = np.stack([rank, near, *kinds, area], axis=-1)
    return found


def _snacks_wanted(screens: Screens, rng: np.random.Generator) -> Wanted:
    """Invent ratings; all rows have the same ones, dealt out again, so that their texts are equally long."""
    n, k = screens.words.shape
    height, width = screens.pixels.shape[1:3]
    scale = rng.choice([3, 5, 10])
    given = np.clip(np.rint(rng.normal(0, scale / 2, k)), -scale, scale) + (scale if rng.random() < 0.5 else 0)
    ratings = rng.permuted(np.tile(given, (n, 1)), axis=1)
    z = (ratings - given.mean()) / max(float(given.std()), 0.5)
    middle = (screens.boxes[..., :2] + screens.boxes[..., 2:]) / 2 / (width, height) - 0.5
    reading = np.broadcast_to(-np.arange(k) / k, (n, k))
    features = np.concatenate([middle, np.stack([reading, z], -1)], axis=-1)
    names = [*SNACKS, *(f"snack {c}" for c in ROW_SNACKS)]
    texts = [
        ratings_told((names[word], rating) for word, rating in zip(words, own, strict=True))
        for words, own in zip(screens.words, ratings, strict=True)
    ]
    named = np.argsort(-ratings, axis=1, kind="stable")
    return Wanted(texts, features, np.where(ratings == given.max(), 0, np.where(z > 0, 1, 2)), named)
