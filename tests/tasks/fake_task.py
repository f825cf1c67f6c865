"""A tiny task: one CSV file, one drawn screen per screen name. Copied by conftest.py and imported by name."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from tasks.definition import Progress, Reading, ReadOptions, TaskDefinition, TaskInfo
from tasks.errors import InputError
from tasks.types import ScreenImage, Session, Slot

COLORS = {"s1": "red", "s2": "green", "s3": "blue"}


def detect(raw: Path) -> str | None:
    return "plain" if (raw / "events.csv").is_file() else None


def read(raw: Path, options: ReadOptions, progress: Progress) -> Reading:
    from PIL import Image

    sessions, dropped = [], {"no click": 0, "no gaze": 0}
    assert options.work is not None and not any(options.work.iterdir())
    Image.new("RGB", (6, 4), "white").save(options.work / "unused.png")
    with (raw / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in progress(rows, total=len(rows), desc="reading"):
        gaze = [float(ms) for ms in row["gaze"].split(";")]
        if not row["click"]:
            dropped["no click"] += 1
            continue
        if not any(gaze):
            dropped["no gaze"] += 1
            continue
        image = None
        if options.images:
            path = options.work / f"{row['screen']}.png"
            if not path.exists():
                Image.new("RGB", options.size or (6, 4), COLORS.get(row["screen"], "gray")).save(path)
            image = ScreenImage(path=path)
        slots = tuple(Slot("ABCDEF"[k], "film", f"Film {k}", (k, 0.0, k + 1.5, 4.0)) for k in range(len(gaze)))
        sessions.append(
            Session(
                session_id=row["id"],
                user=row["user"],
                screen=row["screen"],
                image=image,
                profile=f"Top_genre: {row['user']}",
                slots=slots,
                gaze_ms=gaze,
                cursor_ms=gaze[::-1],
                click=int(row["click"]),
                flags=("several-clicks",) if row["id"].endswith("2") else (),
            )
        )
    return Reading(sessions, read=len(rows), dropped=dropped, notes=["colours were drawn"])


def write_rows(folder: Path, rows: Iterable[tuple[str, str, str, str, str]]) -> None:
    with (folder / "events.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "user", "screen", "click", "gaze"])
        writer.writerows(rows)


def rows(users: int = 3) -> list[tuple[str, str, str, str, str]]:
    """u0 has three sessions, the others two each; one candidate has no click, two have no gaze."""
    made = []
    for user in range(users):
        for n, screen in enumerate(("s1", "s2", "s3")[: 3 if user == 0 else 2]):
            made.append((f"u{user}-{n}", f"u{user}", screen, str(n), f"{100 * n}.25;{50 + user};30.04"))
    made.append(("x-0", "x", "s1", "", "1;2;3"))
    made += [("x-1", "x", "s1", "1", "0;0;0"), ("x-2", "x", "s1", "2", "0;0;0")]
    return made


def write_sample(folder: Path) -> None:
    write_rows(folder, rows(users=4))


INFO = TaskInfo(
    name="fake",
    version="1.0.0",
    title="A tiny task",
    description="Three films, one click.",
    citation="@article{fake, title={Tiny}, year={2025}}",
    licence="CC-BY-4.0",
    source="https://example.org/tiny",
    answer_format="letter",
    leaks=("The click is looked at.",),
    deviations=("Everything is small.",),
)
FAKE = TaskDefinition(
    info=INFO,
    layouts=("plain",),
    detect=detect,
    read=read,
    write_sample=write_sample,
    sample_notice="simulated sample, not Tiny",
    sample_size=(8, 5),
)
__all__ = ["FAKE", "InputError", "rows", "write_rows"]
