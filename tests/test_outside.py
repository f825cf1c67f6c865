"""Parts from outside the checkout: entry points of an installed package, files, and names of shipped configurations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import benchmark as gb
from baselines import registry
from baselines.backbones import registry as backbones
from baselines.probing import registry as probing
from benchmark.engines.cluster import require_ray
from benchmark.metrics import evaluate_sessions
from benchmark.metrics import registry as metrics
from benchmark.report import variance
from benchmark.runs.search.space import Space
from benchmark.trials.configuration import read_config
from tasks import outside
from tasks import registry as tasks

PLUGIN = '''
import dataclasses
from benchmark.metrics.kl import METRICS
from baselines.backbones.registry import BackboneEntry
from baselines.probing.registry import OperatorInfo
from benchmark.simulator import Prediction
from tests.mini import DEFINITION as TASK

class Clicker:
    """Clicks the first slot."""
    stochastic = False
    def fit(self, train, seed): ...
    def simulate(self, sessions):
        return [Prediction(s.session_id, answer=0) for s in sessions]

KL = METRICS[0]
METRIC = dataclasses.replace(KL, name="KL2", function=lambda block: 2 * KL.function(block))
BACKBONE = BackboneEntry("mine", "owner/model", "of a plugin")
OPERATOR = OperatorInfo("mine", "Mine", "R", "us", "all", False, "none", "baselines.probing.rollout:Rollout")
'''
KINDS = {
    "tasks": "TASK",
    "simulators": "Clicker",
    "metrics": "METRIC",
    "operators": "OPERATOR",
    "backbones": "BACKBONE",
}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Install a package that brings a part of each kind, for as long as a test takes."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "gazebench_plugin.py").write_text(PLUGIN)
    about = tmp_path / "gazebench_plugin-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: gazebench-plugin\nVersion: 1\n")
    lines = [f"[gazebench.{kind}]\nmine-{kind} = gazebench_plugin:{name}\n" for kind, name in KINDS.items()]
    (about / "entry_points.txt").write_text("\n".join(lines))
    caches = (outside.installed, metrics.all_metrics)
    for cache in caches:
        cache.cache_clear()
    yield tmp_path / "gazebench_plugin.py"
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


def test_installed_parts_go_by_name(plugin, mini):
    assert tasks.definition("mine-tasks").info.name == "mini" and "mine-tasks" in tasks.names()
    entry = registry.entry("mine-simulators")
    assert (entry.summary, entry.stochastic) == ("Clicks the first slot", False) and entry.name in registry.names()
    assert probing.info("mine-operators").title == "Mine" and probing.create("mine-operators")
    assert backbones.checkpoint_of("mine-backbones") == "owner/model" and "mine-backbones" in backbones.names()
    table = gb.run(mini, ["uniform", "mine-simulators"], seeds=(1,), reference="uniform").table
    assert (
        table.loc["uniform", "KL2"] == pytest.approx(2 * table.loc["uniform", "KL"])
        and "mine-simulators" in table.index
    )


def test_files_are_named_like_parts(plugin):
    def of(name):
        return f"{plugin}:{name}"

    assert tasks.definition(of("TASK")).info.name == "mini"
    assert registry.entry(of("Clicker")).name == "clicker"
    assert backbones.checkpoint_of(of("BACKBONE")) == "owner/model"
    before = probing.info(of("OPERATOR")).behaviour
    table = evaluate_sessions([[1, 2]], [0], attention=[[0.5, 0.5]], metrics=["KL", of("METRIC")])
    assert table["KL2"][0] == pytest.approx(2 * table["KL"][0])
    plugin.write_text(PLUGIN + "# changed\n")
    assert probing.info(of("OPERATOR")).behaviour != before


def test_a_metric_of_a_file_is_one_of_a_run_and_its_results_say_what_it_is(plugin, mini, tmp_path, monkeypatch):
    def forget():
        monkeypatch.setattr(metrics, "OWN", {})
        metrics.all_metrics.cache_clear()

    other = plugin.with_name("other.py")
    own, named = f"{other}:METRIC", [f"{other}:METRIC", "KL3"]
    other.write_text(PLUGIN.replace('"KL2"', '"KL3"'))
    gb.run(mini, ["uniform", "position-prior"], reference="uniform", metrics=["KL", own], out=tmp_path / "run")
    forget()
    assert "KL3" not in metrics.names()
    found = gb.read_run(tmp_path / "run")
    assert found.results.family == ("KL", "KL3")
    assert found.table["KL3"].tolist() == pytest.approx((2 * found.table["KL"]).tolist())
    apart = found.compare("position-prior", "uniform", ["KL", "KL3"])["difference"]
    assert apart["KL3"] == pytest.approx(2 * apart["KL"]) and found.plot("means", "KL3")
    with pytest.raises(gb.InputError, match="is not known here; name it"):
        evaluate_sessions([[1, 2]], [0], attention=[[0.5, 0.5]], metrics=["KL3"])
    assert [variance.lines(found.results, found.scores, [name])[0].metric for name in named] == ["KL3", "KL3"]
    assert Space({"a": (1,)}, score=(own,)).score == (own,)
    other.write_text(PLUGIN.replace('"KL2"', '"KL"'))
    with pytest.raises(gb.InputError, match="is called KL like one of the suite"):
        metrics.get(own)
    forget()


def test_what_is_not_that_part_is_refused(plugin):
    for call, words in (
        (lambda: probing.info(f"{plugin}:BACKBONE"), "is of the type BackboneEntry; operators are of the class"),
        (lambda: tasks.definition(f"{plugin}:TASKS"), "Did you mean 'TASK'"),
        (lambda: registry.entry(f"{plugin}:KL"), "not a class"),
        (lambda: tasks.definition("mine-task"), "Did you mean 'mine-tasks'"),
        (lambda: outside.load("gazebench_plugin:GONE"), "cannot be used"),
        (lambda: read_config(Path("prios")), "Did you mean 'priors'"),
    ):
        with pytest.raises(gb.InputError, match=words):
            call()


def test_a_shipped_configuration_goes_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_config(Path("priors"))["task"] == "recgaze"
    (tmp_path / "priors").write_text("task: snacks\n")
    assert read_config(Path("priors")) == {"task": "snacks"}


@pytest.mark.slow
def test_a_file_that_hides_a_package_is_one_line(tmp_path):
    (tmp_path / "tasks.py").write_text("")
    command = [sys.executable, "-m", "benchmark", "list", "tasks"]
    root = str(Path(gb.__file__).parents[1])
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": root}, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "tasks.py hides the package 'tasks'" in done.stderr


def test_a_file_that_would_hide_a_package_from_ray_is_one_line(tmp_path, monkeypatch):
    """Ray's workers look into the current folder first; with the command gazebench this process does not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmark.py").write_text("")
    with pytest.raises(gb.InputError, match=r"benchmark\.py hides the package 'benchmark' of gazebench: rename it"):
        require_ray()
    (tmp_path / "benchmark.py").rename(tmp_path / "bench.py")
    require_ray()
