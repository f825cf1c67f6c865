"""Trials run by a group: what fails in one process fails in all, and the next trial runs."""

from __future__ import annotations

import pytest

from tests.baselines.distributed.conftest import NEEDS

pytestmark = [NEEDS, pytest.mark.slow]


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
        "curves.png",
        "prompt.safetensors",
        "tuning.safetensors",
    ]
