"""The simulated sample: the published format with all its oddities, people-like gaze, and nothing real."""

from __future__ import annotations

import csv
import errno
import itertools
import os
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tasks.errors import InputError
from tasks.recgaze import sample
from tasks.recgaze.posters import GENRES
from tasks.recgaze.sample import write_sample
from tasks.recgaze.sample_films import carousel_orders
from tasks.recgaze.sample_users import Look, Looking, in_order, invent_looking

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data" / "recgaze"
FILES = ("summary_feedback.csv", "click_feedback.csv", "item_features.csv", "user_features.csv")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@dataclass
class Kept:
    """Sessions that pass the session rule, read the slow and literal way."""

    users: list[str]
    tasks: list[int]
    gaze: np.ndarray
    click: np.ndarray


def literal_rule(events: list[dict[str, str]]) -> Kept:
    """The session rule of PROTOCOL section 2, session by session."""
    sessions: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for event in events:
        sessions[event["UserID"], event["TaskID"]].append(event)
    users, tasks, gaze, clicks = [], [], [], []
    for (user, task), session in sorted(sessions.items()):
        fixations = [e for e in session if e["Fixation_Duration"]]
        clicked = sorted((e for e in session if e["Click_AOI_type"]), key=lambda e: float(e["Timestamp"]))
        below = any(float(e["Fixation_AOI_Carousel_position"] or 0) > 3 for e in fixations)
        if int(task) > 35 or not fixations or below or not clicked or clicked[-1]["Click_AOI_type"] != "Movie":
            continue
        dwell = np.zeros(15)
        for e in fixations:
            position = float(e["Fixation_AOI_Movie_position_in_carousel"] or 0)
            if 1 <= position <= 5:
                slot = (float(e["Fixation_AOI_Carousel_position"]) - 1) * 5 + position - 1
                dwell[int(slot)] += float(e["Fixation_Duration"])
        carousel = float(clicked[-1]["Click_AOI_Carousel_position"])
        if dwell.sum() == 0 or carousel > 3:
            continue
        users.append(user)
        tasks.append(int(task))
        gaze.append(dwell)
        position = float(clicked[-1]["Click_AOI_Movie_position_in_carousel"])
        clicks.append(int((carousel - 1) * 5 + (position - 1) % 5))
    return Kept(users, tasks, np.array(gaze), np.array(clicks))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("small") / "sample"
    write_sample(out, users=12)
    return out


@pytest.fixture(scope="module")
def small_events(small: Path) -> list[dict[str, str]]:
    return rows(small / "summary_feedback.csv")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("full") / "sample"
    write_sample(out)
    return out


@pytest.fixture(scope="module")
def full_events(full: Path) -> list[dict[str, str]]:
    return rows(full / "summary_feedback.csv")


@pytest.fixture(scope="module")
def kept(full_events: list[dict[str, str]]) -> Kept:
    return literal_rule(full_events)


def test_the_folder_says_that_it_is_simulated(small: Path):
    assert sorted(p.name for p in small.iterdir()) == sorted((*FILES, "README.txt", "SIMULATED"))
    for name in ("README.txt", "SIMULATED"):
        assert "simulated sample, not RecGaze" in (small / name).read_text(encoding="utf-8")


def test_columns_are_the_published_ones(small: Path):
    with (small / "summary_feedback.csv").open() as file:
        header = next(csv.reader(file))
    aoi = (
        *("type", "MovieID", "Movie_position_in_carousel", "Carousel_position", "Carousel_genre"),
        *("Carousel_genre_is_top_genre", "Carousel_genre_is_preferred_genre", "Carousel_genre_rating"),
    )
    kinds = ("Fixation_AOI", "Fixation_AOI_Closest", "Click_AOI", "Cursor_AOI")
    expected = {"UserID", "SubjectID", "TaskID", "StimulusID", "Timestamp", "Fixation_Duration", "Cursor_Duration"}
    assert set(header) == expected | {f"{kind}_{part}" for kind in kinds for part in aoi}
    items = rows(small / "item_features.csv")
    assert len(items) == 40 * 10 * 15 and len({item["MovieID"] for item in items}) == len(items)
    assert all(re.fullmatch(r"\d\d-\d\d-\d{4}", item["TMDB_release_date"]) for item in items)


