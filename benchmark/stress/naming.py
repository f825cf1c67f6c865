"""What a transfer to another task is called, in the files of runs, submissions and boards; imports nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

TRANSFER = "transfer-"
"""Begins the condition of predictions on another task's test sessions: ``transfer-adserp@1.0``."""

TARGET = r"[a-z0-9][a-z0-9-]{0,59}@[0-9A-Za-z][0-9A-Za-z.+_-]{0,29}"
"""The other task and its version, as a regular expression."""

_CONDITION = re.compile(rf"{TRANSFER}({TARGET})", re.ASCII)


def transfer_condition(task: str, version: str) -> str:
    """Return the condition of predictions on the test sessions of another task."""
    return f"{TRANSFER}{task}@{version}"


def transfer_target(condition: str) -> tuple[str, str] | None:
    """Return task and version that a condition takes a simulator to, None if it is no transfer."""
    match = _CONDITION.fullmatch(condition)
    if match is None:
        return None
    task, _, version = match[1].partition("@")
    return task, version


def transfer_test(task: str) -> str:
    """Return what the stress test is called."""
    return f"transfer {task}"


def joined(notices: Iterable[str]) -> str:
    """Return notices as one, each part said once; parts are joined by a semicolon."""
    parts = [part for notice in notices for part in notice.split("; ")]
    return "; ".join(dict.fromkeys(part for part in parts if part))
