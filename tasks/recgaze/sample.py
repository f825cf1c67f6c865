"""Writes the simulated sample: a raw folder in the published file format with invented films and simulated users.

It replaces the restricted recordings wherever the suite has to run end to end. It is not RecGaze: the marker
file ``SIMULATED`` and ``README.txt`` in the folder say so. The format's oddities are all there: rows out of time order,
rows that carry several kinds of event, numbers written ``3`` and ``3.0``, background and unassigned fixations, swipes,
missed swipes, slips, sessions without a click, without gaze, or with a click on no film.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tasks.definition import SIMULATED_MARK
from tasks.errors import InputError
from tasks.recgaze.posters import GENRES
from tasks.recgaze.sample_films import SampleFilm, invent_films, invent_name
from tasks.recgaze.sample_sessions import Aim, Event, simulate_session
from tasks.recgaze.sample_users import BROWSING, Looking, SampleUser, invent_looking, invent_users

SEED = 3
USERS = 83
NOTICE = "simulated sample, not RecGaze"

_AOI = (
    *("AOI_type", "AOI_MovieID", "AOI_Movie_position_in_carousel", "AOI_Carousel_position", "AOI_Carousel_genre"),
    *("AOI_Carousel_genre_is_top_genre", "AOI_Carousel_genre_is_preferred_genre", "AOI_Carousel_genre_rating"),
)
_CLOSEST = tuple(name.replace("AOI_", "AOI_Closest_", 1) for name in _AOI)
_KEY = ("UserID", "SubjectID", "TaskID", "StimulusID", "Timestamp")
_SUMMARY_HEADER = (
    *_KEY,
    *("Fixation_Duration", *(f"Fixation_{name}" for name in _AOI), *(f"Fixation_{name}" for name in _CLOSEST)),
    *(f"Click_{name}" for name in _AOI),
    *("Cursor_Duration", *(f"Cursor_{name}" for name in _AOI)),
)
_CLICK_HEADER = (*_KEY, *(f"Click_{name}" for name in _AOI), "Movie_Familiarity", "Why_Selected")
_ITEM_HEADER = (
    *("TMDB_id", "TMDB_title", "TMDB_original_language", "TMDB_genres", "TMDB_release_date", "TMDB_cast"),
    *("TMDB_overview", "TMDB_popularity", "TMDB_rating_avg", "TMDB_rating_count", "TMDB_poster_path"),
    *("TMDB_extraction_date", "IMDB_id", "IMDB_rating_avg", "IMDB_numVotes", "IMDB_extraction__date", "TaskID"),
    *("Carousel_position", "Carousel_genre", "MovieID", "Movie_position_in_carousel"),
)
_USER_HEADER = (
    *("Pre_survey_timestamp", "UserID", "SubjectIDs", "Location", "First_task", "Netflix_user", "Netflix_usage"),
    *("Movie_watching_frequency", "Top_genre", "Preferred_genres", *(f"{genre}_rating" for genre in GENRES)),
    *("Post_survey_timestamp", "FreeBrowsing_experience_rating", "Tiredness_level", "Distance_eyes_center_screen"),
)
_STARS = ("1 star - Awful", "2 stars - Poor", "3 stars - Ok", "4 stars - Good", "5 stars - Must Watch")
_FREQUENCIES = ("Every day", "5 or more times per week", "3-4 times per week", "1-2 times per week")
_TIREDNESS = ("Not exhausted at all", "Slightly exhausted", "Somewhat exhausted", "Exhausted")
_FAMILIARITY = ("I have never heard of the movie", "I don't remember")
_REASONS = ("Because of the poster", "Because of the details", "Because of the poster, Because of the details")
_README = """This folder holds a {notice}.

The files have the format of the RecGaze data set (de Leon-Martinez et al., SIGIR 2025), but every film is invented and
every user is simulated: no person was recorded. Nothing measured on it says anything about people.

