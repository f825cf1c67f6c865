"""A second small task, for what is taken from one task to another: five users, three slots, a notice of its own."""

from __future__ import annotations

from pathlib import Path

from tasks.definition import TaskInfo
from tasks.task import Task
from tests import mini

INFO = TaskInfo("minor", "2", "Minor", "Another small task.", "@misc{minor}", "MIT", "invented", "letter")
DEFINITION = mini.definition(INFO, [f"v{i}" for i in range(5)], 3, 11, "simulated: five other users")


def build(folder: Path) -> Task:
    """Prepare the task below ``folder`` and open it."""
    return mini.build(folder, DEFINITION)
