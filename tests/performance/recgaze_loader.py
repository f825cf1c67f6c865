"""A RecGaze folder of a million events: ``prepare`` and the suite's reader compared with csv.DictReader.

Writes a simulated folder into a temporary place and goes through it in five ways in turn, each in a process of its own
that has gone through a small folder before (so that no import is timed): ``prepare`` without images, from the raw
folder to the written data set; the suite's reader alone; a loader that reads row by row with csv.DictReader and makes
the reader's checks; the same without any check; and csv.DictReader alone, every row dropped at once, which is less than
any loader can do. Checks that all that give sessions agree on every session's dwell, click and clicked film, and prints
the time ratios and the peak memory.

    python tests/performance/recgaze_loader.py [--rows 1000000] [--repeats 3]
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from tasks.types import Session

KINDS = ("Fixation", "Fixation_AOI_Closest", "Click", "Cursor")
AOI = (
    "AOI_type",
    "AOI_MovieID",
    "AOI_Movie_position_in_carousel",
    "AOI_Carousel_position",
    "AOI_Carousel_genre",
    "AOI_Carousel_genre_is_top_genre",
    "AOI_Carousel_genre_is_preferred_genre",
    "AOI_Carousel_genre_rating",
)
Sessions = dict[str, tuple[list[float], list[float], int, str]]
GENRES = ("Action", "Animation", "Comedy", "Crime", "Drama", "Fantasy", "Horror", "Romance", "Sci-Fi", "Thriller")


def event_columns() -> list[str]:
    columns = ["UserID", "SubjectID", "TaskID", "StimulusID", "Timestamp"]
    for kind in ("Fixation", "Click", "Cursor"):
        columns += [f"{kind}_Duration", *(f"{kind}_{part}" for part in AOI)]
        if kind == "Fixation":
            columns += [f"Fixation_{part.replace('AOI_', 'AOI_Closest_', 1)}" for part in AOI]
    return columns


def aoi_fields(task: int, carousel: int, position: int) -> list[object]:
    """The eight AOI columns of one kind, empty for the background."""
    if carousel == 0:
        return ["Background", "NA", "NA", "NA", "NA", "NA", "NA", "NA"]
    film = task * 1000 + carousel * 20 + position
    return ["Movie", f"{film}.0", f"{position}.0", f"{carousel}.0", GENRES[carousel - 1], "Not_Top_Genre",
            "Preferred_Genre", "4.0"]  # fmt: skip


def write_folder(out: Path, rows: int, users: int = 87) -> None:
    """Write a folder of about ``rows`` events in the published format."""
    draw = random.Random(7)
    empty: list[object] = ["NA"] * len(AOI)
    per_session = max(3, rows // (users * 40))
    with (out / "summary_feedback.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(event_columns())
        written = 0
        for u in range(users):
            user = f"KINIT_{u + 1}" if u < 61 else f"UvA_{u - 60}"
            for task in range(1, 41):
                deepest = 10 if draw.random() < 0.7 else 3
                n = per_session if (u, task) != (users - 1, 40) else max(3, rows - written)
                for i in range(n):
                    moment = 10 + i * 0.21 + draw.random() * 0.1
                    head = [user, 1000 + u, task, f"{user}_{task}.mp4", f"{moment:.4f}"]
                    carousel = draw.choice((0, *range(1, deepest + 1)))
                    position = draw.randint(1, 5 if draw.random() < 0.7 else 15)
                    here = aoi_fields(task, carousel, position)
                    fixation: list[object] = ["NA", *empty, *empty]
                    click: list[object] = ["NA", *empty]
                    cursor: list[object] = ["NA", *empty]
                    if i == n - 1:
                        click = ["NA", *aoi_fields(task, draw.randint(1, 3), draw.randint(1, 5))]
                    elif i % 40 == 39:
                        click = ["NA", "Forward", "NA", "NA", f"{draw.randint(1, 3)}.0", *empty[:4]]
                    elif i % 4 == 3:
                        cursor = [f"{draw.random():.3f}", *here]
                    else:
                        fixation = [f"{draw.gammavariate(2, 110):.1f}", *here, *here]
                    writer.writerow([*head, *fixation, *click, *cursor])
                written += n
    with (out / "item_features.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["TMDB_id", "TMDB_title", "TMDB_genres", "TMDB_release_date", "TMDB_poster_path", "TaskID",
                         "Carousel_position", "Carousel_genre", "MovieID", "Movie_position_in_carousel"])  # fmt: skip
        for task in range(1, 41):
            for carousel in range(1, 11):
                for position in range(1, 16):
                    film = task * 1000 + carousel * 20 + position
                    genre = GENRES[carousel - 1]
                    writer.writerow([film, f"Film {film}", f"{genre}, Drama", "05-17-2004", f"/{film}.jpg", task,
                                     carousel, genre, film, position])  # fmt: skip
    with (out / "user_features.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["UserID", "Top_genre", "Preferred_genres"])
        for u in range(users):
            writer.writerow([f"KINIT_{u + 1}" if u < 61 else f"UvA_{u - 60}", "Drama", "Action, Drama"])


def read_row_by_row(raw: Path, checks: bool = True) -> Sessions:
    """The loader that one would write first: dictionaries of sums over csv.DictReader.

    With ``checks`` it refuses what the suite's reader refuses: text in number fields, positions out of
    range, negative durations and repeated rows.
    """

    def number(text: str) -> float | None:
        return None if text in ("", "NA") else float(text)

    places = [(f"{kind}_AOI_{place}", limit) for kind in ("Fixation", "Click", "Cursor")
              for place, limit in (("Carousel_position", 10), ("Movie_position_in_carousel", 15))]  # fmt: skip
    seen: set[int] = set()

    films = {}
    with (raw / "item_features.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            films[int(row["TaskID"]), int(row["Carousel_position"]), int(row["Movie_position_in_carousel"])] = (
                f"{row['TMDB_title']} ({row['TMDB_release_date'][-4:]}). {row['TMDB_genres']}"
            )
    gaze: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 15)
    cursor: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0.0] * 15)
    deepest: dict[tuple[str, str], float] = defaultdict(float)
    fixated = set()
    clicks = defaultdict(list)
    with (raw / "summary_feedback.csv").open(newline="") as file:
        for row_number, row in enumerate(csv.DictReader(file), start=2):
            key = row["UserID"], row["TaskID"]
            if checks:
                mark = hash(tuple(row.values()))
                if mark in seen:
                    raise SystemExit(f"row {row_number} is repeated")
                seen.add(mark)
                number(row["Timestamp"])
                for name, limit in places:
                    value = number(row[name])
                    if value is not None and not (value.is_integer() and 1 <= value <= limit):
                        raise SystemExit(f"row {row_number}: {name} is out of range")
            for kind, sums, unit in (("Fixation", gaze, 1.0), ("Cursor", cursor, 1000.0)):
                duration = number(row[f"{kind}_Duration"])
                carousel = number(row[f"{kind}_AOI_Carousel_position"])
                position = number(row[f"{kind}_AOI_Movie_position_in_carousel"])
                if duration is not None and duration < 0:
                    raise SystemExit(f"row {row_number} has a negative duration")
                if kind == "Fixation" and duration is not None:
                    fixated.add(key)
                    deepest[key] = max(deepest[key], carousel or 0)
                if duration is not None and carousel and position and carousel <= 3 and position <= 5:
                    sums[key][int(carousel - 1) * 5 + int(position - 1)] += duration * unit
            if row["Click_AOI_type"] not in ("", "NA"):
                clicks[key].append(
                    (float(row["Timestamp"]), row_number, row["Click_AOI_type"],
                     number(row["Click_AOI_Carousel_position"]), number(row["Click_AOI_Movie_position_in_carousel"]))
                )  # fmt: skip
    sessions = {}
    for key in sorted(clicks):
        history = sorted(clicks[key])
        _, _, kind, carousel, position = history[-1]
        if int(key[1]) > 35 or key not in fixated or deepest[key] > 3 or kind != "Movie" or sum(gaze[key]) <= 0:
            continue
        if carousel is None or position is None or carousel > 3:
            continue
        pages = [0, 0, 0]
        for _, _, button, row_of_page, _ in history:
            if button in ("Forward", "Backward") and row_of_page is not None and row_of_page <= 3:
                pages[int(row_of_page) - 1] += 1 if button == "Forward" else -1
        pages = [page % 3 for page in pages]
        pages[int(carousel) - 1] = int(position - 1) // 5
        texts = [films[int(key[1]), c + 1, pages[c] * 5 + p] for c in range(3) for p in range(1, 6)]
        click = int((carousel - 1) * 5 + (position - 1) % 5)
        sessions["-".join(key)] = (gaze[key], cursor[key], click, texts[click])
    return sessions


def read_row_by_row_unchecked(raw: Path) -> Sessions:
    return read_row_by_row(raw, checks=False)


def iterate_row_by_row(raw: Path) -> None:
    """Make every row a dictionary and drop it."""
    with (raw / "summary_feedback.csv").open(newline="") as file:
        for _ in csv.DictReader(file):
            pass


def read_with_suite(raw: Path) -> list[Session]:
    from tasks.definition import ReadOptions, quiet
    from tasks.recgaze import RECGAZE

    return RECGAZE.read(raw, ReadOptions(images=False, simulated=True), quiet).sessions


def prepare_with_suite(raw: Path) -> Path:
    from tasks.definition import ReadOptions
    from tasks.prepare import prepare
    from tasks.recgaze import RECGAZE

    return prepare(RECGAZE, raw, raw.parent / "prepared", ReadOptions(images=False, simulated=True)).out


def found_sessions(result: object) -> Sessions | None:
    """Return what a way found in one form; None where it keeps nothing."""
    from tasks.recgaze import RECGAZE
    from tasks.task import open_folder

    if isinstance(result, Path):
        task = open_folder(RECGAZE, result)
        result = task.sessions_at(range(len(task)))
    if isinstance(result, list):
        result = {
            s.session_id: (s.gaze_ms.tolist(), s.cursor_ms.tolist(), s.click, s.slots[s.click].text) for s in result
        }
    assert result is None or isinstance(result, dict)
    return result


WAYS: dict[str, Callable[[Path], object]] = {
    "prepare, no images": prepare_with_suite,
    "reader alone": read_with_suite,
    "DictReader loader": read_row_by_row,
    "DictReader loader, no checks": read_row_by_row_unchecked,
    "DictReader, rows dropped": iterate_row_by_row,
}


def one_run(way: str, raw: Path) -> None:
    """Go through ``raw`` once in this process; print seconds, peak memory and what was found as JSON."""
    import resource

    with tempfile.TemporaryDirectory() as folder:  # imports libraries before the clock starts
        small = Path(folder) / "raw"
        small.mkdir()
        write_folder(small, rows=3 * 40, users=1)
        WAYS[way](small)
    start = time.perf_counter()
    result = WAYS[way](raw)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found = {
        name: [round(sum(gaze), 3), round(sum(cursor), 3), click, text]
        for name, (gaze, cursor, click, text) in (found_sessions(result) or {}).items()
    }
    print(json.dumps({"seconds": seconds, "peak": peak, "sessions": found}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--raw", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one_run(args.one, args.raw)
        return
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        raw.mkdir()
        write_folder(raw, args.rows)
        megabytes = (raw / "summary_feedback.csv").stat().st_size / 2**20
        results: dict[str, list[dict[str, object]]] = defaultdict(list)
        for _ in range(args.repeats):
            for way in WAYS:  # in turn, so that a busy machine slows all
                command = [sys.executable, __file__, "--one", way, "--raw", str(raw)]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                results[way].append(json.loads(done.stdout))
    sessions = [found for runs in results.values() if (found := runs[0]["sessions"])]
    if any(found != sessions[0] for found in sessions):
        raise SystemExit("the ways disagree")
    best = {way: min(float(str(run["seconds"])) for run in runs) for way, runs in results.items()}
    first = next(iter(WAYS))
    kept = len(sessions[0])  # type: ignore[arg-type]
    print(f"{args.rows} events, {megabytes:.0f} MB, {kept} kept sessions, best of {args.repeats}; all agree on them")
    print(f"{'':<32}{'seconds':>9}{'ratio':>8}{'peak MiB':>10}")
    for way, runs in results.items():
        peak = max(float(str(run["peak"])) for run in runs)
        print(f"{way:<32}{best[way]:>9.2f}{best[way] / best[first]:>8.1f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