seed {seed}, {users} users, strength of personal habits {habits:g}
"""

_Record = Sequence[object]
_Page = dict[tuple[int, int], SampleFilm]


def write_sample(
    out: Path, seed: int = SEED, users: int = USERS, habits: float = 1.0, *, every_page: bool = False
) -> None:
    """Write a simulated raw folder.

    The same arguments give the same bytes. With the defaults about 575 sessions of 83 users pass the session rule of
    PROTOCOL section 2.

    Args:
        out: Folder to write into; it is made if it is missing and must otherwise be empty.
        seed: Seed of the population, the films and all behaviour, 0 or larger.
        users: Number of users, 1 or larger.
        habits: Strength of what is stable in a person and not shown by the profile: places looked at, unstated tastes,
            pace, scrolling. 1 for the sample, 0 for none: then users of equal profile behave alike.
        every_page: Let every user work on all 35 browsing pages, about twice as many as in the sample: more sessions
            of the same people, to measure on. The sessions that the sample has are among them, unchanged.

    InputError if an argument is out of range, the folder holds files, or it cannot be written.
    """
    if seed < 0 or users < 1 or habits < 0:
        raise InputError(f"a sample needs seed >= 0, users >= 1, habits >= 0; got {seed}, {users}, {habits:g}.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise InputError(f"the folder {out} for the sample is not empty. Give a new or an empty one.")
        try:
            _write_files(out, seed, users, habits, every_page)
        except OSError:
            for path in out.iterdir():  # it was empty: leave nothing half written
                path.unlink()
            raise
    except OSError as error:
        raise InputError(f"cannot write the sample into {out}: {error.strerror or error}.") from error


def _write_files(out: Path, seed: int, users: int, habits: float, every_page: bool) -> None:
    # Each subject has a stream of its own, so that a change to one leaves the others as they are.
    films = invent_films(np.random.default_rng((seed, 0)))
    people = invent_users(users, habits, np.random.default_rng((seed, 1)))
    draws = np.random.default_rng((seed, 6))
    looking = [invent_looking(habits, draws) for _ in people]
    if every_page:
        people = [replace(user, tasks=tuple(sorted({*range(1, BROWSING + 1), *user.tasks}))) for user in people]
    pages: dict[int, _Page] = {}
    for film in films:
        pages.setdefault(film.task, {})[film.carousel, film.position] = film

    (out / SIMULATED_MARK).write_text(f"{NOTICE}\n", encoding="utf-8")
    readme = _README.format(notice=NOTICE, seed=seed, users=users, habits=habits)
    (out / "README.txt").write_text(readme, encoding="utf-8")
    _write_csv(out / "item_features.csv", _ITEM_HEADER, _item_records(films, np.random.default_rng((seed, 2))))
    _write_csv(out / "user_features.csv", _USER_HEADER, _user_records(people, np.random.default_rng((seed, 3))))
    clicks: list[_Record] = []
    _write_csv(out / "summary_feedback.csv", _SUMMARY_HEADER, _summary_records(people, looking, pages, seed, clicks))
    _write_csv(out / "click_feedback.csv", _CLICK_HEADER, clicks)


def _write_csv(path: Path, header: Sequence[str], records: Iterable[_Record]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(records)


def _summary_records(
    people: Sequence[SampleUser], looking: Sequence[Looking], pages: dict[int, _Page], seed: int, clicks: list[_Record]
) -> Iterator[_Record]:
    """Yield the rows of the event file and add each session's last click to ``clicks``."""
    for number in np.random.default_rng((seed, 4)).permutation(len(people)).tolist():
        user = people[number]
        for task in user.tasks:
            rng, turns = (np.random.default_rng((seed, subject, number, task)) for subject in (5, 7))
            events = simulate_session(user, pages[task], task > BROWSING, rng, looking[number], turns)
            row_of = _Writer(user, task, pages[task], rng)
            records = [row_of.summary(event) for event in events]
            clicked = [event for event in events if event.click is not None]
            if clicked:
                clicks.append(row_of.click(clicked[-1], rng))
            # A quarter of the recordings were merged from several devices and never sorted.
            in_order = rng.random() >= 0.25
            order = range(len(records)) if in_order else rng.permutation(len(records)).tolist()
            yield from (records[i] for i in order)


