"""The fictional films of the simulated sample: forty pages of ten carousels of fifteen films.

Titles join a word of the film's genre with an invented name. A film is of the carousel's genre, but often looks more
like another one: its first genre, the one that its poster shows, then differs from the carousel's title, so that a
page can only be read by looking at the posters.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tasks.recgaze.posters import GENRES

TASKS, CAROUSELS, POSITIONS = 40, 10, 15

_LOOKS_LIKE_ITS_CAROUSEL = 0.6
_HAS_SECOND_GENRE = 0.5
_FIRST_ID = 9_000_001

_WORDS = {
    "Action": "Convoy Pursuit Breakout Hangar Detonator Vanguard Bridgehead Overdrive Rampart Salvo",
    "Animation": "Kitten Button Snowglobe Marble Teapot Hedgehog Balloon Crayon Puddle Pinwheel",
    "Comedy": "Plumber Wedding Cousin Waiter Neighbour Roommate Holiday Landlord Picnic Mixup",
    "Crime": "Ledger Inspector Vault Witness Alibi Docket Smuggler Warehouse Verdict Informer",
    "Drama": "Orchard Daughter Letters Harbour Silence Winter Farewell Homecoming Piano Sickbed",
    "Fantasy": "Dragon Oracle Kingdom Sorcerer Amulet Griffin Spellbook Throne Talisman Wyvern",
    "Horror": "Cellar Scream Crypt Haunting Scarecrow Coven Bonehouse Nightmare Gallows Whisperer",
    "Romance": "Kiss Bouquet Darling Serenade Valentine Ballroom Sweetheart Honeymoon Embrace Moonlight",
    "Sci-Fi": "Orbit Android Starship Colony Nebula Reactor Signal Airlock Clone Satellite",
    "Thriller": "Stranger Ransom Blackout Deception Hideout Footsteps Stakeout Phonecall Trap Shadow",
}
_PATTERNS = ("The {word} of {name}", "{name}'s {word}", "{word} in {name}", "The {name} {word}", "{word}: {name}")
_ONSETS = "b br d dr f g gl h j k kr l m n p pr qu r s sk st t tr v vr w z".split()
_VOWELS = "a e i o u ae ei oa".split()
_ENDINGS = "bek dine dros gard len lith mar nock nya quill rell rith rune sha tova varn vell wick zand".split()


@dataclass(frozen=True, slots=True)
class SampleFilm:
    """One film in one place of one page.

    Attributes:
        genres: Genres; the first is the one that the poster shows, the carousel's genre is among them.
    """

    movie_id: int
    title: str
    year: int
    genres: tuple[str, ...]
    task: int
    carousel: int
    position: int
    carousel_genre: str


def carousel_orders(rng: np.random.Generator) -> list[list[str]]:
    """Return the order of the ten carousels on each page; over ten pages each genre is once in each place."""
    orders: list[list[str]] = []
    while len(orders) < TASKS:
        # A Latin square: a cyclic one with shuffled rows, columns and genres.
        genres, columns, shifts = (rng.permutation(CAROUSELS) for _ in range(3))
        orders += [[GENRES[genres[(column + shift) % CAROUSELS]] for column in columns] for shift in shifts]
    return orders[:TASKS]


def invent_films(rng: np.random.Generator) -> list[SampleFilm]:
    """Return the films of all pages, ordered by page, carousel and position."""
    orders = carousel_orders(rng)
    titles: set[str] = set()
    films = []
    for number, (task, carousel, position) in enumerate(_places()):
        carousel_genre = orders[task - 1][carousel - 1]
        genres = _genres(carousel_genre, rng)
        films.append(
            SampleFilm(
                movie_id=_FIRST_ID + number,
                title=_new_title(genres[0], titles, rng),
                year=int(rng.integers(1960, 2025)),
                genres=genres,
                task=task,
                carousel=carousel,
                position=position,
                carousel_genre=carousel_genre,
            )
        )
    return films


def invent_name(rng: np.random.Generator) -> str:
    """Return an invented proper name of two or three syllables."""
    parts = (_ONSETS, _VOWELS) * int(rng.integers(1, 3)) + (_ENDINGS,)
    return "".join(part[int(rng.integers(len(part)))] for part in parts).capitalize()


def _places() -> Iterator[tuple[int, int, int]]:
    for task in range(1, TASKS + 1):
        for carousel in range(1, CAROUSELS + 1):
            for position in range(1, POSITIONS + 1):
                yield task, carousel, position


def _genres(carousel_genre: str, rng: np.random.Generator) -> tuple[str, ...]:
    others = [genre for genre in GENRES if genre != carousel_genre]
    other = others[int(rng.integers(len(others)))]
    if rng.random() >= _LOOKS_LIKE_ITS_CAROUSEL:
        return other, carousel_genre
    return (carousel_genre, other) if rng.random() < _HAS_SECOND_GENRE else (carousel_genre,)


def _new_title(genre: str, taken: set[str], rng: np.random.Generator) -> str:
    words = _WORDS[genre].split()
    while True:
        pattern = _PATTERNS[int(rng.integers(len(_PATTERNS)))]
        title = pattern.format(word=words[int(rng.integers(len(words)))], name=invent_name(rng))
        if title not in taken:
            taken.add(title)
            return title
