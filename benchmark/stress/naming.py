"""What a transfer to another task is called in the files of a run; imports nothing."""

from __future__ import annotations

from collections.abc import Iterable

TRANSFER = "transfer-"
"""Begins the folder of predictions on another task's test sessions: ``transfer-adserp``."""


def transfer_test(task: str) -> str:
    """Return what the stress test is called."""
    return f"transfer {task}"


def joined(notices: Iterable[str]) -> str:
    """Return notices as one, each part said once; parts are joined by a semicolon."""
    parts = [part for notice in notices for part in notice.split("; ")]
    return "; ".join(dict.fromkeys(part for part in parts if part))
