"""The examples of the documents are run as they stand."""

from __future__ import annotations

import importlib
import re
import sys
import types
from pathlib import Path

import pytest

from baselines import registry as catalogue
from benchmark.config import RunConfig
from benchmark.runner import run
from tests.benchmark.toys import ToyEntry, Toys

ROOT = Path(__file__).parents[1]


def code_blocks(document: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.findall(r"^( *)```python\n(.*?)^ *```", text, flags=re.S | re.M)
    return [re.sub(rf"^{indent}", "", block, flags=re.M) for indent, block in found]


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Return a function that writes a code block to a module file and imports it."""

    def load(name: str, block: str) -> types.ModuleType:
        (tmp_path / f"{name}.py").write_text(block, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def test_the_simulator_of_the_contributing_guide_runs(example, mini, tmp_path):
    block = next(b for b in code_blocks("CONTRIBUTING.md") if "class TopLeft" in b)
    example("example_simulator", block)
    toys = Toys()
    toys.entries = {"top-left": ToyEntry("top-left", "example_simulator:TopLeft")}
    found = run(RunConfig("mini", simulators=("top-left",), reference="top-left"), mini, toys, tmp_path / "run")
    assert found.simulators[0].settings == {"rate": 0.5} and found.simulators[0].metrics["KL"].mean > 0


def test_the_python_examples_of_the_readme_run(capsys):
    for block in code_blocks("README.md"):
        exec(compile(block, "README.md", "exec"), {})
    assert "CSH@1" in capsys.readouterr().out


def test_the_task_of_the_contributing_guide_loads_and_runs(example, tmp_path, monkeypatch):
    from tasks import registry

    block = next(b for b in code_blocks("CONTRIBUTING.md") if "PAIRS" in b)
    example("example_task", block)
    monkeypatch.setitem(registry.TASKS, "pairs", "example_task:PAIRS")
    task = registry.load("pairs", "sample")
    assert len(task) == 23 and task.notice == "simulated sample, not recorded"  # u0 on screen 0 looks nowhere
    config = RunConfig("pairs", split="kfold", simulators=("uniform", "position-prior"), reference="uniform")
    found = run(config, task, catalogue, tmp_path / "run")
    assert found.simulators[0].metrics["Accuracy"].mean == pytest.approx(0.5)
