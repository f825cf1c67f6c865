"""What every table is compared with: the suite's cheap priors, the oracles, and other people on the same screen.

A normalised score puts 0 at the position prior and 1 at people. What people score depends on the metric: for those
that compare a simulator with the click, it is the gaze of the same person (``gaze-oracle``); for those that compare it
with gaze, it is where *other* users looked on the same screen (``other-users``, ours), the measure of how far gaze
on a screen is shared at all (the inter-observer bound of the saliency literature). The latter exists where screens are
seen by several users, which is so on RecGaze and not on AdSERP, where nearly every query was typed once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benchmark.naming import OWN, input_word
from benchmark.parts.checking import claimed
from benchmark.scores.predictions import cells_of, of_rows
from benchmark.simulator import Floats, Prediction
from benchmark.trials.configuration import ORACLES, PRIORS
from leaderboard.entries import Metadata
from tasks.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

    from benchmark.trials.catalogue import Catalogue
    from tasks.task import Task
    from tasks.types import Session

PRIOR = "position-prior"
"""The 0 of a normalised score."""

OTHERS = "other-users"

MIN_OTHERS = 3
"""Fewer other users on a screen are too few to represent people."""

MIN_OVERLAP = 0.5
"""Share of test sessions with that many others from which on there is a reference for gaze metrics."""

SMOOTHING = 1.0
"""The mean gaze of the others is drawn toward uniform with the weight of this many sessions, as the position prior."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Predictions of the suite itself: a ``baseline`` or a ``reference``."""

    kind: str
    metadata: Metadata
    predictions: pa.Table


def names() -> tuple[str, ...]:
    """Return the names of all references, baselines first."""
    return (*PRIORS, *ORACLES, OTHERS)


def compute(task: Task, split: str, catalogue: Catalogue, chosen: Sequence[str]) -> Iterator[Reference]:
    """Fit and simulate some of the references (:func:`names`) on a split.

    ``other-users`` is left out where too few screens were seen by several users, the cursor's oracle where no session
    has a cursor.
    """
    from benchmark import __version__

    for name in chosen:
        if name == OTHERS:
            continue
        entry = catalogue.entry(name)
        metadata = Metadata(
            name=name,
            version=__version__,
            authors=("gazebench",),
            licence="MIT",
            description=entry.summary,
            kind="oracle" if entry.oracle else "prior",
            inputs=tuple(map(input_word, entry.sees)),
            attention_target="none",
        )
        kind = "reference" if entry.oracle else "baseline"
        said = of_rows(_simulated(task, split, catalogue, name), OWN, 0)
        if claimed(cells_of(said)):
            yield Reference(kind, metadata, said)
    if OTHERS in chosen:
        found = others_gaze(task, split)
        if usable(found):
            prior = {p.session_id: p.attention for p in _simulated(task, split, catalogue, PRIOR)}
            shown = [Prediction(s, prior[s] if gaze is None else gaze) for s, gaze in found.items()]
            alone = sum(gaze is None for gaze in found.values())
            metadata = Metadata(
                name=OTHERS,
                version=__version__,
                authors=("gazebench",),
                licence="MIT",
                description="mean gaze of the other users on the same screen"
                + (f"; the position prior in {alone} of {len(found)} sessions with too few" if alone else ""),
                kind="oracle",
                inputs=("gaze of other users",),
                attention_target="none",
            )
            yield Reference("reference", metadata, of_rows(shown, OWN, 0))


def others_gaze(task: Task, split: str) -> dict[str, Floats | None]:
    """Return per test session where other users looked on the same screen: K shares of sum 1.

    The same screen is one of the same name that shows the same items in the same slots; on ``recgaze-visible`` two
    users who swiped differently did not see the same. Every other user has the same weight, whatever part of the split
    their sessions belong to; the mean is drawn toward uniform with the weight of ``SMOOTHING`` users. It is None where
    fewer than ``MIN_OTHERS`` others saw the screen. It describes people, so it is not a simulator and is never ranked.
    """
    shares: dict[Hashable, dict[str, list[Floats]]] = defaultdict(lambda: defaultdict(list))
    for session in task.sessions_at(range(len(task))):
        shares[_screen(session)][session.user].append(session.gaze)
    found: dict[str, Floats | None] = {}
    for _, test in task.split(split).folds:
        for session in task.sessions_at(test):
            others = [np.mean(gaze, axis=0) for user, gaze in shares[_screen(session)].items() if user != session.user]
            k = len(session.slots)
            enough = len(others) >= MIN_OTHERS
            pooled = (np.sum(others, axis=0) + SMOOTHING / k) / (len(others) + SMOOTHING) if enough else None
            found[session.session_id] = pooled
    return found


def usable(found: Mapping[str, Floats | None]) -> bool:
    """Return whether enough test sessions have other users on the same screen for a reference."""
    return bool(found) and sum(gaze is not None for gaze in found.values()) >= MIN_OVERLAP * len(found)


def _screen(session: Session) -> Hashable:
    return session.screen, tuple((slot.kind, slot.text) for slot in session.slots)


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