class _Writer:
    """Turns the events of one session into rows of the published columns."""

    def __init__(self, user: SampleUser, task: int, page: _Page, rng: np.random.Generator) -> None:
        self._user = user
        self._page = page
        self._decimals = user.decimals
        self._rng = rng
        self._key = (user.user_id, user.subject_id, task, f"recording_{user.subject_id}_{task:02d}")
        genres = {carousel: page[carousel, 1].carousel_genre for carousel in range(1, 11)}
        self._carousel = {
            carousel: (
                genre,
                "Top_Genre" if genre == user.top_genre else "Not_Top_Genre",
                "Preferred_Genre" if genre in user.preferred else "Not_Preferred_Genre",
                user.rating(genre),
            )
            for carousel, genre in genres.items()
        }

    def summary(self, event: Event) -> _Record:
        return (
            *self._key,
            f"{event.time:.3f}",
            f"{event.fixation_ms:.1f}" if event.fixation is not None else "",
            *self._aoi(event.fixation),
            *self._aoi(event.closest),
            *self._aoi(event.click),
            f"{event.cursor_s:.3f}" if event.cursor is not None else "",
            *self._aoi(event.cursor),
        )

    def click(self, event: Event, rng: np.random.Generator) -> _Record:
        assert event.click is not None
        film = event.click.kind == "Movie"
        familiarity = str(rng.choice(_FAMILIARITY, p=[0.9, 0.1])) if film else "I did not select a movie"
        reason = str(rng.choice(_REASONS)) if film else "I did not select a movie"
        return *self._key, f"{event.time:.3f}", *self._aoi(event.click), familiarity, reason

    def _aoi(self, aim: Aim | None) -> _Record:
        if aim is None or not aim.carousel:
            return (aim.kind if aim is not None else "", "", "", "", "", "", "", "")
        genre, top, preferred, rating = self._carousel[aim.carousel]
        movie, position = "", ""
        if aim.position:
            movie = self._number(self._page[aim.carousel, aim.position].movie_id)
            position = self._number(aim.position)
        return aim.kind, movie, position, self._number(aim.carousel), genre, top, preferred, self._number(rating)

    def _number(self, value: int) -> str:
        """Write a whole number the way that this user's files do, ``3`` or ``3.0``."""
        return f"{value}.0" if self._decimals and self._rng.random() < self._decimals else str(value)


def _item_records(films: Sequence[SampleFilm], rng: np.random.Generator) -> Iterator[_Record]:
    for film in films:
        cast = [f"{invent_name(rng)} {invent_name(rng)}" for _ in range(3)]
        votes = int(5000 / film.position * rng.uniform(0.6, 1.4))  # the best known films come first
        rating = rng.uniform(5.0, 8.8)
        yield (
            *(film.movie_id, film.title, str(rng.choice(["en", "sk", "nl"], p=[0.8, 0.1, 0.1]))),
            *(", ".join(film.genres), f"{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}-{film.year}", cast),
            f"An invented film: {cast[0]} and {cast[1]} in a story that nobody has told.",
            *(f"{rng.gamma(2.0, 20.0):.3f}", f"{rating:.3f}", votes, "", "01-01-2025"),
            *(f"tt{film.movie_id}", f"{rating + rng.normal(0, 0.3):.1f}", 3 * votes, "01-01-2025"),
            *(film.task, film.carousel, film.carousel_genre, film.movie_id, film.position),
        )


def _user_records(people: Sequence[SampleUser], rng: np.random.Generator) -> Iterator[_Record]:
    for user in people:
        day, hour = int(rng.integers(1, 29)), int(rng.integers(8, 17))
        yield (
            *(f"05-{day:02d}-2024 {hour:02d}:15", user.user_id, user.subject_id),
            "Bratislava" if user.user_id.startswith("KInIT") else "Amsterdam",
            str(rng.choice(["Free_browsing", "Semi_free_direct_search"])),
            *("Yes", str(rng.choice(_FREQUENCIES)), str(rng.choice(_FREQUENCIES))),
            *(user.top_genre, ", ".join(user.preferred), *(_STARS[rating - 1] for rating in user.ratings)),
            *(f"05-{day:02d}-2024 {hour + 1:02d}:05", int(rng.integers(4, 11)), str(rng.choice(_TIREDNESS))),
            f"{rng.normal(62.0, 4.0):.1f}",
        )
