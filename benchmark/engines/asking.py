"""Asks a fitted simulator about sessions: all that it says of them, next visits along the recorded paths included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmark.simulator import Floats, FollowsPath, Prediction, Simulator
from tasks.errors import InputError
from tasks.types import Session, Stimulus
from tasks.visits import Visit


def ask(
    simulator: Simulator | FollowsPath, shown: Sequence[Stimulus], paths: Sequence[Sequence[Visit]], where: str
) -> list[Prediction]:
    """Return what a simulator says of some sessions.

    Args:
        simulator: The simulator, fitted.
        shown: What it is shown.
        paths: The recorded visits of each session: of these it is handed one more at a time.
        where: Names it in messages.

    Raises:
        InputError: It answered for other sessions, or where the eyes go next not in the form asked for.
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
