"""The simulated users of the stand-ins' training: a population of its own, unlike that of any sample task.

A user's gaze over the fifteen slots is softmax(1.4 score) with score = place + taste + noise. Place falls by row and by
column (mean slopes 0.55 and 0.35; the sample's shared place effect spans 0.68 in all). Taste is 2.2 for the profile's
top genre and 0.9 for its other genres (the sample: 1.8 and 1.1, plus tastes that the profile does not show). Noise has
a standard deviation of 0.5. The click is on the most looked at slot in 75 %, the second in 19 %, else in proportion to
gaze. There are no fixations here: gaze is a share, not a count.

Screens for training and evaluation: invented films on pages drawn by the project's own renderer.

The films come from the sample's inventor under other seeds, so no film of any sample task is among them. A page is
three carousels of different genres with five films each, drawn freshly from the stock.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from baselines.pocket_training.architecture import SCREEN
from tasks.recgaze.posters import GENRES
from tasks.recgaze.render import COLUMNS, LETTERS, ROWS, Film, ScreenState, draw_screen, slot_boxes
from tasks.recgaze.sample_films import invent_films
from tasks.types import Floats, Slot

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


SLOTS = ROWS * COLUMNS
_ROW, _COLUMN = np.divmod(np.arange(SLOTS), COLUMNS)
_ROW_SLOPE, _COLUMN_SLOPE = 0.55, 0.35
_TOP, _LIKED = 1.3, 0.9
_NOISE, _SHARPNESS = 0.5, 1.4
_FIRST, _SECOND, _ANY = 0.75, 0.19, 0.06
_DRAWS = 32  # Monte-Carlo draws per expected gaze and click, in training


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """What profiles say: ``top`` of shape (n,), ``liked`` of shape (n, 10), True for each preferred genre."""

    top: Integers
    liked: NDArray[np.bool_]

    def texts(self) -> list[str]:
        """Return the profile texts, as the task writes them (PROTOCOL section 2)."""
        pairs = zip(self.top.tolist(), self.liked, strict=True)
        return [profile_text(GENRES[top], [GENRES[g] for g in np.flatnonzero(liked)]) for top, liked in pairs]

    def repeat(self, times: int) -> "Profiles":
        """Return every profile ``times`` times in a row."""
        return Profiles(np.repeat(self.top, times), np.repeat(self.liked, times, axis=0))


def profile_text(top: str, preferred: list[str]) -> str:
    """Return a profile in the words of task recgaze."""
    return f"Top_genre: {top}, Preferred_genres: {', '.join(preferred)}"


def no_profiles(count: int) -> Profiles:
    """Return profiles that like nothing: what is left is place."""
    return Profiles(np.full(count, -1, dtype=np.int64), np.zeros((count, len(GENRES)), dtype=bool))


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """What is a person's own: ``place`` of shape (n, 15) and ``strength`` of taste, shape (n,)."""

    place: Floats
    strength: Floats

    def __len__(self) -> int:
        return len(self.strength)

    def repeat(self, times: int) -> "Habits":
        """Return every person ``times`` times in a row."""
        return Habits(np.repeat(self.place, times, axis=0), np.repeat(self.strength, times))

    def traits(self) -> Floats:
        """Return standardised deviations from the population, shape (n, 9): rows, columns, taste."""
        place = self.place.reshape(-1, ROWS, COLUMNS)
        rows = place.mean(2) - place.mean((1, 2))[:, None] + _ROW_SLOPE * (np.arange(ROWS) - 1.0)
        columns = place.mean(1) - place.mean((1, 2))[:, None] + _COLUMN_SLOPE * (np.arange(COLUMNS) - 2.0)
        taste = np.log(self.strength)[:, None] / 0.2
        found: Floats = np.concatenate([rows / 0.25, columns / 0.2, taste], axis=1)
        return found


def invent_profiles(count: int, genres: Integers, preferred: int, rng: np.random.Generator) -> Profiles:
    """Draw profiles; every second one has a top genre that its screen shows.

    ``genres`` are the screens', shape (count, 15); ``preferred`` counts the preferred genres, the top genre among them.
    """
    liked = np.zeros((count, len(GENRES)), dtype=bool)
    tops = np.zeros(count, dtype=np.int64)
    for i in range(count):
        top = int(rng.choice(genres[i])) if i % 2 == 0 else int(rng.integers(len(GENRES)))
        others = rng.permutation([g for g in range(len(GENRES)) if g != top])[: preferred - 1]
        liked[i, others] = True
        liked[i, top] = True
        tops[i] = top
    return Profiles(tops, liked)


def invent_habits(count: int, rng: np.random.Generator) -> Habits:
    """Draw people."""
    row = rng.normal(_ROW_SLOPE, 0.45, count)
    column = rng.normal(_COLUMN_SLOPE, 0.25, count)
    rows, columns = rng.normal(0.0, 0.6, (count, ROWS)), rng.normal(0.0, 0.3, (count, COLUMNS))
    place = -row[:, None] * _ROW - column[:, None] * _COLUMN + rows[:, _ROW] + columns[:, _COLUMN]
    return Habits(place, np.exp(rng.normal(0.0, 0.35, count)))


def gaze_shares(genres: Integers, profiles: Profiles, people: Habits, rng: np.random.Generator) -> Floats:
    """Return one gaze of each person on each screen, shape (n, 15), rows of sum 1."""
    top = genres == profiles.top[:, None]
    liked = np.take_along_axis(profiles.liked, genres, axis=1)
    taste = people.strength[:, None] * (_TOP * top + _LIKED * liked)
    score = _SHARPNESS * (people.place + taste + rng.normal(0.0, _NOISE, genres.shape))
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    shares: Floats = weight / weight.sum(axis=1, keepdims=True)
    return shares


def click_chances(gaze: Floats) -> Floats:
    """Return the chance of a click per slot, shape (n, 15), given gaze shares."""
    chances = _ANY * gaze
    order = np.argsort(-gaze, axis=1)
    rows = np.arange(len(gaze))
    chances[rows, order[:, 0]] += _FIRST
    chances[rows, order[:, 1]] += _SECOND
    return chances


def draw(chances: Floats, rng: np.random.Generator) -> Integers:
    """Return one slot per row of chances, shape (n,)."""
    limits = np.cumsum(chances, axis=1)
    drawn: Integers = (rng.random(len(chances))[:, None] * limits[:, -1:] > limits).sum(axis=1)
    return drawn


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """Expected click chances and gaze shares, each of shape (n, 15)."""

    clicks: Floats
    gaze: Floats


def expected(
    genres: Integers, profiles: Profiles, rng: np.random.Generator, people: Habits | None = None, draws: int = _DRAWS
) -> Expected:
    """Average over ``draws`` sessions of each of the given people, or ``draws`` people who have each profile."""
    everyone = invent_habits(len(genres) * draws, rng) if people is None else people.repeat(draws)
    gaze = gaze_shares(np.repeat(genres, draws, 0), profiles.repeat(draws), everyone, rng)
    clicks = click_chances(gaze)
    shape = (len(genres), draws, SLOTS)
    return Expected(clicks.reshape(shape).mean(axis=1), gaze.reshape(shape).mean(axis=1))
