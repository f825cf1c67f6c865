"""What every table is compared with: the suite's cheap priors, the oracles, and other people on the same screen.

A normalised score puts 0 at the position prior and 1 at people. What people score depends on the metric: for those
that compare a simulator with the click, it is the gaze of the same person (``gaze-oracle``); for those that compare it
with gaze, it is where *other* users looked on the same screen (``other-users``, ours), the measure of how far gaze
on a screen is shared at all (the inter-observer bound of the saliency literature). The latter exists where screens are
seen by several users, which is so on RecGaze and not on AdSERP, where nearly every query was typed once. A result of
the order family brings that family's own: ``step-markov``, and the paths of other users on the same screen.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from benchmark.engines.asking import ask
from benchmark.metrics.families import FAMILIES
from benchmark.naming import OWN, input_word
from benchmark.parts import part_names
from benchmark.parts.checking import claimed
from benchmark.scores.predictions import cells_of, of_rows
from benchmark.simulator import Floats, Prediction
from benchmark.trials.catalogue import Catalogue
from benchmark.trials.configuration import ORACLES, PRIORS
from leaderboard.entries import Metadata
from tasks import others
from tasks.errors import InputError
from tasks.task import Task
from tasks.types import Stimulus, visits

OTHERS = "other-users"


@dataclass(frozen=True, slots=True)
class Reference:
    """Predictions of the suite itself: a ``baseline`` or a ``reference``."""

    kind: str
    metadata: Metadata
    predictions: pa.Table


def names(claims: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of the references of results that claim some parts, baselines first.

    A family that stays apart is compared with its prior and with people where a result has its part.
    """
    return (*PRIORS, *ORACLES, *_apart(claims))


def every() -> tuple[str, ...]:
    """Return the names of all references."""
    return names(part_names())


def _apart(claims: Collection[str]) -> tuple[str, ...]:
    """Return the prior and the human reference of the families that stay apart."""
    chosen = [one for one in FAMILIES if one.apart and set(one.parts) & set(claims)]
    return tuple(dict.fromkeys(name for one in chosen for name in (one.prior, *one.human.values())))


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
        follows = name in _apart(part_names())
        said = of_rows(_simulated(task, split, catalogue, name, follows=follows), OWN, 0)
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


def _simulated(task: Task, split: str, catalogue: Catalogue, name: str, *, follows: bool = False) -> list[Prediction]:
    """Return a deterministic simulator's predictions of every test session; where it follows, along the paths too."""
    entry = catalogue.entry(name)
    if entry.stochastic:
        raise InputError(f"'{name}' depends on a seed and cannot be a reference.")
    found: list[Prediction] = []
    for train, test in task.split(split).folds:
        simulator = catalogue.build(name, {})
        simulator.fit(task.sessions_at(train), 0)
        sessions = task.sessions_at(test)
        shown = sessions if entry.oracle else [s.stimulus() for s in sessions]
        stimuli = cast("Sequence[Stimulus]", shown)  # an oracle is handed full sessions
        paths = [visits(s) for s in sessions]
        found += ask(simulator, stimuli, paths, f"'{name}'") if follows else simulator.simulate(stimuli)
    return found
