"""Gradients and predictions are those of one process, whatever is shared out and among how many.

In a group what fails in one process fails in all, and the next trial runs.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.baselines.distributed.conftest import NEEDS

pytestmark = [NEEDS, pytest.mark.slow]

CONFIGS = ("zero2", "zero3", "zero3-offload")
GRADIENTS = [(config, "fixate") for config in CONFIGS]
GRADIENTS += [("zero3", case) for case in ("internvl", "suffix", "glimpse", "rollout", "clicks", "shared", "numbers")]
GRADIENTS += [("zero2", case) for case in ("shared", "numbers")]
PREDICTIONS = [(config, "tuned") for config in CONFIGS]
PREDICTIONS += [(config, "resumed") for config in ("zero2", "zero3")] + [("zero2", "taken-over")]
PREDICTIONS += [("zero3", case) for case in ("tuned-numbers", "backbone", "random-prompt", "gaze-heads", "text")]


def of(found, config, case):
    """Return key -> array of one case."""
    prefix = f"{config}/{case}/"
    return {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("config", "case"), GRADIENTS)
def test_gradients_are_those_of_one_process(alone, together, config, case, size):
    expected, found = alone(case), of(together[size], config, case)
    assert found.keys() == expected.keys() and len(found) >= 1
    for key, gradient in expected.items():
        assert np.abs(gradient).max() > 1e-4
        relative = np.linalg.norm(found[key] - gradient) / np.linalg.norm(gradient)
        assert relative < 1e-5, f"{key} is {relative:.1e} off"


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize(("config", "case"), PREDICTIONS)
def test_predictions_are_those_of_one_process(alone, together, config, case, size):
    expected, found = alone(case), of(together[size], config, case)
    assert found.keys() == expected.keys()
    np.testing.assert_array_equal(found["answers"], expected["answers"])
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-5)
    if "tokens" in expected:
        np.testing.assert_array_equal(found["tokens"], expected["tokens"])
    if "attention" in expected:
        np.testing.assert_allclose(found["attention"], expected["attention"], atol=1e-5)
    if "scores" in expected:
        np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-5)
        np.testing.assert_array_equal(found["epochs"], expected["epochs"])


@pytest.mark.parametrize("config", CONFIGS)
def test_two_processes_hold_half_of_the_parameters_each(together, config):
    for rank in (0, 1):
        held, whole, most, largest, count = together[2][f"{config}/memory {rank}"]
        if config == "zero2":
            assert held == whole and most == 0
            continue
        assert 0.5 <= held / whole < 0.52
        # Never more than one layer's weights at a time, in the pass there, in the gradients' graph and on the way back.
        assert 0 < most <= largest < count / 2
    held, whole, *_ = together[1][f"{config}/memory 0"]
    assert held == pytest.approx(whole, rel=1e-3)


@pytest.mark.parametrize("size", [1, 2])
def test_a_trial_that_fails_in_one_process_does_not_stop_the_others(together, size):
    first, bad, bug, last = together[size]["engine/lines"]
    assert first == last == "finished"
    assert bad == "a bad session."
    assert bug == ("RuntimeError: a bug." if size == 1 else "PeerFailed: process 1 of 2: RuntimeError: a bug.")


@pytest.mark.parametrize("size", [1, 2])
def test_checkpoints_and_artifacts_are_written_once(together, size):
    assert sorted(together[size]["engine/files"]) == [
        "curves.parquet",
        "prompt.safetensors",
        "tuning.safetensors",
    ]