def test_users_and_their_profiles_agree_with_the_events(small: Path, small_events: list[dict[str, str]]):
    users = {user["UserID"]: user for user in rows(small / "user_features.csv")}
    assert len(users) == 12 and all(re.fullmatch(r"(KInIT|UvA)_\d+", name) for name in users)
    assert {event["UserID"] for event in small_events} == set(users)
    for user in users.values():
        preferred = user["Preferred_genres"].split(", ")
        assert user["Top_genre"] in preferred and set(preferred) <= set(GENRES)
        assert user[f"{user['Top_genre']}_rating"].startswith("5 stars")
    for event in small_events:
        if genre := event["Click_AOI_Carousel_genre"]:
            user = users[event["UserID"]]
            assert (event["Click_AOI_Carousel_genre_is_top_genre"] == "Top_Genre") == (genre == user["Top_genre"])
            assert user[f"{genre}_rating"][0] == event["Click_AOI_Carousel_genre_rating"][0]


def test_events_point_at_the_films_of_their_page(small: Path, small_events: list[dict[str, str]]):
    place = ("TaskID", "Carousel_position", "Movie_position_in_carousel")
    items = {tuple(int(item[p]) for p in place): item for item in rows(small / "item_features.csv")}
    for event in small_events:
        for kind in ("Fixation", "Click", "Cursor"):
            if event[f"{kind}_AOI_type"] == "Movie":
                where = (event["TaskID"], event[f"{kind}_AOI_Carousel_position"])
                position = event[f"{kind}_AOI_Movie_position_in_carousel"]
                item = items[int(where[0]), int(float(where[1])), int(float(position))]
                assert float(event[f"{kind}_AOI_MovieID"]) == float(item["MovieID"])
                assert event[f"{kind}_AOI_Carousel_genre"] == item["Carousel_genre"]


def test_the_oddities_of_the_format_are_there(small_events: list[dict[str, str]]):
    fixated = [e for e in small_events if e["Fixation_Duration"]]
    assert {e["Fixation_AOI_type"] for e in fixated} == {"Movie", "Genre", "Forward", "Backward", "Background", ""}
    assert {"Movie", "Forward", "Backward", "Background"} <= {e["Click_AOI_type"] for e in small_events}
    several = [
        sum(bool(e[c]) for c in ("Fixation_Duration", "Click_AOI_type", "Cursor_Duration")) for e in small_events
    ]
    assert min(several) == 1 and max(several) >= 2
    closest = [
        e for e in fixated if e["Fixation_AOI_type"] == "Background" and e["Fixation_AOI_Closest_type"] == "Movie"
    ]
    assert closest
    written = {e["Fixation_AOI_Movie_position_in_carousel"] for e in fixated}
    assert {"3", "3.0"} <= written
    by_session: dict[tuple[str, str], list[float]] = defaultdict(list)
    for e in small_events:
        by_session[e["UserID"], e["TaskID"]].append(float(e["Timestamp"]))
    unsorted = [times != sorted(times) for times in by_session.values()]
    assert 0.1 < np.mean(unsorted) < 0.4
    durations = np.array([float(e["Fixation_Duration"]) for e in fixated])
    stays = np.array([float(e["Cursor_Duration"]) for e in small_events if e["Cursor_Duration"]])
    assert 60 <= durations.min() and 120 < np.median(durations) < 300, "milliseconds"
    assert 0.05 < np.median(stays) < 2, "seconds"


