"""Tiny RecGaze folders, written by hand: two users, films with speaking titles, events as short tuples."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

GENRES = ("Action", "Drama", "Comedy", "Horror")
AOI = ("AOI_type", "AOI_MovieID", "AOI_Movie_position_in_carousel", "AOI_Carousel_position", "AOI_Carousel_genre")
HEADER = [
    *("UserID", "SubjectID", "TaskID", "StimulusID", "Timestamp"),
    *(f"{kind}_{part}" for kind in ("Fixation", "Click", "Cursor") for part in ("Duration", *AOI)),
]
ITEM_HEADER = [
    *("TMDB_id", "TMDB_title", "TMDB_genres", "TMDB_release_date", "TMDB_overview", "TMDB_poster_path"),
    *("TaskID", "Carousel_position", "Carousel_genre", "MovieID", "Movie_position_in_carousel"),
]
USER_HEADER = ["UserID", "Location", "Top_genre", "Preferred_genres"]
USERS = [["KINIT_1", "Bratislava", "Drama", "Action, Drama"], ["UvA_2", "Amsterdam", "Horror", "Horror"]]


def event(user: str, task: object, time: object, **filled: object) -> dict[str, object]:
    """One row; every column that is not given is NA."""
    row: dict[str, object] = dict.fromkeys(HEADER, "NA")
    return row | {"UserID": user, "SubjectID": 7, "TaskID": task, "StimulusID": "v.mp4", "Timestamp": time} | filled


def fixation(
    user: str, task: object, time: object, ms: object, carousel: object, position: object
) -> dict[str, object]:
    return event(user, task, time, **aoi("Fixation", carousel, position), Fixation_Duration=ms)


def cursor(user: str, task: object, time: object, s: object, carousel: object, position: object) -> dict[str, object]:
    return event(user, task, time, **aoi("Cursor", carousel, position), Cursor_Duration=s)


def click(user: str, task: object, time: object, carousel: object, position: object) -> dict[str, object]:
    return event(user, task, time, **aoi("Click", carousel, position))


def swipe(user: str, task: object, time: object, carousel: object, button: str = "Forward") -> dict[str, object]:
    return event(user, task, time, Click_AOI_type=button, Click_AOI_Carousel_position=carousel)


def aoi(kind: str, carousel: object, position: object) -> dict[str, object]:
    return {
        f"{kind}_AOI_type": "Movie",
        f"{kind}_AOI_Carousel_position": carousel,
        f"{kind}_AOI_Movie_position_in_carousel": position,
    }


def items(tasks: Iterable[int] = (1,), carousels: int = 4) -> list[list[object]]:
    """Film ``t1c2p3`` stands on task 1, carousel 2, position 3; it is of the year 2003."""
    return [
        [
            *(f"9{c}{p}", f"t{t}c{c}p{p}", f"{GENRES[c - 1]}, Thriller", f"02-28-{2000 + p}"),
            *(
                "Two\nlines, with a comma.",
                f"https://example.org/w500/poster{p}.jpg",
                t,
                c,
                GENRES[c - 1],
                f"9{c}{p}",
                p,
            ),
        ]
        for t in tasks
        for c in range(1, carousels + 1)
        for p in range(1, 16)
    ]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def write_folder(
    out: Path,
    events: Sequence[dict[str, object]],
    films: Sequence[Sequence[object]] | None = None,
    users: Sequence[Sequence[object]] = USERS,
) -> Path:
    """Write the three files that are read."""
    write_csv(out / "summary_feedback.csv", HEADER, [[row[name] for name in HEADER] for row in events])
    write_csv(out / "item_features.csv", ITEM_HEADER, items() if films is None else films)
    write_csv(out / "user_features.csv", USER_HEADER, users)
    return out
