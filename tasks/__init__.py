"""Tasks: recorded sessions of people looking and clicking, with fixed splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.definition import Reading, ReadOptions, TaskDefinition, TaskInfo
from tasks.errors import InputError
from tasks.registry import load, names
from tasks.types import ScreenImage, Session, Slot, Stimulus

if TYPE_CHECKING:
    from tasks.task import Task

__all__ = [
    "InputError",
    "ReadOptions",
    "Reading",
    "ScreenImage",
    "Session",
    "Slot",
    "Stimulus",
    "Task",
    "TaskDefinition",
    "TaskInfo",
    "load",
    "names",
]


def __getattr__(name: str) -> Any:
    """Import :class:`tasks.task.Task` when it is first asked for, to keep start-up quick."""
    if name == "Task":
        from tasks.task import Task

        return Task
    raise AttributeError(f"module 'tasks' has no attribute '{name}'")