def test_swipes_lead_to_the_clicked_film(small_events: list[dict[str, str]]):
    """Replayed in time order, swipes show the page of the film clicked last, but for a few missing swipes."""
    sessions: dict[tuple[str, str], list[tuple[float, str, int, int]]] = defaultdict(list)
    for e in small_events:
        if kind := e["Click_AOI_type"]:
            place = [int(float(e[f"Click_AOI_{p}"] or 0)) for p in ("Carousel_position", "Movie_position_in_carousel")]
            sessions[e["UserID"], e["TaskID"]].append((float(e["Timestamp"]), kind, *place))
    right, pages = [], set()
    for clicks in sessions.values():
        shown: Counter[int] = Counter()
        for _, kind, carousel, _ in sorted(clicks):
            shown[carousel] += {"Forward": 1, "Backward": -1}.get(kind, 0)
        _, kind, carousel, position = max(clicks)
        if kind == "Movie":
            right.append(shown[carousel] % 3 == (position - 1) // 5)
            pages.add((position - 1) // 5)
    assert np.mean(right) > 0.95 and pages == {0, 1, 2}


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_population(small: Path, tmp_path: Path):
    write_sample(tmp_path / "again", users=12)
    write_sample(tmp_path / "other", users=12, seed=4)
    for path in small.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name
    for name in FILES:
        assert (tmp_path / "other" / name).read_bytes() != (small / name).read_bytes(), name


@pytest.mark.slow
def test_with_every_page_the_sessions_of_the_sample_are_among_twice_as_many(tmp_path: Path):
    write_sample(tmp_path / "sample", users=2)
    write_sample(tmp_path / "every", users=2, every_page=True)

    def sessions(folder: str) -> dict[tuple[str, str], list[dict[str, str]]]:
        found: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
        for event in rows(tmp_path / folder / "summary_feedback.csv"):
            found[event["UserID"], event["TaskID"]].append(event)
        return found

    some, every = sessions("sample"), sessions("every")
    assert all(every[key] == events for key, events in some.items())
    browsing = [int(task) for _, task in every if int(task) <= 35]
    assert sorted(browsing) == sorted([*range(1, 36)] * 2) and len(some) < 0.75 * len(every)
    for name in ("user_features.csv", "item_features.csv"):
        assert (tmp_path / "sample" / name).read_bytes() == (tmp_path / "every" / name).read_bytes()


def test_films_are_invented(small: Path):
    path = SHARED / "items.csv"
    if not path.is_file():
        pytest.skip("needs data/recgaze/items.csv next to the project")
    titles = [item["TMDB_title"] for item in rows(small / "item_features.csv")]
    assert len(set(titles)) == 6000
    assert {t.lower() for t in titles}.isdisjoint(item["title"].lower() for item in rows(path))


def test_every_film_is_of_its_carousel_and_many_look_like_another_genre(small: Path):
    items = rows(small / "item_features.csv")
    assert all(item["Carousel_genre"] in item["TMDB_genres"].split(", ") for item in items)
    first = np.mean([item["TMDB_genres"].split(", ")[0] == item["Carousel_genre"] for item in items])
    assert first == pytest.approx(0.6, abs=0.03)


def test_every_genre_is_as_often_in_each_place():
    orders = carousel_orders(np.random.default_rng(5))
    assert len(orders) == 40 and all(sorted(order) == sorted(GENRES) for order in orders)
    for place in range(10):
        assert set(Counter(order[place] for order in orders).values()) == {4}


def test_folders_and_arguments_that_cannot_be_used(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="not empty"):
        write_sample(tmp_path)
    with pytest.raises(InputError, match="cannot write the sample into .*file"):
        write_sample(tmp_path / "file")
    for wrong in ({"seed": -1}, {"users": 0}, {"habits": -0.5}):
        with pytest.raises(InputError, match="a sample needs"):
            write_sample(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full_disk(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sample, "simulate_session", full_disk)
    with pytest.raises(InputError, match="cannot write the sample into .*No space left"):
        write_sample(tmp_path, users=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_as_many_sessions_pass_the_rule_as_in_the_paper(full_events: list[dict[str, str]], kept: Kept):
    assert len(full_events) <= 250_000
    assert abs(len(kept.users) - 575) <= 25
    assert len(set(kept.users)) == 83
    assert {int(e["TaskID"]) for e in full_events} == set(range(1, 41))
    assert set(kept.tasks) == set(range(1, 36))


@pytest.mark.slow
def test_the_loader_keeps_the_same_sessions(full: Path, kept: Kept):
    events = pytest.importorskip("tasks.recgaze.events")
    table = pytest.importorskip("tasks.recgaze.event_table")
    selection = events.select_sessions(table.read_events(full / "summary_feedback.csv"))
    assert [(v.user, v.task_number) for v in selection.recordings] == list(zip(kept.users, kept.tasks, strict=True))
    assert np.allclose([v.gaze_ms for v in selection.recordings], kept.gaze)
    assert [v.click for v in selection.recordings] == kept.click.tolist()
    assert len(selection.dropped) >= 6, "sessions fail for several reasons"


@pytest.mark.slow
def test_most_clicks_are_on_one_of_the_two_longest_looked_at(kept: Kept):
    order = np.argsort(-kept.gaze, axis=1)
    among = (order[:, :2] == kept.click[:, None]).any(axis=1).mean()
    assert among > 0.9
    assert 0.55 < (order[:, 0] == kept.click).mean() < 0.8, "the first alone is not enough"


@pytest.mark.slow
def test_examination_of_the_first_page_follows_the_published_frequencies(full_events: list[dict[str, str]]):
    path = SHARED / "examination_overall.csv"
    if not path.is_file():
        pytest.skip("needs data/recgaze/examination_overall.csv next to the project")
    published, seen, sessions = np.zeros((3, 5)), defaultdict(set), set()
    for r in rows(path):
        row, column = float(r["Fixation_AOI_Carousel_position"]), float(r["Fixation_AOI_Movie_position_in_carousel"])
        if row <= 3 and column <= 5:
            published[int(row) - 1, int(column) - 1] = float(r["exam_freq"])
    for e in full_events:
        if int(e["TaskID"]) <= 30:
            session = (e["UserID"], e["TaskID"])
            sessions.add(session)
            if position := e["Fixation_AOI_Movie_position_in_carousel"]:
                seen[float(e["Fixation_AOI_Carousel_position"]), float(position)].add(session)
    ours = np.array([[len(seen[r, c]) / len(sessions) for c in range(1, 6)] for r in range(1, 4)])
    assert np.corrcoef(published.ravel(), ours.ravel())[0, 1] > 0.95
    assert np.abs(published - ours).mean() < 0.03


def divergence_of_priors(kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """KL of each session's gaze from the others' mean, and from that of the same user's, shrunk; per user."""
    gaze = kept.gaze / kept.gaze.sum(axis=1, keepdims=True)
    users = np.array(kept.users)
    everyone = (gaze.sum(axis=0) - gaze) / (len(gaze) - 1)
    own = np.empty_like(gaze)
    for i, user in enumerate(kept.users):
        same = (users == user) & (np.arange(len(users)) != i)
        own[i] = (gaze[same].sum(axis=0) + 6 * everyone[i]) / (same.sum() + 6)

    def per_user(attention: np.ndarray) -> np.ndarray:
        kl = (gaze * np.log((gaze + 1e-8) / (attention + 1e-8))).sum(axis=1)
        return np.array([kl[users == user].mean() for user in sorted(set(kept.users))])

    return per_user(everyone), per_user(own)


@pytest.mark.slow
def test_learning_about_a_user_pays_only_where_there_are_habits(kept: Kept, tmp_path: Path):
    population, personal = divergence_of_priors(kept)
    gain = population - personal
    assert gain.mean() > 0.05 and gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(len(gain))
    assert 0.6 < population.mean() < 1.1, "the population's prior is far from the gaze of a session"

    write_sample(tmp_path / "none", habits=0.0)
    population, personal = divergence_of_priors(literal_rule(rows(tmp_path / "none" / "summary_feedback.csv")))
    without = population - personal
    assert without.mean() < 0.25 * gain.mean(), "what is left comes from tastes that the profile tells"


@pytest.mark.slow
def test_taste_draws_gaze_and_clicks_to_what_the_poster_shows(full: Path, kept: Kept):
    preferred = {u["UserID"]: u["Preferred_genres"].split(", ") for u in rows(full / "user_features.csv")}
    shows = {
        (int(i["TaskID"]), (int(i["Carousel_position"]) - 1) * 5 + int(i["Movie_position_in_carousel"]) - 1):
            (i["TMDB_genres"].split(", ")[0], i["Carousel_genre"])
        for i in rows(full / "item_features.csv")
        if int(i["Carousel_position"]) <= 3 and int(i["Movie_position_in_carousel"]) <= 5
    }  # fmt: skip
    gaze = kept.gaze / kept.gaze.sum(axis=1, keepdims=True)
    liked = np.array(
        [[shows[t, s][0] in preferred[u] for s in range(15)] for u, t in zip(kept.users, kept.tasks, strict=True)]
    )
    assert gaze[liked].mean() > 1.8 * gaze[~liked].mean()
    clicked = liked[np.arange(len(liked)), kept.click]
    assert clicked.mean() > 1.8 * liked.mean()
    # The carousel's title alone does not tell: among carousels not liked, the posters that are stand out.
    other_row = np.array(
        [[shows[t, s][1] not in preferred[u] for s in range(15)] for u, t in zip(kept.users, kept.tasks, strict=True)]
    )
    assert gaze[liked & other_row].mean() > 1.6 * gaze[~liked & other_row].mean()


@pytest.mark.slow
def test_position_alone_does_not_predict_the_click(kept: Kept):
    counts = np.bincount(kept.click, minlength=15) / len(kept.click)
    assert counts.min() > 0.01 and counts.max() < 0.25
    by_row = counts.reshape(3, 5).sum(axis=1)
    assert by_row[0] > by_row[1] > by_row[2]


def test_the_order_of_looks_is_a_pass_from_the_top_with_returns_and_loses_none():
    """Two rows, the second with a page that was swiped away: what is on it cannot be looked at again."""
    numbers = itertools.count()
    rows = [[Look((1, p), next(numbers), 0) for p in (1, 2, 5)], [Look((2, p), next(numbers), 0) for p in (1, 3)]]
    rows += [[Look((2, p), next(numbers), 0) for p in (6, 8)]]
    later = [Look(place, next(numbers), 0) for place in ((1, 1), (1, 1), (1, 5), (2, 8), (2, 8))]
    shy, eager = (Looking(r, back, stay, 1.0, 1.0, 0.0, 0.0) for r, back, stay in ((0, 0, 0), (1, 0.9, 0.3)))
    assert in_order(rows, later, shy, np.random.default_rng(0))[:3] == rows
    for seed in range(20):
        found = in_order(rows, later, eager, np.random.default_rng(seed))
        assert sorted(look.first for line in found for look in line) == list(range(12))
        assert [look for look in found[0] if look in rows[0]] == rows[0][::-1]
        assert all(look.place[0] == 1 or look in rows[1] for look in found[1]), "page 2 of the row is not shown yet"
    assert any(len(line) > len(row) for line, row in zip(found, rows, strict=False))
    stubborn = Looking(0, 0, 1, 1.0, 1.0, 0.0, 0.0)
    kept = in_order(rows, later, stubborn, np.random.default_rng(0))
    assert [look.place[1] for look in kept[0]] == [1, 1, 1, 2, 5, 5] and kept[3] == [], (
        "all looks at a film in one visit"
    )
    no, yes = (invent_looking(habits, np.random.default_rng(1)) for habits in (0.0, 1.0))
    assert no == invent_looking(0.0, np.random.default_rng(2)) and yes != invent_looking(1.0, np.random.default_rng(2))
