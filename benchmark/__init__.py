"""Runs gaze-aligned user simulators and measures them; ``__all__`` is what is public.

Nothing heavy is imported before one of these names is used.
"""

from __future__ import annotations

import importlib.util
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.api import load, read_run, run, score, show
    from benchmark.api.result import Result
    from benchmark.metrics.sessions import evaluate_sessions
    from benchmark.output.figure_style import Drawing
    from benchmark.simulator import Prediction, Simulator
    from tasks.errors import InputError
    from tasks.task import Task
    from tasks.types import Session, Stimulus, Visit

__version__ = "0.1.0"

_HOMES = {
    "benchmark.api": ("load", "run", "score", "read_run", "show"),
    "benchmark.metrics.sessions": ("evaluate_sessions",),
    "benchmark.api.result": ("Result",),
    "benchmark.output.figure_style": ("Drawing",),
    "benchmark.simulator": ("Prediction", "Simulator"),
    "tasks.task": ("Task",),
    "tasks.types": ("Session", "Stimulus", "Visit"),
    "tasks.errors": ("InputError",),
}

__all__ = [
    "Drawing",
    "InputError",
    "Prediction",
    "Result",
    "Session",
    "Simulator",
    "Stimulus",
    "Task",
    "Visit",
    "evaluate_sessions",
    "load",
    "read_run",
    "run",
    "score",
    "show",
]


def check_packages(folder: Path | None = None) -> None:
    """Raise ImportError with one line where a file such as ./tasks.py hides a package of the suite.

    ``folder`` is where worker processes look first, and must hold no such file; None checks what this process imports.
    """
    home = Path(__file__).resolve().parents[1]
    for name in ("benchmark", "tasks", "baselines", "submissions", "leaderboard"):
        spec = PathFinder.find_spec(name, [str(folder)]) if folder else importlib.util.find_spec(name)
        found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        # Another copy of the suite in the current folder is its user's own affair; a file of that name never is.
        if found is not None and (found.name != "__init__.py" or (folder is None and home not in found.parents)):
            raise ImportError(f"{found} hides the package '{name}' of gazebench: rename it, or use another folder.")


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    for module, names in _HOMES.items():
        if name in names:
            check_packages()
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'benchmark' has no attribute '{name}'; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
