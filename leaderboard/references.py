"""What every table is compared with: the suite's cheap priors, the oracles, and other people on the same screen.

A normalised score puts 0 at the position prior and 1 at people. What people score depends on the metric: for those
that compare a simulator with the click, it is the gaze of the same person (``gaze-oracle``); for those that compare it
with gaze, it is where *other* users looked on the same screen (``other-users``, ours), the measure of how far gaze
on a screen is shared at all (the inter-observer bound of the saliency literature). The latter exists where screens are
seen by several users, which is so on RecGaze and not on AdSERP, where nearly every query was typed once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.naming import OWN, input_word
from benchmark.parts.checking import claimed
from benchmark.scores.predictions import cells_of, of_rows
from benchmark.simulator import Floats, Prediction
from benchmark.trials.configuration import ORACLES, PRIORS
from leaderboard.entries import Metadata
from tasks import others
from tasks.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from benchmark.trials.catalogue import Catalogue
    from tasks.task import Task

PRIOR = "position-prior"
"""The 0 of a normalised score."""

OTHERS = "other-users"


@dataclass(frozen=True, slots=True)
class Reference:
    """Predictions of the suite itself: a ``baseline`` or a ``reference``."""

    kind: str
    metadata: Metadata
    predictions: pa.Table


def names() -> tuple[str, ...]:
    """Return the names of all references, baselines first."""
    return (*PRIORS, *ORACLES)


def compute(task: Task, split: str, catalogue: Catalogue, chosen: Sequence[str]) -> Iterator[Reference]:
    """Fit and simulate some of the references (:func:`names`) on a split.

    ``other-users`` is left out where too few screens were seen by several users, the cursor's oracle where no session
    has a cursor.
    """
    from benchmark import __version__

    for name in chosen:
        entry = catalogue.entry(name)
        metadata = Metadata(
            name=name,
            version=__version__,
            authors=("gazebench",),
            licence="MIT",
            description=entry.summary + (_too_few(task, split) if name == OTHERS else ""),
            kind="oracle" if entry.oracle else "prior",
            inputs=tuple(map(input_word, entry.sees)),
            attention_target="none",
        )
        kind = "reference" if entry.oracle else "baseline"
        said = of_rows(_simulated(task, split, catalogue, name), OWN, 0)
        if claimed(cells_of(said)):
            yield Reference(kind, metadata, said)


def others_gaze(task: Task, split: str) -> dict[str, Floats | None]:
    """Return per test session where other users looked on the same screen (``tasks.others``)."""
    known = task.sessions_at(range(len(task)))
    return others.others_gaze(
        known, [session for _, test in task.split(split).folds for session in task.sessions_at(test)]
    )


def _too_few(task: Task, split: str) -> str:
    """Return in how many sessions ``other-users`` is the position prior, in words."""
    found = others_gaze(task, split)
    alone = sum(gaze is None for gaze in found.values())
    return f"; the position prior in {alone} of {len(found)} sessions with too few" if alone else ""


def _simulated(task: Task, split: str, catalogue: Catalogue, name: str) -> list[Prediction]:
    """Return a deterministic simulator's predictions of every test session."""
    entry = catalogue.entry(name)
    if entry.stochastic:
        raise InputError(f"'{name}' depends on a seed and cannot be a reference.")
    found: list[Prediction] = []
    for train, test in task.split(split).folds:
        simulator = catalogue.build(name, {})
        simulator.fit(task.sessions_at(train), 0)
        sessions = task.sessions_at(test)
        shown = sessions if entry.oracle else [s.stimulus() for s in sessions]
        found += simulator.simulate(shown)  # type: ignore[arg-type]  # an oracle is handed full sessions
    return found
