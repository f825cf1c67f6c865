"""The simulated users: what they like, and their stable habits of looking.

A user's attention to a film is a score, the sum of

- the population's F-shaped place effect (upper rows and left columns get more),
- the user's own place effect (habit): tilt over rows and columns, centre or edge, favourite rows and columns,
- the user's taste for the film's genres, most of which the profile shows (top genre, preferred genres) and part of
  which only the user's other sessions can (habit),
- noise of the session.

``habits`` scales everything that is a person's own and not in the profile; with 0 two users of equal profile behave
alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.recgaze.posters import GENRES

Floats = NDArray[np.float64]

ROWS, COLUMNS = 3, 5
BROWSING = 35  # pages for free browsing; the tasks after them are direct searches

_TOP, _PREFERRED = 2.0, 1.25  # score of the genres that the profile names
_OWN_TASTE = 0.5  # standard deviation of the taste that it does not
_FIRST_GENRE, _SECOND_GENRE = 0.9, 0.3  # weight of the genre that the poster shows large, and small
_PLACE = np.array([[0.42, 0.12, 0.08, 0.06, 0.04], [0.16, 0.0, -0.04, -0.1, -0.1], [0.02, -0.1, -0.16, -0.24, -0.26]])


@dataclass(frozen=True, slots=True, eq=False)
class SampleUser:
    """One simulated user.

    Attributes:
        user_id: As published users look: ``KInIT_7``, ``UvA_3``.
        preferred: Genres named in the profile, the top genre among them.
        ratings: Stars per genre, 1..5, in the order of ``GENRES``.
        taste: Score per genre, shape (10,), mean 0.
        place: Score per row and column on the first three carousels, shape (3, 5), population included.
        focus: How sharply dwell follows the scores.
        pace: Factor on the number of fixations.
        scrolling: Log odds added to looking below the third carousel.
        swiping: Log odds added to swiping a carousel.
        pointing: Chance that the cursor follows a fixation.
        decimals: Share of this user's whole numbers that the files write as ``3.0``.
    """

    user_id: str
    subject_id: int
    top_genre: str
    preferred: tuple[str, ...]
    ratings: tuple[int, ...]
    taste: Floats
    place: Floats
    focus: float
    pace: float
    scrolling: float
    swiping: float
    pointing: float
    tasks: tuple[int, ...]
    decimals: float

    def liking(self, genres: tuple[str, ...]) -> float:
        """Return the taste score of a film with these genres, the one on the poster first."""
        score = _FIRST_GENRE * self.taste[GENRES.index(genres[0])]
        return float(score + sum(_SECOND_GENRE * self.taste[GENRES.index(genre)] for genre in genres[1:2]))

    def rating(self, genre: str) -> int:
        """Return the stars, 1..5, that the user gives to the genre."""
        return self.ratings[GENRES.index(genre)]


def invent_users(users: int, habits: float, rng: np.random.Generator) -> list[SampleUser]:
    """Return a population; the same draws are made whatever ``habits`` is.

    ``habits`` is the strength of personal habits: 0 for none, 1 for the sample's.
    """
    at_kinit = round(users * 0.7)
    subjects = rng.permutation(np.arange(101, 101 + 2 * users))[:users]
    people = []
    for i in range(users):
        user_id = f"KInIT_{i + 1}" if i < at_kinit else f"UvA_{i - at_kinit + 1}"
        people.append(_invent_user(user_id, int(subjects[i]), habits, rng))
    return people


def population_place() -> Floats:
    """Return the place effect that all users share, shape (3, 5)."""
    place: Floats = _PLACE.copy()
    return place


def _invent_user(user_id: str, subject: int, habits: float, rng: np.random.Generator) -> SampleUser:
    liked = rng.permutation(len(GENRES))[: int(rng.integers(2, 5))]
    shown = np.zeros(len(GENRES))
    shown[liked] = _PREFERRED
    shown[liked[0]] = _TOP
    strength = np.exp(habits * rng.normal(0.0, 0.35))
    taste = strength * shown + habits * rng.normal(0.0, _OWN_TASTE, len(GENRES))
    taste -= taste.mean()
    return SampleUser(
        user_id=user_id,
        subject_id=subject,
        top_genre=GENRES[liked[0]],
        preferred=tuple(GENRES[g] for g in sorted(liked.tolist())),
        ratings=_ratings(shown, rng),
        taste=taste,
        place=_PLACE + habits * _own_place(rng),
        focus=1.3 * float(np.exp(habits * rng.normal(0.0, 0.25))),
        pace=float(np.exp(habits * rng.normal(0.0, 0.2))),
        scrolling=habits * float(rng.normal(0.0, 0.5)),
        swiping=habits * float(rng.normal(0.0, 0.6)),
        pointing=0.16 + habits * float(rng.uniform(-0.08, 0.08)),
        tasks=_tasks(rng),
        decimals=float(rng.choice([0.0, 0.2, 1.0], p=[0.5, 0.3, 0.2])),
    )


def _own_place(rng: np.random.Generator) -> Floats:
    """Draw one person's deviation from the population's place effect, shape (3, 5)."""
    row, column = np.arange(ROWS) - 1.0, np.arange(COLUMNS) - 2.0
    own = rng.normal(0.0, 1.0) * row[:, None] + rng.normal(0.0, 0.6) * column[None, :]
    own = own + rng.normal(0.0, 0.65) * (np.abs(column) - 1.2)[None, :]  # centre or edges
    own = own + rng.normal(0.0, 0.4, (ROWS, 1)) + rng.normal(0.0, 0.4, (1, COLUMNS))
    own = own + rng.normal(0.0, 0.35, (ROWS, COLUMNS))
    centred: Floats = own - own.mean()
    return centred


def _ratings(shown: Floats, rng: np.random.Generator) -> tuple[int, ...]:
    """Draw stars that agree with the profile: 5 for the top genre, 4 or 5 for preferred ones, 1 to 4 for the rest."""
    stars = rng.integers(1, 5, len(shown))
    stars[shown > 0] = rng.integers(4, 6, int((shown > 0).sum()))
    stars[int(np.argmax(shown))] = 5
    return tuple(int(s) for s in stars)


def _tasks(rng: np.random.Generator) -> tuple[int, ...]:
    """Draw the pages of a user: about half of the 35 browsing pages and two of the five direct searches."""
    browsing = rng.permutation(BROWSING)[: int(rng.integers(13, 24))] + 1
    search = rng.permutation(5)[: int(rng.integers(1, 4))] + BROWSING + 1
    return tuple(sorted(int(task) for task in np.concatenate([browsing, search])))
