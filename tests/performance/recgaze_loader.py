"""Reading a RecGaze folder of a million events: the suite's reader beside a row-by-row csv.DictReader loader.

Writes a simulated folder into a temporary place, reads it with the loaders in turn, each in a process of its own that
has read a small folder before (so that no import is timed), checks that they agree on every session's dwell, click and
clicked film, and prints the time ratios and the peak memory. The row-by-row loader is measured with the checks that the
suite's reader makes and without any.

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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

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


def read_with_suite(raw: Path) -> Sessions:
    from tasks.definition import ReadOptions, quiet
    from tasks.recgaze import RECGAZE

    reading = RECGAZE.read(raw, ReadOptions(images=False, simulated=True), quiet)
    return {
        s.session_id: (s.gaze_ms.tolist(), s.cursor_ms.tolist(), s.click, s.slots[s.click].text)
        for s in reading.sessions
    }


LOADERS = {
    "gazebench": read_with_suite,
    "DictReader": read_row_by_row,
    "DictReader, unchecked": read_row_by_row_unchecked,
}


def one_run(loader: str, raw: Path) -> None:
    """Read once in this process; print seconds, peak memory and a digest-like summary as JSON."""
    import resource

    with tempfile.TemporaryDirectory() as folder:  # imports libraries before the clock starts
        write_folder(Path(folder), rows=3 * 40, users=1)
        LOADERS[loader](Path(folder))
    start = time.perf_counter()
    sessions = LOADERS[loader](raw)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    checks = {
        name: [round(sum(gaze), 3), round(sum(cursor), 3), click, text]
        for name, (gaze, cursor, click, text) in sessions.items()
    }
    print(json.dumps({"seconds": seconds, "peak": peak, "sessions": checks}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", choices=LOADERS, help=argparse.SUPPRESS)
    parser.add_argument("--raw", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one_run(args.one, args.raw)
        return
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder)
        write_folder(raw, args.rows)
        megabytes = (raw / "summary_feedback.csv").stat().st_size / 2**20
        results: dict[str, list[dict[str, object]]] = defaultdict(list)
        for _ in range(args.repeats):
            for loader in LOADERS:  # in turn, so that a busy machine slows both
                command = [sys.executable, __file__, "--one", loader, "--raw", folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                results[loader].append(json.loads(done.stdout))
    if any(runs[0]["sessions"] != results["gazebench"][0]["sessions"] for runs in results.values()):
        raise SystemExit("the loaders disagree")
    best = {loader: min(float(str(run["seconds"])) for run in runs) for loader, runs in results.items()}
    kept = len(results["gazebench"][0]["sessions"])  # type: ignore[arg-type]
    print(f"{args.rows} events, {megabytes:.0f} MB, {kept} kept sessions, best of {args.repeats}; loaders agree")
    print(f"{'loader':<24}{'seconds':>9}{'ratio':>8}{'peak MiB':>10}")
    for loader, runs in results.items():
        peak = max(float(str(run["peak"])) for run in runs)
        print(f"{loader:<24}{best[loader]:>9.2f}{best[loader] / best['gazebench']:>8.1f}{peak:>10.0f}")


if __name__ == "__main__":
    main()
