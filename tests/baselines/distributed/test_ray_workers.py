"""A trial that workers of Ray Train share, as the engine ray starts them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from baselines import registry
from baselines.distributed import read
from baselines.distributed.engine import RayWorkers
from benchmark.engines import EngineSettings
from benchmark.runs.runner import run, run_trial
from benchmark.trials.configuration import RunConfig
from benchmark.trials.store import TrialStore
from benchmark.trials.trial import expand
from tests.baselines.distributed.conftest import NEEDS

pytest.importorskip("ray")
pytestmark = [NEEDS, pytest.mark.slow, pytest.mark.filterwarnings("default")]


def test_two_workers_of_ray_find_what_one_process_finds(mini, tmp_path, monkeypatch):
    from benchmark.engines.ray import RayEngine

    monkeypatch.setenv("GAZEBENCH_DEVICE", "cpu")
    asked = RunConfig("mini", simulators=("text",), reference="text", seeds=(1,))
    [trial] = expand(asked, mini, registry)
    settings = EngineSettings("ray", deepspeed="zero3", workers_per_trial=2)
    run(asked, mini, registry, tmp_path, engine=RayEngine(settings, launcher=RayWorkers(read("zero3"), 2)))
    alone, _ = run_trial(trial, mini)
    store = TrialStore(tmp_path / "trials")
    assert not store.finished(trial)  # that is the one of one process
    [record] = store.records()
    assert record["parallel"].startswith("DeepSpeed zero3 x2 (")
    assert record["environment"]["where"].endswith("first of 2") and record["environment"]["engine"] == "ray"
    assert record["environment"]["resources"]["workers"] == 2 and record["attempts"] == 1
    found = store.get(replace(trial, parallel=record["parallel"]))
    assert found["answer"].equals(alone["answer"])
    assert len(found) == 7
    np.testing.assert_allclose(found["probabilities"].to_pylist(), alone["probabilities"].to_pylist(), atol=1e-5)
