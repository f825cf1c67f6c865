"""A second small task, for what is taken from one task to another: five users, three slots, a notice of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tasks.definition import Reading, ReadOptions, TaskDefinition, TaskInfo, quiet
from tasks.prepare import prepare
from tasks.task import Task, open_folder
from tests.mini import make_session

NOTICE = "simulated: five other users"


def read(raw, options, progress):
    rng = np.random.default_rng(11)
    found = []
    for user in (f"v{i}" for i in range(5)):
        for screen in range(3):
            gaze = rng.gamma(1.0, 400.0, size=3) + 1
            found.append(make_session(user, screen, gaze, int(gaze.argmax())))
    return Reading(found, read=15, dropped={}, notes=[])


DEFINITION = TaskDefinition(
    info=TaskInfo("minor", "2", "Minor", "Another small task.", "@misc{minor}", "MIT", "invented", "letter"),
    layouts=("raw",),
    detect=lambda path: "raw",
    read=read,
    write_sample=lambda path: None,
    sample_notice=NOTICE,
)


def build(folder: Path) -> Task:
    """Prepare the task below ``folder`` and open it."""
    (folder / "raw").mkdir()
    (folder / "raw" / "events.csv").write_text("invented\n")
    prepare(DEFINITION, folder / "raw", folder / "out", ReadOptions(simulated=True), quiet, lambda line: None)
    return open_folder(DEFINITION, folder / "out")
