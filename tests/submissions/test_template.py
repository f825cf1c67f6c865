"""The template as a new user meets it: written, run, tested, packed, checked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import submissions
from benchmark.cli import main
from benchmark.trials.extended import file_entry
from submissions import template
from tasks.errors import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A place of one's own with the sample built beforehand."""
    import tasks

    tasks.load("recgaze", "sample")
    return tmp_path_factory.mktemp("own")


@pytest.mark.slow
def test_the_whole_way_from_template_to_submission(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert main(["new-simulator", "top-left"]) == 0
    said = capsys.readouterr()
    assert said.out.split() == [f"top-left/{name}" for name in template.FILES]
    assert main(["run", "--config", "top-left/config.yaml"]) == 0
    table = capsys.readouterr().out
    assert "\ntop-left " in table and "NOTE: simulated sample" in table
    assert main(["pack", "runs/recgaze-loo", "--simulator", "top-left", "--out", "sent"]) == 0
    capsys.readouterr()
    assert main(["doctor", "sent"]) == 0
    assert "0 errors, 1 warning: ready to submit." in capsys.readouterr().err  # its authors are still anonymous
    found = submissions.read("sent")
    assert (found.name, found.kind, found.inputs, found.target) == ("top-left", "prior", ("gaze-train",), "free")
    assert found.authors == ("anonymous",) and "simulated" in found.notice


@pytest.mark.slow
def test_its_own_test_passes(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "top-left")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout


def test_another_name_leaves_no_trace_of_the_templates_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["new-simulator", "top-left"]) == 0
    text = "".join((tmp_path / "top-left" / name).read_text() for name in template.FILES)
    assert "MySimulator" not in text and "my-simulator" not in text and "TopLeft" in text


@pytest.mark.slow
def test_changing_the_file_makes_another_trial(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    argv = ["run", "--task", "recgaze", "--simulators", "top-left/simulator.py:TopLeft", "--reference", "top-left"]
    argv += ["--out", "changed", "--json"]
    assert main(argv) == 0
    assert main(argv) == 0
    assert "1 of 1 trials were finished before" in capsys.readouterr().err
    path = folder / "top-left" / "simulator.py"
    before = path.read_text()
    path.write_text(before.replace("own: float = 0.3", "own: float = 0.4"))
    try:
        assert main(argv) == 0
    finally:
        path.write_text(before)
    said = capsys.readouterr()
    assert "finished before" not in said.err and json.loads(said.out)["simulators"][0]["settings"] == {"own": 0.4}


@pytest.mark.slow
def test_its_settings_are_settings_like_any_other(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    argv = ["run", "--task", "recgaze", "--simulators", "top-left/simulator.py:TopLeft,uniform", "--out", "set"]
    argv += ["--reference", "uniform", "--json", "--set"]
    assert main([*argv, "top-left.own=0"]) == 0
    assert json.loads(capsys.readouterr().out)["simulators"][0]["settings"] == {"own": 0.0}
    assert main([*argv, "top-left.own=much"]) == 2
    assert "the setting own of top-left is 'much'; it must be a number." in capsys.readouterr().err
    assert main([*argv, "top-left.onw=1"]) == 2
    assert "Did you mean 'own'?" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["Top", "top_left", "-top", "top-", "2top", "top--left", "", "../top", "top-2", "a-b"])
def test_a_bad_name_is_refused(name, tmp_path):
    with pytest.raises(InputError, match="is no name for a simulator"):
        template.write(name, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_names_and_classes_fit_together(tmp_path):
    for name in ("top", "top-left", "to-be-or-not", "mix3-b2"):
        template.write(name, tmp_path / name)
        entry = file_entry(f"{tmp_path / name / 'simulator.py'}:{template.class_name(name)}")
        assert entry.name == name and not entry.stochastic and entry.sees == ("gaze-train",)
        config = yaml.safe_load((tmp_path / name / "config.yaml").read_text())
        assert config["settings"] == {f"{name}.own": 0.3}


def test_nothing_is_overwritten_and_no_name_of_the_suite_is_taken(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "simulator.py").write_text("mine")
    assert main(["new-simulator", "mine"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert main(["new-simulator", "uniform"]) == 2
    assert "is a simulator of the suite" in capsys.readouterr().err
    assert (tmp_path / "mine" / "simulator.py").read_text() == "mine" and not (tmp_path / "uniform").exists()
