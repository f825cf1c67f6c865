"""The simulated users: what they like, and their stable habits of looking.

A user's attention to a film is a score, the sum of

- the population's F-shaped place effect (upper rows and left columns get more),
- the user's own place effect (habit): tilt over rows and columns, centre or edge, favourite rows and columns,
- the user's taste for the film's genres, most of which the profile shows (top genre, preferred genres) and part of
  which only the user's other sessions can (habit),
- noise of the session.

``habits`` scales everything that is a person's own and not in the profile; with 0 two users of equal profile behave
alike.

The order in which the simulated people look: F-shaped, with revisits, and personal.

How often and how long a film is looked at is drawn elsewhere; here the looks are only put in order, with a generator of
their own, so that dwell, cursor and clicks do not depend on the order.

1. A first pass goes through the carousels from the top. A row is read from the left, or from the right: which of the
   two is a person's habit.
2. After each film of the first pass the eyes go back to a film that has been seen, now and then: how often is a habit.
3. What is left to look at again follows after the first pass.

Where eyes go back to depends on where they are: a film ``d`` columns and ``r`` rows away has the weight
``exp(-|d| / across - |r| / down + right * sign(d) + up * [r < 0])``, all four being habits. How often they stay on the
film that they are on, where there is more to look at, is one too; else that film comes last.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tasks.recgaze.posters import GENRES
from tasks.types import Floats

ROWS, COLUMNS = 3, 5
BROWSING = 35  # pages for free browsing; the tasks after them are direct searches

_TOP, _PREFERRED = 2.0, 1.25  # score of the genres that the profile names
_OWN_TASTE = 0.5  # standard deviation of the taste that it does not
_FIRST_GENRE, _SECOND_GENRE = 0.9, 0.3  # weight of the genre that the poster shows large, and small
PLACE = np.array([[0.42, 0.12, 0.08, 0.06, 0.04], [0.16, 0.0, -0.04, -0.1, -0.1], [0.02, -0.1, -0.16, -0.24, -0.26]])
"""The place effect that all users share: score per row and column."""


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
        place=PLACE + habits * _own_place(rng),
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


SAMPLE_ORDER = (
    "order of looking: simulated; rows from the top, each from the left or, as a habit, from the right; revisits to "
    "films nearby, upwards more often than down; how far, where to and how often is a habit"
)
"""What the card says of it."""

Place = tuple[int, int]
"""(carousel, position 1..15): position 6 is the first film of the second page."""


@dataclass(frozen=True, slots=True)
class Looking:
    """Habits of one person's order.

    Attributes:
        from_right: Chance that a row is read from the right.
        returning: Chance, after each film of the first pass and each return, to go back to a film that was seen.
        staying: Chance to look again at the film that the eyes are on.
        across: How far the eyes go within a row, columns.
        down: How far they go between rows.
        right: Log odds of going to the right rather than staying in the column.
        up: Log odds of going up.
    """

    from_right: float
    returning: float
    staying: float
    across: float
    down: float
    right: float
    up: float


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a film: its events, ``first`` to ``last`` (exclusive) of the session's."""

    place: Place
    first: int
    last: int


def invent_looking(habits: float, rng: np.random.Generator) -> Looking:
    """Return a person's habits; the same draws are made whatever ``habits`` is, at 0 all people are alike."""
    own = habits * rng.normal(0.0, 1.0, 7)
    return Looking(
        from_right=_chance(-1.5 + 2.5 * own[0]),
        returning=_chance(-1.0 + 0.8 * own[1]),
        staying=_chance(0.6 + 1.0 * own[6]),
        across=1.2 * math.exp(0.4 * own[2]),
        down=0.7 * math.exp(0.4 * own[3]),
        right=0.3 + 1.2 * own[4],
        up=0.5 + 0.8 * own[5],
    )


def in_order(
    rows: Sequence[Sequence[Look]], later: Sequence[Look], looking: Looking, rng: np.random.Generator
) -> list[list[Look]]:
    """Put looks in order: the first looks at the films of each page, as the pages are shown, and the others.

    A film of the ``later`` looks is on view from its first look to the end.
    """
    pending, seen, found = list(later), set(), []
    for row in rows:
        line: list[Look] = []
        for look in row if rng.random() >= looking.from_right else reversed(row):
            line.append(look)
            seen.add(look.place)
            line += _kept(pending, look.place, looking, rng)
            while rng.random() < looking.returning and (known := [p for p in pending if _on_view(p, look, seen)]):
                line.append(_drawn(known, line[-1].place, looking, rng))
                pending.remove(line[-1])
                line += _kept(pending, line[-1].place, looking, rng)
        found.append(line)
    last: list[Look] = []
    here = next((line[-1].place for line in reversed(found) if line), (1, 1))
    while pending:
        last.append(_drawn(pending, here, looking, rng))
        pending.remove(last[-1])
        here = last[-1].place
        last += _kept(pending, here, looking, rng)
    return [*found, last]


def _kept(pending: list[Look], place: Place, looking: Looking, rng: np.random.Generator) -> list[Look]:
    """Take out of ``pending`` and return the looks for which the eyes stay at a place."""
    kept: list[Look] = []
    while (more := [look for look in pending if look.place == place]) and rng.random() < looking.staying:
        kept.append(more[0])
        pending.remove(more[0])
    return kept


def _on_view(look: Look, at: Look, seen: set[Place]) -> bool:
    """Return whether a film was seen and is on view while ``at`` is looked at: its row may have been swiped since."""
    (row, position), (now, there) = look.place, at.place
    return look.place in seen and (row != now or (position - 1) // COLUMNS == (there - 1) // COLUMNS)


def _drawn(looks: Sequence[Look], here: Place, looking: Looking, rng: np.random.Generator) -> Look:
    """Return one of some looks, drawn by where it is as seen from ``here``; a film at ``here`` only if it is alone."""
    across = np.array([_column(look.place) - _column(here) for look in looks])
    down = np.array([look.place[0] - here[0] for look in looks])
    score = -np.abs(across) / looking.across - np.abs(down) / looking.down
    score = score + looking.right * np.sign(across) + looking.up * (down < 0)
    score[(across == 0) & (down == 0)] = -50.0
    weight = np.exp(score - score.max())
    return looks[int(rng.choice(len(looks), p=weight / weight.sum()))]


def _column(place: Place) -> int:
    return (place[1] - 1) % COLUMNS


def _chance(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))
