"""Every simulator with a model on a stand-in GPU, in bfloat16: nothing of the CPU meets anything of the GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from baselines import registry
from baselines.simulators import loaded
from benchmark.simulator import AttendsToLabel, Steerable, Workspace
from benchmark.trials.catalogue import setting_names
from tasks.definition import quiet
from tests.baselines.backbones import tiny
from tests.baselines.device.standin import GPU, Standin, standin
from tests.baselines.tuning.people import sessions

NUMBERS = [str(n) for n in range(1, 13)]
MODELS = [name for name in registry.names() if "backbone" in setting_names(registry.entry(name).factory)]
QUICK = dict(epochs=1, batch_size=3, bases=2, tokens=3, heads=2, validation=0.25, passes=2)
OPERATORS = ("rollout", "glimpse", "glimpse-first-order")
CASES = [(name, {}) for name in MODELS] + [("fixate", {"operator": operator}) for operator in OPERATORS]
CASES += [("fixate", {"target": "free", "last_layers": 1}), ("fixate-suffix", {"operator": "glimpse"})]


@pytest.fixture(scope="module", params=tiny.KINDS)
def folder(request, tmp_path_factory):
    """A random checkpoint of each architecture, forgotten by this process afterwards."""
    yield tiny.save(request.param, tmp_path_factory.mktemp(request.param))
    loaded.forget()


def parts(predictions):
    return [(p.attention, p.probabilities) for p in predictions]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more"), CASES, ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values()))
)
@pytest.mark.parametrize("labels", ["ABCDEF", NUMBERS], ids=["letters", "numbers"])
def test_nothing_of_the_cpu_meets_anything_of_the_gpu(folder, name, more, labels, tmp_path, monkeypatch):
    known = setting_names(registry.entry(name).factory)
    settings = {key: value for key, value in {**QUICK, **more, "backbone": str(folder)}.items() if key in known}
    train, test = sessions(2, 3, labels), sessions(2, 1, labels, seed=9, prefix="v")
    monkeypatch.setenv(loaded.DEVICE, "cuda:0")
    with standin():
        simulator = registry.build(name, settings)
        if hasattr(simulator, "attach"):
            simulator.attach(Workspace(tmp_path, tmp_path, lambda line: None, quiet))
        simulator.fit(train, 7)
        found = simulator.simulate([session.stimulus() for session in test])
        label = simulator.attend_to_label(test) if isinstance(simulator, AttendsToLabel) else []
        if hasattr(simulator, "_store"):
            model = simulator._store.backbone.model
            assert {type(p) for p in model.parameters()} == {Standin} and model.dtype == torch.bfloat16
        if isinstance(simulator, Steerable):
            stimuli, generator = [session.stimulus() for session in test], np.random.default_rng(1)
            found += simulator.steer(stimuli, [0, 1]) + simulator.steer(stimuli, [0, 1], generator)
        restored = registry.build(name, settings)
        if hasattr(simulator, "restore"):
            restored.restore(tmp_path, train, 7)
            again = restored.simulate([session.stimulus() for session in test])
            for left, right in zip(parts(found), parts(again), strict=True):
                np.testing.assert_array_equal(left[1], right[1])
    for prediction in (*found, *label):
        for share in (prediction.attention, prediction.probabilities):
            assert share is None or (type(share) is np.ndarray and share.sum() == pytest.approx(1.0))


def test_the_stand_in_refuses_what_a_gpu_refuses():
    """Or the test above would show nothing: forward, on the way back, and what comes from factories."""
    with standin():
        there, here = torch.ones(3, device="cuda").requires_grad_(), torch.ones(3)
        assert there.device == GPU and there.is_cuda and torch.zeros_like(there).device == GPU
        with pytest.raises(RuntimeError, match="same device"):
            there + here
        with pytest.raises(TypeError, match="numpy"):
            there.detach().numpy()

        class Mixing(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x * 2

            @staticmethod
            def backward(ctx, grad):
                return grad * here

        with pytest.raises(RuntimeError, match="same device"):
            Mixing.apply(there).sum().backward()
        assert type((there * 2).cpu()) is torch.Tensor and there[torch.tensor([0, 2])].shape == (2,)
        [gradient] = torch.autograd.grad((there.cpu() * here).sum(), there)
        assert gradient.device == GPU and gradient.tolist() == [1, 1, 1]
