"""Options that several verbs share, and how they become values."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tasks.errors import InputError

if TYPE_CHECKING:
    from tasks.task import Task

T = TypeVar("T")


def add_task_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add ``--task``, ``--data`` and ``--split``."""
    parser.add_argument("--task", required=required, help="task name (list tasks)")
    parser.add_argument(
        "--data",
        metavar="DIR|sample",
        help="prepared or raw data folder, or 'sample': the built-in simulated sample"
        " (default: $GAZEBENCH_DATA/TASK if it exists, else the sample)",
    )
    parser.add_argument("--split", help="loo, kfold or unseen-screen (default: loo)")


def load_task(name: str, data: str | Path | None) -> Task:
    """Load a task and say on standard error what was prepared on the way."""
    import tasks

    return tasks.load(name, data, workers=os.cpu_count() or 1, report=say, progress=bar)


def say(line: str) -> None:
    """Print a line for the person at the terminal; standard output is kept for results."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def width() -> int | None:
    """Return the columns of the terminal that standard output is, or None: a file has no edge."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def bar(items: Iterable[T], *, total: int | None = None, desc: str = "") -> Iterable[T]:
    """Show a progress bar on standard error, if that is a terminal."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=desc, disable=not sys.stderr.isatty(), leave=False, unit="")


def settings(pairs: Iterable[str]) -> dict[str, object]:
    """Return ``key=value`` pairs as a mapping; values are YAML scalars."""
    import yaml

    found: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputError(f"--set expects key=value, not '{pair}'.")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {key}: '{value}' is not a value: {error}.") from error
    return found


def words(text: str) -> tuple[str, ...]:
    """Split ``a,b c`` into its words."""
    return tuple(word for word in text.replace(",", " ").split() if word)


def numbers(text: str) -> tuple[int, ...]:
    """Split ``42,123`` into whole numbers.

    Raises:
        InputError: One of them is not a whole number, or one stands twice.
    """
    try:
        found = tuple(int(word) for word in words(text))
    except ValueError as error:
        raise InputError(f"--seeds expects whole numbers such as 42,123, not '{text}'.") from error
    if not found or len(set(found)) != len(found) or min(found) < 0:
        raise InputError(f"--seeds expects at least one seed, none negative and none twice, not '{text}'.")
    return found
