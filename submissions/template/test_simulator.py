"""Tests that the simulator does what the suite expects of it. Run them with pytest."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import tasks
from benchmark.trials.catalogue import simulator_class

SIMULATOR = f"{Path(__file__).with_name('simulator.py')}:MySimulator"


def test_it_answers_for_every_session() -> None:
    """Fit on the training part of the simulated sample and look at every answer on the test part."""
    task = tasks.load("recgaze", "sample")
    train, test = task.split("loo").folds[0]
    simulator = simulator_class(SIMULATOR)()
    simulator.fit(task.sessions_at(train), seed=42)
    stimuli = [session.stimulus() for session in task.sessions_at(test)]
    predictions = simulator.simulate(stimuli)
    assert [p.session_id for p in predictions] == [s.session_id for s in stimuli]
    for prediction, stimulus in zip(predictions, stimuli, strict=True):
        for part in (prediction.attention, prediction.probabilities):
            if part is not None:
                assert part.shape == (len(stimulus.slots),)
                assert np.isfinite(part).all() and (part >= 0).all()
        if prediction.probabilities is not None:
            assert abs(prediction.probabilities.sum() - 1) < 1e-6
        if prediction.answer is not None:
            assert 0 <= prediction.answer < len(stimulus.slots)


def test_it_answers_the_same_when_asked_again() -> None:
    """The same seed must give the same predictions."""
    task = tasks.load("recgaze", "sample")
    train, test = task.split("loo").folds[0]
    stimuli = [session.stimulus() for session in task.sessions_at(test[:5])]
    runs = []
    for _ in range(2):
        simulator = simulator_class(SIMULATOR)()
        simulator.fit(task.sessions_at(train), seed=42)
        runs.append(simulator.simulate(stimuli))
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first.attention, second.attention)
        np.testing.assert_array_equal(first.probabilities, second.probabilities)
        assert first.answer == second.answer
