"""A small task of seven users with three sessions each, prepared like any other."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tasks.definition import Reading, ReadOptions, TaskDefinition, TaskInfo, quiet
from tasks.prepare import prepare
from tasks.task import Task, open_folder
from tasks.types import ScreenImage, Session, Slot

USERS = [f"u{i}" for i in range(7)]
NOTICE = "simulated: seven invented users"


def picture() -> ScreenImage:
    data = io.BytesIO()
    Image.new("RGB", (80, 40), (200, 220, 255)).save(data, format="PNG")
    return ScreenImage(data=data.getvalue())


def make_session(user: str, screen: int, gaze: np.ndarray, click: int) -> Session:
    slots = tuple(
        Slot("ABCD"[k], "film", f"Film {k}", (20.0 * k + 2, 5.0, 20.0 * k + 18, 35.0)) for k in range(len(gaze))
    )
    cursor = np.zeros(len(gaze))
    return Session(f"{user}-{screen}", user, str(screen), picture(), "Top_genre: Drama", slots, gaze, cursor, click)


def definition(info: TaskInfo, users: list[str], slots: int, seed: int, notice: str) -> TaskDefinition:
    """Return a task on which users look at random and click where they looked longest."""

    def read(raw, options, progress):
        rng = np.random.default_rng(seed)
        found = []
        for user in users:
            for screen in range(3):
                gaze = rng.gamma(1.0, 400.0, size=slots) + 1
                found.append(make_session(user, screen, gaze, int(gaze.argmax())))
        return Reading(found, read=len(found), dropped={}, notes=[])

    return TaskDefinition(
        info=info,
        layouts=("raw",),
        detect=lambda path: "raw",
        read=read,
        write_sample=lambda path: None,
        sample_notice=notice,
    )


DEFINITION = definition(
    TaskInfo("mini", "1", "Mini", "A small task.", "@misc{mini}", "MIT", "invented", "letter"), USERS, 4, 7, NOTICE
)


def build(folder: Path, made: TaskDefinition = DEFINITION) -> Task:
    """Prepare the task below ``folder`` and open it."""
    (folder / "raw").mkdir()
    (folder / "raw" / "events.csv").write_text("invented\n")
    prepare(made, folder / "raw", folder / "out", ReadOptions(simulated=True), quiet, lambda line: None)
    return open_folder(made, folder / "out")
