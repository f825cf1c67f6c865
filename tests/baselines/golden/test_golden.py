"""Predictions do not move without a new behaviour version."""

from __future__ import annotations

import json

import pytest
import torch

from baselines import registry
from baselines.probing import registry as operators
from tests.baselines.golden import golden

KEPT = json.loads(golden.FILE.read_text())


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Run on the CPU and talk to the stub alone."""
    monkeypatch.setenv("GAZEBENCH_DEVICE", "cpu")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_everything_that_declares_a_version_has_golden_predictions():
    assert set(KEPT) == set(golden.cases()), f"run {golden.COMMAND}"
    assert {f"simulator {name}" for name in registry.names()} <= set(KEPT)
    assert {name for name in operators.names() if f"operator {name}" not in KEPT} == {"gaze-heads"}
    readers = {one["versions"].get("reader", "").split(" ")[0] for one in KEPT.values()} - {""}
    assert readers == {"qwen3_vl", "internvl"}


@pytest.mark.parametrize("name", golden.cases())
def test_predictions_are_those_of_their_declared_versions(name):
    case, kept = golden.cases()[name], KEPT[name]
    assert golden.versions(case) == kept["versions"], f"a version was raised; run {golden.COMMAND}"
    found, read = golden.predicted(case)
    assert golden.same(case, golden.values(found), kept["predictions"]), golden.moved(name, kept["versions"])
    # What a simulator reads of the recordings decides which of them are part of a trial's identity.
    assert read <= set(golden.built(*case).reads)


def test_the_number_of_threads_does_not_matter(monkeypatch):
    from baselines.backbones import memory

    monkeypatch.setattr(memory, "SMALL", 0)  # or a small model would run in one thread
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for name in ("simulator fixate", "operator glimpse"):
            case = golden.cases()[name]
            assert golden.same(case, golden.values(golden.predicted(case)[0]), KEPT[name]["predictions"])
    finally:
        torch.set_num_threads(before)


def test_what_moves_is_found_and_not_written_without_a_new_version(monkeypatch, tmp_path):
    from baselines.simulators import priors

    positions = priors.positions
    monkeypatch.setattr(priors, "positions", lambda slots: positions(slots)[::-1])
    monkeypatch.setattr(golden, "FILE", tmp_path / "predictions.json")
    names = ("simulator position-prior", "simulator uniform")
    monkeypatch.setattr(golden, "cases", lambda: {name: (name.split()[1], {}) for name in names})
    golden.FILE.write_text(json.dumps({name: KEPT[name] for name in names}))
    with pytest.raises(SystemExit, match=r"'simulator position-prior' have moved.*baselines/registry.py \(simulator\)"):
        golden.main()
    raised = registry.Entry("position-prior", registry.entry("position-prior").factory, "", behaviour="2")
    rest = [entry for entry in registry.SIMULATORS if entry.name != "position-prior"]
    monkeypatch.setattr(registry, "SIMULATORS", (*rest, raised))
    golden.main()
    written = json.loads(golden.FILE.read_text())
    assert written["simulator position-prior"]["versions"] == {"simulator": "2"}
    assert written["simulator position-prior"]["predictions"] != KEPT["simulator position-prior"]["predictions"]
    assert written["simulator uniform"] == KEPT["simulator uniform"]
