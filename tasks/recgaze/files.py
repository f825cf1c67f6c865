"""The published RecGaze folder: recognising it, and its small tables: films, users and what they said of their clicks.

Format: PROTOCOL section 2 and the description published with the data set. The large table, the
events, is read by ``tasks.recgaze.event_table``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tasks.errors import InputError, clean, one_line, refuse
from tasks.plausible import check_people, folded
from tasks.recgaze.render import Film
from tasks.tables import is_empty, records

EVENTS = "summary_feedback.csv"
ITEMS = "item_features.csv"
USERS = "user_features.csv"
CLICKS = "click_feedback.csv"

N_TASKS, N_CAROUSELS, N_POSITIONS = 40, 10, 15

ITEM_KEY = ("TaskID", "Carousel_position", "Movie_position_in_carousel")
ITEM_COLUMNS = (*ITEM_KEY, "Carousel_genre", "MovieID", "TMDB_title", "TMDB_genres", "TMDB_poster_path")
USER_COLUMNS = ("UserID", "Top_genre", "Preferred_genres")
CLICK_COLUMNS = ("UserID", "TaskID", "Movie_Familiarity", "Why_Selected")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What was shown: (task 1..40, carousel 1..10, position 1..15) -> film; (task, carousel) -> its title."""

    path: Path
    films: Mapping[tuple[int, int, int], Film]
    genres: Mapping[tuple[int, int], str]


def check_folder(raw: Path) -> None:
    """Refuse a folder that lacks one of the three files that are read."""
    if missing := [name for name in (EVENTS, ITEMS, USERS) if not (raw / name).is_file()]:
        raise InputError(
            f"{raw} lacks {', '.join(missing)}. Give the RecGaze folder with {EVENTS}, {ITEMS} and {USERS}."
        )


@lru_cache(maxsize=4096)  # thousands of fields write a few dozen numbers
def whole_number(text: str, limit: int) -> int | None:
    """Return the number 1..limit that ``text`` writes (``3`` or ``3.0``), or None if it writes none."""
    try:
        value = float("" if "_" in text else text)  # Python alone reads 1_0 as a number
    except ValueError:
        return None
    return int(value) if value.is_integer() and 1 <= value <= limit else None


def read_catalogue(raw: Path) -> Catalogue:
    """Read the films and carousel titles of all screens from ``item_features.csv``.

    Rows without any of the three positions are films that were on no screen and are skipped. InputError for missing
    columns, a position that is not a number or out of range, an empty title, two rows for one position, or two titles
    for one carousel.
    """
    path = raw / ITEMS
    films: dict[tuple[int, int, int], Film] = {}
    genres: dict[tuple[int, int], str] = {}
    row_of: dict[tuple[int, int, int], int] = {}
    for row, record in records(path, ITEM_COLUMNS):
        texts = [record[name] for name in ITEM_KEY]
        if all(is_empty(text) for text in texts):
            continue
        key = [
            _key_number(path, row, name, text, limit)
            for name, text, limit in zip(ITEM_KEY, texts, (N_TASKS, N_CAROUSELS, N_POSITIONS), strict=True)
        ]
        task, carousel, position = key
        if task is None or carousel is None or position is None:
            continue
        where = (task, carousel, position)
        if where in row_of:
            said = f"repeats TaskID {task}, carousel {carousel}, position {position} of row {row_of[where]}"
            refuse(f"{path} row {row} {said}. Remove one of them.")
        row_of[where] = row
        genre = one_line(record["Carousel_genre"])
        if genres.setdefault((task, carousel), genre) != genre:
            said = f"calls carousel {carousel} of TaskID {task} '{genre}', an earlier row '{genres[task, carousel]}'"
            refuse(f"{path} row {row} {said}. Correct one of them.")
        title = one_line(record["TMDB_title"])
        if not title:
            refuse(f"{path} row {row} has an empty TMDB_title. Fill it in.")
        films[where] = Film(
            # A table with gaps gains .0 when it is written as floating point.
            movie_id=re.sub(r"\.0+$", "", record["MovieID"].strip()),
            title=title,
            year=(re.findall(r"(?<!\d)\d{4}(?!\d)", record.get("TMDB_release_date", "")) or [""])[0],
            genres=comma_list(record["TMDB_genres"]),
            poster=_file_name(record["TMDB_poster_path"]),
        )
    if not films:
        raise InputError(f"{path} holds no film with a position on a screen. Copy the published file again.")
    return Catalogue(path, films, genres)


def read_profiles(raw: Path) -> dict[str, str]:
    """Read ``user_features.csv``: user id -> profile in words (PROTOCOL section 2).

    A part that the file leaves empty is left out of the text. InputError for missing columns, an empty user id, or two
    rows for one user.
    """
    path = raw / USERS
    profiles: dict[str, str] = {}
    row_of: dict[str, int] = {}
    for row, record in records(path, USER_COLUMNS):
        user = one_line(record["UserID"])
        if is_empty(user):
            refuse(f"{path} row {row} has an empty UserID. Fill it in or remove the row.")
        if user in row_of:
            refuse(f"{path} row {row} repeats user {user} of row {row_of[user]}. Remove one of them.")
        row_of[user] = row
        parts = []
        if not is_empty(record["Top_genre"]):
            parts.append(f"Top_genre: {clean(record['Top_genre'])}")
        if preferred := comma_list(record["Preferred_genres"]):
            parts.append(f"Preferred_genres: {', '.join(preferred)}")
        profiles[user] = ", ".join(parts)
    check_people(profiles, lambda one, other: f"{path} rows {row_of[one]} and {row_of[other]}")
    return profiles


def read_accidents(raw: Path) -> set[tuple[str, int]] | None:
    """Read from ``click_feedback.csv`` which sessions ended in a selection that was none or an accident.

    Each is (what all spellings of the user's id have in common, TaskID); None if there is no such file. InputError for
    missing columns, an empty user id, or a TaskID out of range.
    """
    path = raw / CLICKS
    if not path.is_file():
        return None
    found = set()
    for row, record in records(path, CLICK_COLUMNS):
        user = one_line(record["UserID"])
        if is_empty(user):
            refuse(f"{path} row {row} has an empty UserID. Fill it in or remove the row.")
        task = _key_number(path, row, "TaskID", record["TaskID"], N_TASKS)
        said = clean(f"{record['Movie_Familiarity']} {record['Why_Selected']}").casefold()
        if task is not None and ("by accident" in said or "did not select" in said):
            found.add((folded(user), task))
    return found


@lru_cache(maxsize=4096)
def comma_list(text: str) -> tuple[str, ...]:
    """Split ``Action, Comedy`` (also ``['Action', 'Comedy']``) into its names."""
    if is_empty(text):
        return ()
    names = (name.strip(" \t[]'\"") for name in clean(text).split(","))
    return tuple(name for name in names if not is_empty(name))


def _key_number(path: Path, row: int, name: str, text: str, limit: int) -> int | None:
    number = whole_number(clean(text), limit)
    if number is None:
        refuse(f"{path} row {row}: {name} is '{text}', expected a whole number 1..{limit}.")
    return number


def _file_name(path: str) -> str:
    """Return the file name of a poster's address or path; empty if it has none."""
    if is_empty(path):
        return ""
    return re.split(r"[/\\]", path.strip().split("?", 1)[0])[-1]
