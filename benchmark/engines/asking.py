"""Asks a fitted simulator about sessions: all that it says of them, next visits along the recorded paths included."""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from benchmark.scores.paths import LONGEST, PER_SESSION, SampledPaths
from benchmark.simulator import AttendsToLabel, Floats, FollowsPath, Prediction, Simulator
from benchmark.trials.trial import Trial
from tasks.errors import InputError
from tasks.types import Session, Stimulus, Visit, visits


def ask(
    simulator: Simulator | FollowsPath, shown: Sequence[Stimulus], paths: Sequence[Sequence[Visit]], where: str
) -> list[Prediction]:
    """Return what a fitted simulator says of some sessions, and of their recorded visits, handed over one by one.

    ``where`` names the simulator in messages. InputError if it answered for other sessions, or where the eyes go next
    not in the form asked for.
    """
    if isinstance(simulator, Simulator):
        found = asked_for(shown, simulator.simulate(shown), where)
    else:
        found = [Prediction(stimulus.session_id) for stimulus in shown]
    early = [prediction.session_id for prediction in found if prediction.next_visit is not None]
    if early:
        raise InputError(f"{where}, session '{early[0]}': next_visit comes from follow(), asked visit by visit.")
    if not isinstance(simulator, FollowsPath):
        return found
    return [
        replace(prediction, next_visit=_followed(simulator, stimulus, path, where))
        for prediction, stimulus, path in zip(found, shown, paths, strict=True)
    ]


def asked(simulator: Simulator, trial: Trial, sessions: list[Session]) -> list[list[Prediction]]:
    """Return what a trial's fitted simulator says of sessions, and its attention for the true click if that is asked.

    InputError if it returned predictions that are not what was asked for.
    """
    # Only an oracle is handed the sessions themselves; everyone else sees them without gaze, cursor and click.
    shown = sessions if trial.oracle else [session.stimulus() for session in sessions]
    where = f"simulator '{trial.simulator}'"
    found = [ask(simulator, cast("list[Stimulus]", shown), [visits(session) for session in sessions], where)]
    if trial.label and isinstance(simulator, AttendsToLabel):
        found.append(asked_for(sessions, simulator.attend_to_label(sessions), where))
    return found


def asked_for(
    sessions: Sequence[Session] | Sequence[Stimulus], found: list[Prediction], where: str
) -> list[Prediction]:
    """Return predictions that are about the sessions asked for, in their order; InputError if they are not."""
    if [prediction.session_id for prediction in found] != [session.session_id for session in sessions]:
        raise InputError(
            f"{where} returned {len(found)} predictions for {len(sessions)} sessions or in another order; "
            "simulate() must return one prediction per session, in order."
        )
    return found


def _followed(simulator: FollowsPath, stimulus: Stimulus, path: Sequence[Visit], where: str) -> Floats:
    """Return one row after each prefix of a path, shape (n + 1, K + 1); the simulator never holds more than that."""
    size, rows = len(stimulus.slots) + 1, []
    for k in range(len(path) + 1):
        given = simulator.follow(stimulus, tuple(path[:k]))
        said = f"{where}, session '{stimulus.session_id}': follow() after {k} visits returned"
        try:
            row = np.array(given, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{said} no list of numbers: {error}.") from error
        if row.shape != (size,):
            raise InputError(f"{said} the shape {row.shape}. Return {size} numbers, one per slot and one for stop.")
        rows.append(row)
    return np.stack(rows)


def sample(
    simulator: FollowsPath, stimulus: Stimulus, generator: np.random.Generator, dwell: Sequence[float]
) -> tuple[Visit, ...]:
    """Draw a path of one visit or more: each visit from what the fitted simulator says after those before it.

    The time of each, ms, is drawn from ``dwell``: a simulator may read how long a visit was.
    """
    path: list[Visit] = []
    while len(path) < LONGEST:
        row = np.array(simulator.follow(stimulus, tuple(path)), dtype=np.float64)
        row[path[-1].slot if path else -1] = 0.0
        if not row.sum() > 0:
            break
        chosen = int(generator.choice(len(row), p=row / row.sum()))
        if chosen == len(row) - 1:
            break
        began = path[-1].start_ms + path[-1].ms if path else 0.0
        path.append(Visit(chosen, began, float(generator.choice(dwell))))
    return tuple(path)


def sampled(simulator: FollowsPath, shown: Sequence[Stimulus], train: Sequence[Session], seed: int) -> SampledPaths:
    """Draw paths for some sessions; those of a session depend on it and the seed, not on the other sessions."""
    dwell = [visit.ms for session in train for visit in visits(session)] or [1.0]
    found: SampledPaths = {}
    for stimulus in shown:
        generator = np.random.default_rng((seed, zlib.crc32(stimulus.session_id.encode())))
        paths = [sample(simulator, stimulus, generator, dwell) for _ in range(PER_SESSION)]
        found[stimulus.session_id] = [[visit.slot for visit in path] for path in paths]
    return found
