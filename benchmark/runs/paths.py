"""The paths that the simulators of a run drew, by simulator."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.runs.kept import behind
from benchmark.scores import paths
from benchmark.scores.paths import SampledPaths
from benchmark.scores.results import Results
from tasks.errors import InputError, require_known

SHOWN = ("step-markov", "examination-logit", "slot-transformer")
"""Whose paths are drawn where nobody says, of those that a run has; then the others."""


def of_run(run: Path, found: Results) -> dict[str, SampledPaths]:
    """Return simulator -> session -> paths drawn, all seeds together; simulators that draw none are left out."""
    each = {name: paths.read(trial.folder for trial in trials) for name, trials in behind(run, found).items()}
    return {name: drawn for name, drawn in each.items() if drawn}


def drawn(
    run: Path, found: Results, session_id: str, simulators: Sequence[str] | None = None
) -> list[tuple[str, list[int]]]:
    """Return the first path that each of some simulators drew for a session, by default of three at most.

    InputError if a simulator that is named drew none for it.
    """
    of_session = {name: each[session_id][0] for name, each in of_run(run, found).items() if each.get(session_id)}
    if simulators and not of_session:
        raise InputError(f"no simulator of {run} drew a path for session '{session_id}'; run one that follows paths.")
    require_known(f"simulator in {run} that drew a path for '{session_id}':", simulators or (), of_session)
    chosen = simulators or sorted(of_session, key=lambda name: (*SHOWN, name).index(name))[:3]
    return [(name, of_session[name]) for name in chosen]
